// Connecting a shop for real: the product in workerd, the double of Shopify over HTTP. Three ways in, tokens
// that rotate, webhooks that are registered and come back, a shop that goes and returns; and no token anywhere.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startShopify } from '../doubles/shopify/index.mjs';
import { Client, eventually } from './support/client.mjs';
import { startServer } from './support/server.mjs';
import { files, hits } from './support/taint.mjs';

const random = () => randomBytes(9).toString('hex');
/** A minute in which stores are looked at whose time has come. */
const LOOKING = 1795334460000;

/** What stands nowhere but sealed. */
const secrets = {
  app: `shpss_${random()}`,
  next: `shpss_${random()}`,
  pasted: `shpat_${random()}${random()}`,
};
const NEEDED = ['read_orders', 'read_discounts', 'write_discounts'];

let shopify;
let server;
let state;
let brand;
before(async () => {
  const app = { clientId: 'app', clientSecret: secrets.app, currency: 'USD' };
  shopify = await startShopify({
    shops: [
      { ...app, domain: 'own.myshopify.com', scopes: NEEDED },
      { ...app, clientId: 'old', domain: 'old.myshopify.com', scopes: NEEDED, legacyToken: secrets.pasted },
      { ...app, clientId: 'agency', domain: 'agency.myshopify.com', scopes: NEEDED },
    ],
  });
  state = mkdtempSync(join(tmpdir(), 'tributary-connecting-'));
  server = await startServer({ stateDir: state, vars: { SHOPIFY_ORIGIN: shopify.origin } });
  const operator = new Client(server, server.operatorToken);
  const made = await operator.post('/v1/brands', {
    name: 'Casa',
    currency: 'USD',
    homepage_url: 'https://casa.example',
    owner_email: 'owner@casa.example',
  });
  brand = operator.as(made.api_key);
});
after(async () => {
  await server?.stop();
  await shopify?.stop();
  rmSync(state, { recursive: true, force: true });
});

const connect = (shop, more) =>
  brand.post('/v1/stores', {
    platform: 'shopify',
    shop_domain: `${shop}.myshopify.com`,
    storefront_url: `https://${shop}.example`,
    client_secret: secrets.app,
    ...more,
  });
const check = (store) => brand.post(`/v1/stores/${store.id}/connection`);
const look = (store) => brand.get(`/v1/stores/${store.id}`);
const count = (view, state) => view.webhooks.filter((hook) => hook.state === state).length;
const told = (view) => JSON.stringify(view, null, 1);
const place = (shop) => shopify.control(`${shop}/orders`, { lines: [{ product: 'linen-duvet', quantity: 1 }] });
const orders = async (store) => (await brand.get(`/v1/orders?store_id=${store.id}`)).data.length;

/** Whatever was ever a token there. */
function everyToken() {
  const found = { ...secrets };
  for (const name of ['own', 'old', 'agency']) {
    const shop = shopify.shop(name);
    [...shop.tokens.keys()].forEach((token, n) => (found[`${name} ${n}`] = token));
    [...shop.refreshTokens.keys()].forEach((token, n) => (found[`${name} refresh ${n}`] = token));
  }
  return found;
}

test('by client credentials, with webhooks that arrive', async () => {
  const store = await connect('own', { client_id: 'app' });
  assert.equal(store.status, 'created');
  const view = await check(store);
  assert.equal(view.status, 'connected', told(view));
  assert.deepEqual(view.missing_scopes, []);
  assert.equal(count(view, 'registered'), view.webhooks.length, told(view));
  await place('own');
  await eventually('the order is here', async () => (await orders(store)) === 1);
  await eventually('the delivery is noted', async () => (await look(store)).webhook_seen_at !== null);
  // A second look registers nothing.
  const subscriptions = shopify.shop('own').subscriptions.size;
  await check(store);
  assert.equal(shopify.shop('own').subscriptions.size, subscriptions);
});

test('by a token that was pasted', async () => {
  const store = await connect('old', { access_token: secrets.pasted });
  const view = await check(store);
  assert.equal(view.status, 'connected', told(view));
  assert.match(told(view.hints), /webhook_seen_at/);
  await place('old');
  await eventually('the order is here', async () => (await orders(store)) === 1);
});

test('by the approval of the shop, whose tokens rotate', async () => {
  const store = await connect('agency', { client_id: 'agency' });
  const begun = await brand.call('POST', `/v1/stores/${store.id}/authorization`);
  const cookie = begun.headers.get('set-cookie').split(';')[0];
  const there = new URL(begun.json.url);
  // A browser finds it by this name; here it is told by a header.
  assert.equal(there.hostname, 'agency.localhost');
  const headers = { 'x-shopify-shop-domain': 'agency.myshopify.com' };
  const approval = `${shopify.origin}${there.pathname}${there.search}&approve=1`;
  const approved = await fetch(approval, { redirect: 'manual', headers });
  assert.equal(approved.status, 302, await approved.text());
  const back = new URL(approved.headers.get('location'));
  const call = (headers) => fetch(server.origin + back.pathname + back.search, { redirect: 'manual', headers });
  assert.equal((await call({})).status, 400, 'another browser');
  const done = await call({ cookie });
  assert.equal(done.headers.get('location'), '/connect/shopify/done', await done.text());
  assert.equal((await call({ cookie })).status, 400, 'once');
  assert.match(await (await fetch(server.origin + '/connect/shopify/done')).text(), /approved/);
  const view = await eventually('connected', async () => {
    const view = await look(store);
    return view.status === 'connected' && view;
  });
  assert.equal(view.way, 'authorization');
  assert.equal(count(view, 'registered'), view.webhooks.length);
  // The token ends: of many who ask at once, one renews it.
  const grants = () => shopify.shop('agency').log.tokens;
  for (let round = 1; round <= 3; round++) {
    await server.sql(`UPDATE store_access SET token_until_ms = 1 WHERE store_id = '${store.id}'`);
    const before = grants();
    const views = await Promise.all([...Array(8)].map(() => check(store)));
    for (const one of views) assert.ok(['connected'].includes(one.status), told(one));
    assert.equal(grants() - before, 1, `round ${round}`);
  }
});

test('what is missing is told, and mended by itself', async () => {
  const [store] = (await brand.get('/v1/stores')).data;
  await shopify.control('own/scopes', { scopes: ['read_orders'] });
  // The shop told so itself.
  const lacking = await eventually('it was looked at', async () => {
    await server.triggerCron();
    const view = await look(store);
    return view.missing_scopes?.length === 2 && view;
  });
  assert.match(lacking.problem, /write_discounts/);
  await shopify.control('own/scopes', { scopes: [...NEEDED, 'read_products'] });
  const whole = await eventually('it was looked at', async () => {
    await server.triggerCron();
    const view = await look(store);
    return view.problem === null && view;
  });
  assert.ok(whole.webhooks.some((hook) => hook.topic === 'COLLECTIONS_UPDATE' && hook.state === 'registered'));
});

test('subscriptions that Shopify dropped are made again', async () => {
  const [store] = (await brand.get('/v1/stores')).data;
  const { subscriptions } = shopify.shop('own');
  const before = subscriptions.size;
  subscriptions.clear();
  await server.sql('UPDATE store_access SET look_at_ms = 1');
  await server.triggerCron({ time: LOOKING });
  assert.equal(subscriptions.size, before);
  assert.equal((await look(store)).status, 'connected');
});

test('a shop that removed the app comes back with its history', async () => {
  const [store] = (await brand.get('/v1/stores')).data;
  await shopify.control('own/uninstall', {});
  await shopify.control('settled', {});
  await eventually('it is known', async () => {
    await server.triggerCron();
    return (await look(store)).status === 'uninstalled';
  });
  const asked = () => JSON.stringify(shopify.shop('own').log.requests ?? shopify.shop('own').log);
  const quiet = asked();
  await server.triggerCron({ time: LOOKING });
  assert.equal(asked(), quiet, 'nothing is asked of it');
  await shopify.control('own/install', {});
  await shopify.control('own/secret', { secret: secrets.next, sign: 'new' });
  const again = await connect('own', { client_id: 'app', client_secret: secrets.next });
  assert.equal(again.id, store.id);
  const view = await check(again);
  assert.equal(view.status, 'connected', told(view));
  assert.equal(await orders(store), 1);
  await place('own');
  await eventually('the next order joins', async () => (await orders(store)) === 2);
});

test('no token stands in an answer, a log or a file', async () => {
  const tokens = everyToken();
  assert.ok(Object.keys(tokens).length > 8, Object.keys(tokens).join());
  const answers = [];
  for (const path of ['/v1/stores', '/v1/audit', '/v1/status', '/v1/quarantine'])
    answers.push((await brand.call('GET', path)).text);
  assert.deepEqual(hits(tokens, Buffer.from(answers.join('\n'))), []);
  await server.stop();
  const found = files(state).flatMap((file) => hits(tokens, readFileSync(file)).map((hit) => `${file}: ${hit}`));
  assert.deepEqual(found, []);
});
