// Rates for a collection's products, against a shop that keeps to Shopify's schema: its products change between
// orders, a webhook is lost, a scope is missing, the collection goes.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startShopify } from '../doubles/shopify/index.mjs';
import { eventually, programme, sleep, verified } from './support/client.mjs';
import { startServer } from './support/server.mjs';

const SCOPES = ['read_orders', 'read_discounts', 'write_discounts', 'read_products'];
let shopify;
let server;
before(async () => {
  shopify = await startShopify();
  server = await startServer({ vars: { SHOPIFY_ORIGIN: shopify.origin } });
});
after(async () => {
  await server?.stop();
  await shopify?.stop();
});

/** A programme whose shop is the double's. What the shop delivers of itself doesn't reach a laptop: tests do. */
async function connected(scopes) {
  const p = await programme(server, { startsAt: '2026-01-01T00:00:00Z' });
  const name = `casa-${p.mark}`;
  await shopify.control('shops', {
    ...{ domain: `${name}.myshopify.com`, clientId: 'app', clientSecret: p.store.secret, currency: 'USD', scopes },
  });
  const shop = (path, body) => shopify.control(`${name}${path}`, body);
  await shop('/discounts', { code: p.code, percentage: 0.1 });
  const look = () => p.client.post(`/v1/stores/${p.store.id}/connection`);
  const rates = [{ commission_percent: '20', collection: { store_id: p.store.id, handle: 'linen' } }];
  return {
    ...{ ...p, shop, look, double: shopify.shop(name) },
    agree: () =>
      p.client.call('POST', `/v1/deals/${p.deal.id}/terms`, { commission_percent: '10', rates }),
    known: async () => (await p.client.get(`/v1/stores/${p.store.id}/collections`)).data,
    /** Buys a duvet at 100.00 and candles at 50.00, less ten percent, and has the order's webhook arrive. */
    buy: async () => {
      // The order's second is another one than what happened before.
      await sleep(1_100);
      const lines = [{ product: 'linen-duvet', quantity: 1, price: '100.00' }, { product: 'beeswax-candles', quantity: 1, price: '50.00' }];
      const { id } = await shop('/orders', { code: p.code, lines, silent: true });
      await p.store.deliver(await shop(`/orders/${id}/body`));
      return id;
    },
    earned: async (id) => {
      const [order] = (await p.client.get(`/v1/orders?external_id=${id}`)).data;
      const why = await p.client.get(`/v1/orders/${order.id}/commission`);
      assert.deepEqual(why.commission, order.commission);
      return { amount: why.commission.amount, by: why.lines.map((line) => line.collection?.title ?? null) };
    },
  };
}

const hurry = () => server.sql("UPDATE outbox SET due_at_ms = 0 WHERE state = 'waiting'");
/** Runs what waits until the collection is like this. */
const becomes = (p, what, fits, cron) =>
  eventually(what, async () => {
    const [one] = await p.known();
    if (fits(one)) return one;
    await hurry();
    await server.triggerCron(cron);
    return false;
  }, { timeout: 60_000, every: 500 });

test('each order earns by the products of its time', async () => {
  const p = await connected(SCOPES);
  assert.equal((await p.agree()).status, 409, 'nobody looked at the shop yet');
  const looked = await p.look();
  assert.equal(looked.problem, null, JSON.stringify(looked));
  const topics = looked.webhooks.map(({ topic }) => topic);
  for (const topic of ['COLLECTIONS_UPDATE', 'COLLECTIONS_DELETE', 'PRODUCTS_UPDATE']) assert.ok(topics.includes(topic));
  const terms = await p.agree();
  assert.equal(terms.status, 201, terms.text);
  const first = await p.buy();
  // 20 % of 90.00 and 10 % of 45.00.
  assert.deepEqual(await p.earned(first), { amount: '22.50', by: ['linen', null] });
  // Candles come, the duvet goes, and the shop tells it.
  const { id } = await p.shop('/collections/linen', { add: ['beeswax-candles'], remove: ['linen-duvet'] });
  const gid = `gid://shopify/Collection/${id}`;
  await p.store.deliver({ id, handle: 'linen', title: 'linen', admin_graphql_api_id: gid });
  await becomes(p, 'other products', (one) => one.products_since !== null);
  const second = await p.buy();
  assert.deepEqual(await p.earned(second), { amount: '18.00', by: [null, 'linen'] });
  // The first again, late: as it was.
  await p.store.deliver(await p.shop(`/orders/${first}/body`));
  await p.shop(`/orders/${first}/update`, { note: 'call first' });
  await p.store.deliver(await p.shop(`/orders/${first}/body`));
  assert.equal((await p.earned(first)).amount, '22.50');
  // By its rules something comes and goes, and nobody tells: the night finds it.
  await p.shop('/collections/linen', { add: ['linen-duvet'], byRules: true });
  await becomes(p, 'three products', (one) => one.products === 3, { cron: 'all' });
  const third = await p.buy();
  assert.deepEqual(await p.earned(third), { amount: '27.00', by: ['linen', 'linen'] });
  // It goes: what was agreed goes on.
  await p.shop('/collections/linen/delete', {});
  await p.store.deliver({ id, published_scope: 'web', admin_graphql_api_id: gid });
  const gone = await becomes(p, 'it is gone', (one) => one.state === 'gone');
  assert.match(gone.problem, /deleted in the shop/);
  assert.equal((await p.earned(await p.buy())).amount, '27.00');
  assert.equal((await p.agree()).status, 422);
  await verified(p);
});

test('a scope that is missing is told, before terms and after', async () => {
  const p = await connected(SCOPES.slice(0, 3));
  await p.look();
  const refused = await p.agree();
  assert.equal(refused.status, 409);
  assert.match(refused.text, /read_products/);
  await p.shop('/scopes', { scopes: SCOPES });
  await p.look();
  assert.equal((await p.agree()).status, 201);
  await p.shop('/scopes', { scopes: SCOPES.slice(0, 3) });
  assert.match((await p.look()).problem, /collections.*read_products/);
  await server.triggerCron({ cron: 'all' });
  await becomes(p, 'a problem is shown', (one) => one.problem !== null, { cron: 'all' });
  assert.equal((await p.earned(await p.buy())).amount, '22.50', 'what was known counts on');
});
