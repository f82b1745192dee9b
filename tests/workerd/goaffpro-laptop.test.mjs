// GoAffPro's double as `npm start` runs it: a store is connected with any token, and its orders arrive by themselves.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startDouble } from '../../scripts/lib/shopify.mjs';
import { eventually, programme } from './support/client.mjs';
import { startServer } from './support/server.mjs';

let double, server;
before(async () => {
  double = await startDouble(0, 'goaffpro');
  server = await startServer({ vars: { GOAFFPRO_ORIGIN: double.origin } });
});
after(async () => {
  await server?.stop();
  await double?.stop();
});

test('an order that is placed at the double is a creator’s here', async () => {
  const p = await programme(server, { startsAt: '2026-01-01T00:00:00Z', percent: '10' });
  const store = await p.client.post('/v1/stores', {
    ...{ platform: 'goaffpro', storefront_url: 'https://gap.casa.example', access_token: 'whatever' },
  });
  const told = await p.client.post(`/v1/stores/${store.id}/connection`);
  assert.deepEqual([told.status, told.currency, told.problem], ['connected', 'USD', null]);
  const step = async (what, check) =>
    eventually(what, async () => {
      await server.triggerCron();
      return check();
    }, { timeout: 60_000, every: 500 });
  await step('affiliates are read', async () => (await p.client.get(`/v1/stores/${store.id}/affiliates`)).data.length === 2);
  await p.client.post(`/v1/stores/${store.id}/affiliates/1/assignment`, { deal_id: p.deal.id, starts_at: '2026-01-02T00:00:00Z' });
  const placed = await fetch(`${double.origin}/control/orders`, { method: 'POST', body: '{"affiliate_id":1,"subtotal":120}' });
  assert.equal(placed.status, 201);
  const { id } = await placed.json();
  const [order] = await step('the order is here', async () => {
    const { data } = await p.client.get(`/v1/orders?external_id=${id}`);
    return data.length > 0 && data;
  });
  assert.deepEqual([order.deal_id, order.base.amount, order.commission.amount], [p.deal.id, '120.00', '12.00']);
  assert.equal((await fetch(`${double.origin}/control/nothing`, { method: 'POST' })).status, 404);
  assert.equal((await fetch(`${double.origin}/control/orders`, { method: 'POST', body: 'x' })).status, 400);
});
