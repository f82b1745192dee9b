// npm run timing: whether the time that a sign-in takes to begin tells which addresses are known, by
// a thousand of each. `npm test` asks fewer, so this is for whoever changed something there.
import assert from 'node:assert/strict';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { eventually } from './support/client.mjs';
import { kolmogorovSmirnov } from './support/ks.mjs';
import { Browser, newAddress } from './support/people.mjs';
import { startServer } from './support/server.mjs';

/** In npm test: of equal samples one pair in ten thousand differs so much. */
export const UNLIKELY = 0.0001;

/** So many people, of whom the product knows nothing but their addresses. */
export async function makeKnown(server, n) {
  const emails = Array.from({ length: n }, () => newAddress('known'));
  const rows = emails.map((email, at) => `('person_${email}', '${email}', ${at})`);
  await server.sql(`INSERT INTO people (id, email, created_at_ms) VALUES ${rows.join(', ')}`);
  return emails;
}

/**
 * How long a sign-in takes to begin, in milliseconds: `n` times for known addresses, as often for
 * unknown ones. In random order: what the last one left to be done then delays both alike.
 */
export async function times(server, n) {
  const known = (await makeKnown(server, n)).map((email) => [0, email]);
  const unknown = known.map(() => [1, newAddress('nobody')]);
  const both = [...known, ...unknown]
    .map((one) => [Math.random(), one])
    .sort(([a], [b]) => a - b)
    .map(([, one]) => one);
  const found = [[], []];
  let browser;
  for (const [at, [kind, email]] of both.entries()) {
    // A network may begin two hundred in an hour.
    if (at % 150 === 0) browser = new Browser(server);
    browser.cookies.clear();
    const started = performance.now();
    const status = await browser.status('POST', '/v1/sign-in', { email });
    found[kind].push(performance.now() - started);
    assert.equal(status, 202);
  }
  return found;
}

/** Fails if what is answered, sent, stored or asked of D1 before the answer tells them apart. */
export async function same(server) {
  const [known] = await makeKnown(server, 1);
  const unknown = newAddress('nobody');
  const seen = [];
  for (const email of [known, unknown]) {
    const browser = new Browser(server);
    // The object that counts for this network and the connection to it are made by the first.
    await browser.status('POST', '/v1/sign-in', { email: newAddress('warm') });
    browser.cookies.clear();
    await server.breakD1('slow', { ms: 250 });
    const started = performance.now();
    const answer = await browser.call('POST', '/v1/sign-in', { email });
    const calls = Math.floor((performance.now() - started) / 250);
    await server.breakD1('open');
    const headers = [...answer.headers].map(([name, value]) => [name, hidden(name, value)]);
    const [rows] = await server.sql(`SELECT * FROM sign_ins WHERE email = '${email}'`);
    const row = rows.map((row) =>
      Object.entries(row).map(([name, value]) => [name, typeof value, String(value).length * (name !== 'email')]),
    );
    const text = answer.text.replace(/\d/g, '0');
    seen.push({ status: answer.status, headers, text, calls, row });
  }
  assert.deepEqual(seen[0], seen[1]);
  assert.equal(seen[0].calls, 1);
  await eventually('the mail', async () => (await server.mails()).some(({ to }) => to === known));
  const [[{ n }]] = await server.sql(`SELECT count(*) AS n FROM mails WHERE recipient = '${unknown}'`);
  assert.equal(n, 0);
  assert.ok(!(await server.mails()).some(({ to }) => to === unknown));
}

/** What differs between any two answers. */
const hidden = (name, value) =>
  ({ 'x-request-id': '', date: '' })[name] ?? value.replace(/=[\w-]{43};/, '=…;');

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({ options: { times: { type: 'string', default: '1000' } } });
  const server = await startServer({ mail: true });
  const [known, unknown] = await times(server, Number(values.times));
  await server.stop();
  const median = (all) => [...all].sort((a, b) => a - b)[all.length >> 1].toFixed(2);
  const p = kolmogorovSmirnov(known, unknown);
  console.log(`known ${median(known)} ms, unknown ${median(unknown)} ms (medians): p = ${p.toFixed(4)}`);
  process.exit(p > 0.01 ? 0 : 1);
}
