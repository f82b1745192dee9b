// Terms that look at other orders, when those come at the same moment.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { balance, eventually, programme, verified } from './support/client.mjs';
import { startServer } from './support/server.mjs';
import { order } from './support/shopify.mjs';

let server;
before(async () => (server = await startServer({ faults: true })));
after(() => server?.stop());

/** A programme with these terms from now on, and orders of 100.00 each for its code, all at once. */
async function atOnce(terms, count, of = () => ({})) {
  const p = await programme(server);
  await p.client.post(`/v1/deals/${p.deal.id}/terms`, { commission_percent: '10', ...terms });
  const orders = Array.from({ length: count }, (_, n) =>
    order({ placedAt: Date.now() + 1000, codes: [[p.code, '10.00']], email: `${n}@people.example`, ...of(n) }),
  );
  // Slow, so that all are decided before the first is committed.
  await server.breakD1('slow', { ms: 30 });
  const answers = await Promise.all(orders.map((each) => p.store.deliver(each)));
  await server.breakD1('open');
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  const all = async () => (await p.client.get('/v1/orders?limit=200')).data;
  // Whoever loses too often waits in the queue.
  await eventually('all orders are committed', async () => (await all()).length === count, { timeout: 120_000 });
  return { p, orders: await all() };
}

const earned = (orders) => orders.filter(({ commission }) => commission.amount !== '0.00');

test('a month is capped to the cent, however many orders come at once', async () => {
  const { p, orders } = await atOnce({ cap_per_month: { amount: '45.00', currency: 'USD' } }, 24);
  assert.equal((await balance(p, p.creator)).lifetime, '45.00');
  const amounts = earned(orders).map(({ commission }) => commission.amount);
  assert.deepEqual(amounts.sort(), ['10.00', '10.00', '10.00', '10.00', '5.00']);
  await verified(p);
});

test("one of a customer's orders is the first", async () => {
  const { p, orders } = await atOnce({ first_order_only: true }, 16, () => ({ email: 'same@people.example' }));
  assert.equal(earned(orders).length, 1);
  const why = await Promise.all(orders.map(({ id }) => p.client.get(`/v1/orders/${id}/commission`)));
  const places = why.map(({ customer_order: place }) => place).sort((a, b) => a - b);
  assert.deepEqual(places, Array.from({ length: 16 }, (_, n) => n + 1), 'each has its own place');
  await verified(p);
});

test('a level is reached once', async () => {
  const p = await programme(server);
  const levels = [
    { name: 'Silver', threshold: '5', commission_percent: '12' },
    { name: 'Gold', threshold: '10', commission_percent: '15' },
  ];
  await p.client.post('/v1/tiers', { metric: 'orders', period: 'all', levels });
  const orders = Array.from({ length: 20 }, (_, n) =>
    order({ codes: [[p.code, '10.00']], email: `${n}@people.example` }),
  );
  await server.breakD1('slow', { ms: 30 });
  await Promise.all(orders.map((each) => p.store.deliver(each)));
  await server.breakD1('open');
  await server.triggerCron({ cron: 'all' });
  const steps = (await p.client.get(`/v1/deals/${p.deal.id}/tiers`)).data.map(({ name }) => name);
  assert.equal(steps.filter((name) => name === 'Gold').length, 1, steps.join());
  assert.ok(steps.filter((name) => name === 'Silver').length <= 1, steps.join());
  const versions = (await p.client.get(`/v1/deals/${p.deal.id}/terms`)).data.length;
  assert.equal(versions, 1 + steps.length);
  const deal = await p.client.get(`/v1/deals/${p.deal.id}`);
  assert.equal(deal.terms.commission_percent, '15');
  await verified(p);
});
