// Secrets of a local run: made once, kept in a file of NAME=value lines, as wrangler reads it too.
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { readIfThere } from './shell.mjs';

const MADE = {
  OPERATOR_TOKEN: () => `op_${randomBytes(24).toString('base64url')}`,
  CLICK_KEY: () => randomBytes(32).toString('base64'),
  DATA_KEY: () => randomBytes(32).toString('base64'),
};

/** Everything `file` says, after adding to it what is neither there nor `given`. */
export function secrets(file, given = {}) {
  const before = readIfThere(file) ?? '';
  const found = {};
  for (const line of before.split('\n')) {
    const pair = /^\s*(\w+)\s*=\s*(.*?)\s*$/.exec(line);
    if (pair) found[pair[1]] = pair[2].replace(/^(["'])(.*)\1$/, '$2');
  }
  const missing = Object.keys(MADE).filter((name) => !(name in found) && !(name in given));
  if (missing.length > 0) {
    const lines = missing.map((name) => `${name}=${(found[name] = MADE[name]())}\n`);
    const separator = before === '' || before.endsWith('\n') ? '' : '\n';
    writeFileSync(file, before + separator + lines.join(''), { mode: 0o600 });
  }
  return { ...found, ...given };
}
