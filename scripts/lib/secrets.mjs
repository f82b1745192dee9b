// Secrets of a local run: made once, kept in a file of NAME=value lines, as wrangler reads it too.
import { randomBytes } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { readIfThere } from './shell.mjs';

const MADE = {
  OPERATOR_TOKEN: () => `op_${randomBytes(24).toString('base64url')}`,
  CLICK_KEY: () => randomBytes(32).toString('base64'),
  DATA_KEY: () => randomBytes(32).toString('base64'),
  HASH_KEY: () => randomBytes(32).toString('base64'),
};
// Without a HASH_KEY hashes come out of the DATA_KEY: one that is there keeps doing so.
const TOGETHER = { HASH_KEY: 'DATA_KEY' };

/** Everything `file` says, after adding to it what is neither there nor `given`. */
export function secrets(file, given = {}) {
  const before = readIfThere(file) ?? '';
  const found = parse(before);
  const there = { ...found, ...given };
  const missing = Object.keys(MADE).filter((name) => !(name in there) && !(TOGETHER[name] in there));
  if (missing.length > 0) {
    const lines = missing.map((name) => `${name}=${(found[name] = MADE[name]())}\n`);
    const separator = before === '' || before.endsWith('\n') ? '' : '\n';
    writeFileSync(file, before + separator + lines.join(''), { mode: 0o600 });
  }
  return { ...found, ...given };
}

/** Changes lines of `file`, whole or not at all: `change` answers new values by name. */
export function changeSecrets(file, change) {
  const before = readIfThere(file) ?? '';
  const changes = change(parse(before));
  const kept = before.split('\n').filter((line) => line && !(PAIR.exec(line)?.[1] in changes));
  const lines = Object.entries(changes).map(([name, value]) => `${name}=${value}`);
  writeFileSync(`${file}.new`, [...kept, ...lines, ''].join('\n'), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

const PAIR = /^\s*(\w+)\s*=\s*(.*?)\s*$/;

function parse(text) {
  const found = {};
  for (const line of text.split('\n')) {
    const pair = PAIR.exec(line);
    if (pair) found[pair[1]] = pair[2].replace(/^(["'])(.*)\1$/, '$2');
  }
  return found;
}
