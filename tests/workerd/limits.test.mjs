// What is limited: attempts exactly, whatever comes at once and whatever restarts; the API's callers
// roughly, each for itself.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client, click, eventually, programme } from './support/client.mjs';
import { startServer } from './support/server.mjs';
import { order } from './support/shopify.mjs';

const allowed = (answers) => answers.filter((answer) => answer === '').length;

test('of a thousand attempts at once exactly as many as allowed are taken, across a kill', async (t) => {
  const stateDir = mkdtempSync(join(tmpdir(), 'tributary-limits-'));
  t.after(() => rmSync(stateDir, { recursive: true, force: true }));
  const first = await startServer({ stateDir });
  const answers = await first.attempts('a', 5, 60_000, 1000);
  assert.equal(answers.length, 1000);
  assert.equal(allowed(answers), 5);
  for (const wait of answers.filter((answer) => answer !== ''))
    assert.ok(Number(wait) > 50_000 && Number(wait) <= 60_000, wait);
  // Another subject has its own count.
  assert.equal(allowed(await first.attempts('b', 3, 60_000, 1)), 1);
  await first.kill9();

  const second = await startServer({ stateDir });
  t.after(() => second.stop());
  assert.equal(allowed(await second.attempts('a', 5, 60_000, 100)), 0);
  assert.equal(allowed(await second.attempts('b', 3, 60_000, 100)), 2);
});

test('a period ends, and its object forgets', async (t) => {
  const server = await startServer();
  t.after(() => server.stop());
  assert.equal(allowed(await server.attempts('a', 2, 1000, 10)), 2);
  await eventually('the next period', async () => allowed(await server.attempts('a', 2, 1000, 10)) === 2);
});

test('a key that asks too much is told to wait; other brands, links and webhooks are not', async (t) => {
  const server = await startServer({ throttle: 300 });
  t.after(() => server.stop());
  const [a, b] = [await programme(server), await programme(server)];
  const answers = await Promise.all(Array.from({ length: 1000 }, () => a.client.call('GET', '/v1/brand')));
  const refused = answers.filter(({ status }) => status === 429);
  assert.ok(refused.length >= 400, `${refused.length} were refused`);
  assert.ok(answers.every(({ status }) => status === 200 || status === 429));
  for (const { headers, json } of refused) {
    assert.ok(Number(headers.get('retry-after')) > 0);
    assert.equal(json.type, '/problems/too-many-requests');
  }
  for (let n = 0; n < 50; n++) assert.equal((await b.client.call('GET', '/v1/brand')).status, 200);
  await click(server, a.link);
  assert.equal((await a.store.deliver(order())).status, 200);
  assert.equal((await new Client(server).call('GET', '/healthz')).status, 200);
});

test('tokens that are made up count for the network that sends them, and cost no lookups then', async (t) => {
  const server = await startServer({ throttle: 300, faults: true });
  t.after(() => server.stop());
  const a = await programme(server);
  const from = { 'cf-connecting-ip': '203.0.113.7' };
  const client = (token, headers = from) => new Client(server, token, headers);
  const brand = (token, headers) => client(token, headers).call('GET', '/v1/brand');
  await server.breakD1('open');
  const made = Array.from({ length: 1000 }, (_, n) => `tbk_${String(n).padStart(43, '0')}`);
  const answers = (await Promise.all(made.map((token) => brand(token)))).map(({ status }) => status);
  assert.deepEqual([...new Set(answers)].sort(), [401, 429]);
  // The limiter's period may end in between, once.
  const looked = answers.filter((status) => status === 401).length;
  assert.ok(looked >= 300 && looked <= 600, `${looked} were looked up`);
  const calls = await server.breakD1('open');
  assert.ok(calls <= looked + 5, `${calls} calls of D1 for ${looked}`);
  assert.equal((await a.client.call('GET', '/v1/brand')).status, 200);
  assert.equal((await brand(made[0], { 'cf-connecting-ip': '198.51.100.7' })).status, 401);
});
