// npm run rotate -- DATA_KEY|CLICK_KEY [--retire NUMBER] [--deployed FILE]
// A new key for a laptop (.dev.vars), or the steps to one for a deployment: docs/keys.md.
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { activated, announced, parseRing, retired, ringText } from './lib/ring.mjs';
import { changeSecrets } from './lib/secrets.mjs';
import { Failure, main, readIfThere, root, say } from './lib/shell.mjs';

const USAGE = 'Usage: npm run rotate -- DATA_KEY|CLICK_KEY [--retire NUMBER] [--deployed FILE]';

main(async () => {
  const [name, ...rest] = process.argv.slice(2);
  const options = {};
  for (let at = 0; at < rest.length; at += 2) {
    if (!['--retire', '--deployed', '--file'].includes(rest[at]) || rest[at + 1] === undefined)
      throw new Failure(USAGE);
    options[rest[at].slice(2)] = rest[at + 1];
  }
  if (!['DATA_KEY', 'CLICK_KEY'].includes(name)) throw new Failure(USAGE);
  const number = options.retire === undefined ? undefined : Number(options.retire);
  if (options.deployed) deployed(name, number, resolve(options.deployed));
  else local(name, number, resolve(options.file ?? join(root, '.dev.vars')));
});

function local(name, number, file) {
  changeSecrets(file, (secrets) => {
    const ring = parseRing(secrets[name] ?? '');
    if (number !== undefined) {
      if (name === 'DATA_KEY' && number === 1 && !secrets.HASH_KEY)
        throw new Failure('Hashes come out of key 1: put it into HASH_KEY before it is retired.');
      return { [name]: ringText(retired(ring, number)) };
    }
    const changes = { [name]: ringText(activated(announced(ring))) };
    // What must stay the same gets its own place before its key may go.
    const first = ring.find((entry) => entry.number === 1)?.key;
    if (name === 'DATA_KEY' && !secrets.HASH_KEY && first) changes.HASH_KEY = first;
    return changes;
  });
  say(
    number === undefined ? `${name} has a new key; the one before opens what there is.` : `Key ${number} is retired.`,
  );
  say('Restart what is running with it.');
}

function deployed(name, number, file) {
  const text = readIfThere(file);
  if (text === undefined) throw new Failure(`${file} should hold the present ${name}.`);
  const ring = parseRing(text);
  const write = (step, content) => {
    writeFileSync(`${file}.${step}`, content, { mode: 0o600 });
    return `npx wrangler secret put ${name} < ${file}.${step}`;
  };
  if (number !== undefined) {
    say('At 0 of sealed_under_older_keys (DATA_KEY), or after the longest attribution window (CLICK_KEY):');
    say(`  ${write('retire', ringText(retired(ring, number)))}`);
    return;
  }
  const next = announced(ring);
  if (name === 'DATA_KEY' && ring.length === 1 && ring[0].number === 1) {
    writeFileSync(`${file}.hash`, ring[0].key, { mode: 0o600 });
    say('0. Only if `npx wrangler secret list` shows no HASH_KEY:');
    say(`     npx wrangler secret put HASH_KEY < ${file}.hash`);
  }
  say(`1. Announce the new key:\n     ${write('announce', ringText(next))}`);
  say('2. Ten minutes later, when no isolate is left that does not know it, use it:');
  say(`     ${write('activate', ringText(activated(next)))}`);
  say(`3. Keep ${file}.activate in the place of ${file}, and remove the other files.`);
}
