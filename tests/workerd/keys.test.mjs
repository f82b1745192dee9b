// Keys are rotated under traffic: nothing is refused, and in the end nothing needs the old ones.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parseRing } from '../../scripts/lib/ring.mjs';
import { root } from '../../scripts/lib/shell.mjs';
import { balance, click, Client, programme, verified, whose } from './support/client.mjs';
import { startServer } from './support/server.mjs';
import { order, store } from './support/shopify.mjs';

const key = () => randomBytes(32).toString('base64');
let state;
let server;
before(() => {
  state = mkdtempSync(join(tmpdir(), 'tributary-keys-'));
  // As before there were rings: a key each, and none that only hashes.
  const old = [`OPERATOR_TOKEN=op_${randomBytes(9).toString('hex')}`, `CLICK_KEY=${key()}`, `DATA_KEY=${key()}`];
  writeFileSync(join(state, 'secrets'), `${old.join('\n')}\n`);
});
after(async () => {
  await server?.stop();
  rmSync(state, { recursive: true, force: true });
});

const rotate = (...args) =>
  execFileSync(process.execPath, [join(root, 'scripts/rotate.mjs'), ...args], { encoding: 'utf8', stdio: 'pipe' });
const kept = () =>
  Object.fromEntries(
    readFileSync(join(state, 'secrets'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => /^(\w+)=(.*)$/.exec(line).slice(1)),
  );
const restart = async () => {
  await server?.stop();
  server = await startServer({ stateDir: state, faults: true });
};
/** The same programme at the server as it runs now. */
const again = (p) => ({
  ...p,
  client: new Client(server, p.key),
  store: store(server, { id: p.store.id, webhook_url: server.origin + p.store.path }, p.store.secret),
});
const left = async () => (await new Client(server).get('/v1/status')).sealed_under_older_keys;
const SEALED = `SELECT secret_sealed AS t FROM stores UNION ALL SELECT j.value ->> 'sealed'
  FROM stores, json_each(previous_secrets) j UNION ALL SELECT body FROM quarantine WHERE body IS NOT NULL`;

test('a rotation under traffic refuses nothing, and retiring the old keys leaves nothing behind', async () => {
  await restart();
  let p = await programme(server);
  assert.deepEqual(Object.keys(kept()), ['OPERATOR_TOKEN', 'CLICK_KEY', 'DATA_KEY']);
  const oldId = await click(server, p.link);
  await p.store.send('not json');
  const replaced = p.store.secret;
  await p.client.patch(`/v1/stores/${p.store.id}`, { client_secret: 'the next secret' });
  const own = order({ codes: [[p.code, '1.00']], email: p.email });
  await p.store.send(own);
  const oldTexts = (await server.sql(SEALED))[0].map(({ t }) => t);
  assert.equal(oldTexts.length, 3);

  const secrets = join(state, 'secrets');
  rotate('DATA_KEY', '--file', secrets);
  rotate('CLICK_KEY', '--file', secrets);
  assert.ok(kept().HASH_KEY, 'what must stay the same has its own place');
  await restart();
  p = again(p);
  assert.equal(await left(), null, 'nothing was counted under the new key yet');

  // Deliveries by both secrets with ids of both keys, while the job works and a secret changes.
  const newId = await click(server, p.link);
  const orders = Array.from({ length: 60 }, (_, n) => order({ clicks: [n % 2 ? oldId : newId] }));
  const secretOf = (n) => (n % 3 ? 'the next secret' : replaced);
  const [, , , ...answers] = await Promise.all([
    server.triggerCron({ cron: 'all' }),
    server.triggerCron({ cron: 'all' }),
    p.client.patch(`/v1/stores/${p.store.id}`, { client_secret: 'one more' }),
    ...orders.map((body, n) => p.store.deliver(body, { secret: secretOf(n) })),
  ]);
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  await server.triggerCron({ cron: 'all' });
  assert.equal(await left(), 0);
  const texts = (await server.sql(SEALED))[0].map(({ t }) => t);
  assert.equal(texts.length, 4);
  assert.ok(
    texts.every((text) => text.startsWith('2:2:')),
    texts.join('\n'),
  );
  for (const body of orders.slice(0, 4)) assert.deepEqual((await whose(p, body.id)).story, ['link … won']);
  await p.store.send(own);

  rotate('DATA_KEY', '--retire', '1', '--file', secrets);
  rotate('CLICK_KEY', '--retire', '1', '--file', secrets);
  assert.ok(kept().DATA_KEY.startsWith('1:retired,2:active:'), 'the key itself is thrown away');
  await restart();
  p = again(p);
  for (const secret of [replaced, 'the next secret', 'one more'])
    assert.equal((await p.store.deliver(orders[0], { secret })).status, 200);
  const late = [order({ clicks: [oldId] }), order({ clicks: [newId] }), order({ codes: [[p.code, '1']], email: p.email })];
  for (const body of late) assert.equal((await p.store.deliver(body, { secret: 'one more' })).status, 200);
  const stories = await Promise.all(late.map(async ({ id }) => (await whose(p, id)).story.at(-1)));
  assert.deepEqual(stories, ['link … bad_signature', 'link … won', 'code ANNA10 self_purchase']);
  const [{ id }] = (await p.client.get('/v1/quarantine')).data;
  assert.equal((await p.client.post(`/v1/quarantine/${id}/replay`)).outcome, 'unusable');
  assert.equal((await balance(p, p.creator)).lifetime, '610.00');
  await verified(p);

  // Had something been left under the old key, it would say so and break nothing.
  const [stored] = oldTexts;
  await server.sql(`UPDATE stores SET secret_sealed = '${stored}', previous_secrets = '[]'`);
  await server.sql(`UPDATE quarantine SET body = '${oldTexts[2]}'`);
  const replay = await p.client.call('POST', `/v1/quarantine/${id}/replay`);
  assert.deepEqual([replay.status, replay.json.type], [409, '/problems/key-retired']);
  await restart();
  p = again(p);
  assert.equal((await p.store.deliver(order())).status, 503, 'the shop comes back');
  await server.triggerCron({ cron: 'all' });
  assert.equal(await left(), 2);
  assert.equal((await p.client.call('GET', '/healthz')).status, 200);
  assert.ok(!/panicked|RuntimeError/.test(server.log()), server.log().slice(-2000));
});

test('without good keys nothing is served', async () => {
  const [a, b] = [key(), key()];
  const bad = [
    { DATA_KEY: '' },
    { CLICK_KEY: 'AA==' },
    { DATA_KEY: `1:active:${a},2:active:${b}` },
    { HASH_KEY: 'short' },
    // Hashes would come out of nothing.
    { DATA_KEY: `1:retired,2:active:${b}`, HASH_KEY: undefined },
  ];
  await Promise.all(
    bad.map(async (vars) => {
      const folder = mkdtempSync(join(tmpdir(), 'tributary-bad-'));
      const given = Object.fromEntries(Object.entries(vars).filter(([, value]) => value !== undefined));
      const starting = startServer({ stateDir: folder, vars: given });
      await assert.rejects(starting, /503 this deployment is not configured/, JSON.stringify(vars));
      const log = readFileSync(join(folder, 'worker.log'), 'utf8');
      assert.ok(log.includes('misconfigured') && !log.includes(a) && !log.includes(b), log);
      rmSync(folder, { recursive: true, force: true });
    }),
  );
});

test('the steps of a deployment: announce, activate, retire', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-ring-'));
  const file = join(folder, 'DATA_KEY');
  const first = key();
  writeFileSync(file, `${first}\n`);
  const told = rotate('DATA_KEY', '--deployed', file);
  assert.match(told, /secret put DATA_KEY < .*announce[^]*secret put DATA_KEY < .*activate/);
  assert.ok(!told.includes(first), 'no key on the screen');
  const ring = (step) => parseRing(readFileSync(`${file}.${step}`, 'utf8'));
  assert.equal(readFileSync(`${file}.hash`, 'utf8'), first);
  const states = (step) => ring(step).map(({ number, state }) => `${number} ${state}`);
  assert.deepEqual(states('announce'), ['1 active', '2 verify']);
  assert.deepEqual(states('activate'), ['1 verify', '2 active']);
  assert.equal(ring('announce')[1].key, ring('activate')[1].key);
  writeFileSync(file, readFileSync(`${file}.activate`));
  rotate('DATA_KEY', '--retire', '1', '--deployed', file);
  assert.deepEqual(states('retire'), ['1 retired', '2 active']);
  for (const args of [
    ['DATA_KEY', '--retire', '2', '--deployed', file],
    ['DATA_KEY', '--retire', '9', '--deployed', file],
    ['HASH_KEY', '--deployed', file],
    ['DATA_KEY', '--deployed', join(folder, 'none')],
  ])
    assert.throws(() => rotate(...args), undefined, args.join(' '));
  rmSync(folder, { recursive: true, force: true });
});
