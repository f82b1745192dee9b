// Outgoing webhooks in workerd, told to a server that verifies them with nothing of ours.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { receiver, signs, verifies } from '../doubles/receiver/index.mjs';
import { eventually, programme } from './support/client.mjs';
import { startServer } from './support/server.mjs';
import { order } from './support/shopify.mjs';

let server, hooks;
before(async () => {
  server = await startServer({ faults: true });
  hooks = await receiver();
});
after(async () => {
  await server?.stop();
  await hooks?.stop();
});

const DAY = 86_400_000;
const settled = () =>
  eventually('nothing waits', async () => {
    await server.triggerCron();
    const [rows] = await server.sql(`SELECT count(*) AS n FROM webhook_deliveries WHERE state = 'waiting' AND tries = 0`);
    return rows[0].n === 0;
  });
const listen = async (p, more = {}) => {
  const { endpoint, secret } = await p.client.post('/v1/webhook-endpoints', { url: `${hooks.origin}/in`, ...more });
  return { ...endpoint, secret };
};
const fresh = async () => {
  hooks.got.length = 0;
  hooks.answer = () => 200;
  hooks.headers = {};
  await server.sql('DELETE FROM webhook_endpoints');
  return programme(server, { startsAt: '2026-01-01T00:00:00Z' });
};

test('the published example verifies with the double', () => {
  const example = {
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    at: '1614265330',
    body: '{"test": 2432232314}',
    signatures: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  };
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  assert.ok(signs(secret, example));
  assert.ok(!signs(secret, { ...example, body: '{"test": 2432232315}' }));
});

test('a life of an order arrives, numbered and signed; commands at once, orders within a minute', async () => {
  const p = await fresh();
  const { secret } = await listen(p);
  await p.client.patch(`/v1/deals/${p.deal.id}`, { stage: 'Posted' });
  await eventually('the move is told after the answer', () => hooks.types().includes('deal.updated'));
  const codes = [[p.code, '10.00']];
  const sold = order({ codes, status: 'pending' });
  const snapshot = (after, more) => order({ codes, id: sold.id, updatedAt: Date.now() + after, ...more });
  for (const body of [sold, snapshot(60_000), snapshot(120_000, { cancelledAt: Date.now() + 120_000 })]) {
    await p.store.send(body);
    await settled();
  }
  const types = hooks.types();
  for (const type of ['order.created', 'commission.created', 'order.updated', 'commission.updated'])
    assert.ok(types.includes(type), `${type} of ${types}`);
  for (const message of hooks.got) {
    assert.ok(verifies(secret, message), message.body);
    assert.ok(!verifies(secret, { ...message, body: message.body.replace('sequence', 'sequencf') }));
    assert.doesNotMatch(message.body, /@|email/);
  }
  const numbers = hooks.got.map(({ json }) => json.sequence).sort((a, b) => a - b);
  assert.deepEqual(numbers, numbers.map((_, at) => at + 1));
  const last = hooks.got.find(({ json }) => json.sequence === numbers.length).json;
  assert.equal(last.data.order_state ?? last.data.state, 'cancelled');
  const ids = new Set(hooks.got.map(({ headers }) => headers['webhook-id']));
  assert.equal(ids.size, hooks.got.length);
});

test('a worker that is killed between the claim and the end tells it again, under the same id', async () => {
  const p = await fresh();
  const { id, secret } = await listen(p);
  let hangs = true;
  hooks.answer = () => (hangs ? undefined : 200);
  await p.client.post(`/v1/webhook-endpoints/${id}/test`);
  await eventually('the first try', () => hooks.got.length === 1);
  const { stateDir, port } = server;
  await server.kill9();
  server = await startServer({ faults: true, stateDir, port });
  hangs = false;
  await server.triggerCron();
  assert.equal(hooks.got.length, 1, 'for all that is known somebody still waits for its answer');
  await server.sql('UPDATE webhook_endpoints SET due_at_ms = 1', 'UPDATE webhook_deliveries SET due_at_ms = 1');
  await server.triggerCron();
  const [first, second] = hooks.got;
  assert.equal(hooks.got.length, 2);
  assert.equal(first.headers['webhook-id'], second.headers['webhook-id']);
  assert.equal(first.body, second.body);
  assert.ok(verifies(secret, second));
});

test('a redirect is not followed; a body of any size is not read; three days pause, and mail once', async () => {
  const p = await fresh();
  const { id } = await listen(p);
  hooks.answer = ({ path }) => (path === '/in' ? 307 : 200);
  hooks.headers = { location: `${hooks.origin}/other` };
  await p.client.post(`/v1/webhook-endpoints/${id}/test`);
  const shown = async () => (await p.client.get(`/v1/webhook-endpoints/${id}/deliveries`)).data[0];
  const told = await eventually('the try', async () => {
    const found = await shown();
    return found.last_status && found;
  });
  assert.deepEqual([told.state, told.tries, told.last_status], ['waiting', 1, 307]);
  assert.deepEqual(hooks.got.map(({ path }) => path), ['/in']);
  // Three days later.
  await server.sql(
    `UPDATE webhook_endpoints SET due_at_ms = 1, failing_since_ms = failing_since_ms - ${3 * DAY}`,
    `UPDATE webhook_deliveries SET due_at_ms = 1, first_tried_at_ms = first_tried_at_ms - ${3 * DAY}`,
  );
  await server.triggerCron();
  await server.triggerCron();
  assert.equal((await shown()).state, 'failed');
  const endpoint = await p.client.get(`/v1/webhook-endpoints/${id}`);
  assert.deepEqual([endpoint.state, endpoint.paused_because], ['paused', 'failing']);
  const mails = (await p.client.get('/v1/mails')).data.filter(({ kind }) => kind === 'webhook_paused');
  assert.equal(mails.length, 1);
  // Somebody mends it.
  hooks.answer = () => 200;
  await p.client.patch(`/v1/webhook-endpoints/${id}`, { state: 'active' });
  await p.client.post(`/v1/webhook-endpoints/${id}/deliveries/${told.id}/resend`);
  await eventually('it arrives', async () => (await shown()).state === 'delivered');
  assert.equal(hooks.got.at(-1).headers['webhook-id'], told.id);
});

test('while a secret is replaced both verify', async () => {
  const p = await fresh();
  const { id, secret } = await listen(p);
  const made = await p.client.post(`/v1/webhook-endpoints/${id}/secret`);
  await p.client.post(`/v1/webhook-endpoints/${id}/test`);
  await eventually('it', () => hooks.got.length === 1);
  assert.ok(verifies(secret, hooks.got[0]) && verifies(made.secret, hooks.got[0]));
  await server.sql('UPDATE webhook_endpoints SET previous_until_ms = 1');
  await p.client.post(`/v1/webhook-endpoints/${id}/test`);
  await eventually('the next', () => hooks.got.length === 2);
  assert.ok(!verifies(secret, hooks.got[1]) && verifies(made.secret, hooks.got[1]));
});

test('workers at once tell each event once', async () => {
  const p = await fresh();
  await listen(p, { events: ['order.created'] });
  hooks.answer = () => new Promise((done) => setTimeout(done, 20, 200));
  for (let n = 0; n < 25; n++) await p.store.send(order({ codes: [[p.code, '10.00']] }));
  await Promise.all([1, 2, 3, 4].map(() => server.triggerCron()));
  await settled();
  const ids = hooks.got.map(({ headers }) => headers['webhook-id']);
  assert.deepEqual([ids.length, new Set(ids).size], [25, 25]);
});

test('endpoints that stall hold no other', async () => {
  const p = await fresh();
  for (const n of [1, 2, 3]) await listen(p, { url: `${hooks.origin}/stalls/${n}`, events: ['order.created'] });
  await listen(p, { events: ['order.created'] });
  hooks.answer = ({ path }) => (path.startsWith('/stalls') ? undefined : 200);
  await p.store.send(order({ codes: [[p.code, '10.00']] }));
  const began = Date.now();
  const run = server.triggerCron();
  await eventually('the one that answers', () => hooks.got.some(({ path }) => path === '/in'));
  assert.ok(Date.now() - began < 8000, `${Date.now() - began} ms`);
  await run;
  assert.ok(Date.now() - began < 40_000);
  // What followed the last endpoint's answer may have begun with those that stall, in place of this run.
  await eventually('what the others said', async () => {
    const [rows] = await server.sql(`SELECT state, error FROM webhook_deliveries ORDER BY state, error`);
    assert.deepEqual(rows.map(({ state }) => state), ['delivered', 'waiting', 'waiting', 'waiting']);
    return rows.slice(1).every(({ error }) => /no answer/.test(error));
  }, { timeout: 40_000 });
});

test('a brand without endpoints writes no rows, and its orders none more', async () => {
  const p = await fresh();
  const count = async (table) => (await server.sql(`SELECT count(*) AS n FROM ${table}`))[0][0].n;
  const events = () => count('webhook_events');
  const before = await events();
  const written = async () => {
    const sold = order({ codes: [[p.code, '10.00']] });
    await server.countD1();
    await p.store.send(sold);
    return server.countD1();
  };
  await written();
  const without = await written();
  assert.deepEqual([await events(), await count('order_news')], [before, 0]);
  await listen(p);
  const listened = await written();
  await server.triggerCron();
  assert.deepEqual([await events(), await count('order_news')], [before + 2, 0]);
  console.log(JSON.stringify({ without, listened }));
});
