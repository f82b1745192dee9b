// Codes made in a shop that keeps to Shopify's schema, and goes wrong: each is there once and takes off what its
// rule says, whatever was lost on the way; what is done to it by hand is noticed.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startShopify } from '../doubles/shopify/index.mjs';
import { eventually, programme } from './support/client.mjs';
import { startServer } from './support/server.mjs';

let shopify;
let server;
let p;
let shop;
let name;

before(async () => {
  shopify = await startShopify();
  server = await startServer({ vars: { SHOPIFY_ORIGIN: shopify.origin } });
  p = await programme(server);
  name = `casa-${p.mark}`;
  await shopify.control('shops', {
    domain: `${name}.myshopify.com`,
    clientId: 'app',
    clientSecret: `hush ${p.mark}`,
    scopes: ['write_discounts', 'read_orders', 'read_products'],
  });
  shop = shopify.shop(name);
});
after(async () => {
  await server?.stop();
  await shopify?.stop();
});

const ten = { kind: 'percentage', percent: '10' };
const product = (handle) => [...shop.products.values()].find((one) => one.handle === handle).id;
const make = (body, deal = p.deal) => p.client.post(`/v1/deals/${deal.id}/codes`, body);
const see = (code) => p.client.get(`/v1/codes/${code.id}`);
/** Runs what waits, as cron does, until the code is in one of these states. */
const becomes = (code, ...states) =>
  eventually(`${code.code} ${states}`, async () => {
    const seen = await see(code);
    if (states.includes(seen.state) && !seen.pending) return seen;
    await server.triggerCron();
    return false;
  }, { timeout: 60_000, every: 500 });
const faults = (...list) => shopify.control(`${name}/faults`, { faults: list });
/** What an order with this code gets off, as the shop reckons it. */
const buy = async (code, lines, more = {}) => {
  const placed = await shopify.control(`${name}/orders`, { code, lines, ...more });
  const body = await shopify.control(`${name}/orders/${placed.id}/body`);
  return body.discount_codes.map((one) => [one.code, one.amount]);
};
/** Tasks that were hindered wait half a minute: as if it had passed. */
const hurry = () => server.sql("UPDATE outbox SET due_at_ms = 0 WHERE state = 'waiting'");
const known = (code) => shop.codes.get(code.toLowerCase());
const titled = (id) => [...shop.discounts.values()].filter(({ input }) => input.title.includes(id));

test('each kind of discount is made and takes off what it says', async () => {
  const duvet = { products: [product('linen-duvet')] };
  const pillow = { products: [product('linen-pillow')] };
  const two = [{ product: 'linen-duvet', quantity: 1, price: '100.00' }, { product: 'linen-pillow', quantity: 2, price: '30.00' }];
  for (const [code, discount, off] of [
    ['PERCENT', { ...ten, percent: '12.5' }, '20.00'],
    ['AMOUNT', { kind: 'amount', amount: { amount: '7.50', currency: 'USD' } }, '7.50'],
    ['PILLOWS', { ...ten, on: pillow }, '6.00'],
    ['LARGE', { ...ten, minimum: { subtotal: { amount: '150.00', currency: 'USD' } } }, '16.00'],
    ['BUYTWO', { kind: 'buy_x_get_y', buy: { quantity: 1, on: duvet }, get: { quantity: 1, on: pillow } }, '30.00'],
    ['SHIPPED', { kind: 'free_shipping' }, '7.00'],
  ]) {
    const made = await make({ code, discount });
    assert.deepEqual([made.state, made.pending], ['creating', true]);
    const active = await becomes(made, 'active');
    assert.deepEqual([active.reason, active.in_store], ['', true], code);
    assert.deepEqual(await buy(code.toLowerCase(), two, { shipping: '7.00' }), [[code.toLowerCase(), off]], code);
  }
  assert.equal(shop.discounts.size, 6);
});

test('300 codes of a group are one discount, added by two calls', async () => {
  const group = await p.client.post('/v1/affiliate-groups', {
    ...{ name: 'Autumn', mode: 'one_discount', discount: { ...ten, once_per_customer: true } },
    ends_with_deal: true,
  });
  const deals = [];
  for (let at = 0; at < 300; at += 20) {
    deals.push(...(await Promise.all(Array.from({ length: 20 }, (_, n) => p.addDeal({ name: `c${at + n}` })))));
  }
  // One of the spellings is somebody else's.
  const theirs = `C7${p.mark}10`.toUpperCase().replace(/[^A-Z0-9]/g, '');
  await shopify.control(`${name}/discounts`, { code: theirs, percentage: 0.5, title: 'Theirs' });
  const count = (operation) => shop.log.requests[operation]?.count ?? 0;
  const before = [count('MakeBasicDiscount'), count('AddRedeemCodes')];
  const path = `/v1/affiliate-groups/${group.id}/codes`;
  const { data } = await p.client.post(path, { deal_ids: deals.map(({ deal }) => deal.id) });
  assert.equal(data.length, 300);
  const made = await eventually('300 codes', async () => {
    const pages = [];
    let cursor = '';
    do {
      const page = await p.client.get(`/v1/codes?affiliate_group_id=${group.id}&limit=200${cursor}`);
      pages.push(...page.data);
      cursor = page.next_cursor && `&cursor=${page.next_cursor}`;
    } while (cursor);
    if (pages.every(({ state }) => state === 'active')) return pages;
    await server.triggerCron();
    return false;
  }, { timeout: 120_000, every: 1000 });
  assert.equal(made.length, 300);
  assert.ok(made.every(({ code }) => known(code)?.discount === titled(group.id)[0]));
  assert.equal(titled(group.id).length, 1);
  assert.equal(titled(group.id)[0].codes.length, 300);
  assert.equal(known(theirs).discount.input.title, 'Theirs');
  assert.ok(made.some(({ code }) => code === `${theirs}-2`));
  const additions = count('AddRedeemCodes') - before[1];
  assert.equal(count('MakeBasicDiscount') - before[0], 1);
  // 250 and 49; the one that was taken comes with the second, or after it.
  assert.ok([2, 3].includes(additions), `${additions} additions`);

  // The group's rule changes in the shop too.
  await p.client.patch(`/v1/affiliate-groups/${group.id}`, { usage_limit: 1000, name: 'Winter' });
  await eventually('the change', async () => {
    await server.triggerCron();
    return titled(group.id)[0].input.usageLimit === 1000;
  });
  // Its codes end with their deals, and begin again.
  const [first] = made;
  await p.client.patch(`/v1/deals/${first.deal_id}`, { state: 'closed' });
  assert.equal((await becomes(first, 'deactivated')).in_store, false);
  assert.equal(known(first.code), undefined);
  await p.client.patch(`/v1/deals/${first.deal_id}`, { state: 'open' });
  await becomes(first, 'active');
  assert.equal(known(first.code).discount, titled(group.id)[0]);
});

test('a code of somebody else is told, with the next free spelling', async () => {
  await shopify.control(`${name}/discounts`, { code: 'SUMMER', percentage: 0.2, title: 'Summer sale' });
  const code = await make({ code: 'summer', discount: ten });
  const failed = await becomes(code, 'failed');
  assert.match(failed.reason, /another discount of the shop/);
  assert.equal(failed.suggestion, 'summer-2');
  await p.client.post(`/v1/codes/${code.id}/retry`, { code: failed.suggestion });
  assert.equal((await becomes(code, 'active')).code, 'summer-2');
});

test('whatever is lost on the way, there is one discount', async () => {
  const kinds = ['lost-after', 'lost-before', 'truncated', 'after-500', 500, 502, 'internal', 'html', 'throttled', 429, 'unauthorized'];
  for (const [at, fault] of kinds.entries()) {
    await faults({ fault, operation: 'MakeBasicDiscount' });
    const code = await make({ code: `LOST${at}`, discount: ten });
    await hurry();
    await eventually(`after ${fault}`, async () => {
      const seen = await see(code);
      if (seen.state === 'active') return true;
      await hurry();
      await server.triggerCron();
      return false;
    }, { every: 300 });
    assert.equal(titled(code.id).length, 1, `${fault}`);
    assert.deepEqual(await buy(`LOST${at}`, [{ product: 'linen-duvet', quantity: 1, price: '100.00' }]), [[`LOST${at}`, '10.00']]);
  }
  const group = await p.client.post('/v1/affiliate-groups', { name: 'Lossy', mode: 'one_discount', discount: ten });
  await faults({ fault: 'lost-after', operation: 'MakeBasicDiscount' }, { fault: 'lost-after', operation: 'AddRedeemCodes' }, { fault: 'truncated', operation: 'RedeemCodesAdding', times: 5 });
  const more = await Promise.all(['x', 'y', 'z'].map((one) => p.addDeal({ name: one })));
  const codes = await Promise.all(more.map(({ deal }) => make({ affiliate_group_id: group.id }, deal)));
  for (const code of codes) {
    await eventually('made', async () => {
      if ((await see(code)).state === 'active') return true;
      await hurry();
      await server.triggerCron();
      return false;
    }, { timeout: 60_000, every: 300 });
  }
  assert.equal(titled(group.id).length, 1);
  assert.equal(titled(group.id)[0].codes.length, 3);
});

test('a scope that is missing is told', async () => {
  await shopify.control(`${name}/scopes`, { scopes: ['read_orders'] });
  const code = await make({ code: 'DENIED', discount: ten });
  const failed = await becomes(code, 'failed');
  assert.match(failed.reason, /write_discounts/);
  await shopify.control(`${name}/scopes`, { scopes: ['write_discounts', 'read_orders', 'read_products'] });
  await p.client.post(`/v1/codes/${code.id}/retry`, {});
  await becomes(code, 'active');
});

test('what is done by hand in the shop is noticed', async () => {
  const code = await make({ code: 'BYHAND', discount: ten });
  await becomes(code, 'active');
  const gid = `gid://shopify/DiscountCodeNode/${known('BYHAND').discount.id}`;
  const hint = async () => {
    await p.store.deliver({ admin_graphql_api_id: gid, updated_at: new Date().toISOString() });
    await hurry();
  };
  await shopify.control(`${name}/discounts/BYHAND`, { active: false });
  await hint();
  assert.match((await becomes(code, 'changed')).reason, /ended, or was deactivated/);
  await shopify.control(`${name}/discounts/BYHAND`, { active: true });
  await hint();
  await becomes(code, 'active');
  await shopify.control(`${name}/discounts/BYHAND/delete`, {});
  // Without a hint the daily look finds it.
  await server.sql(`INSERT INTO store_access (brand_id, store_id, way, state) SELECT brand_id, id, 'client', 'connected' FROM stores WHERE brand_id = '${p.brand.id}' ON CONFLICT (brand_id, store_id) DO UPDATE SET state = 'connected'`);
  await server.triggerCron({ cron: 'all' });
  await becomes(code, 'gone');
  await p.client.post(`/v1/codes/${code.id}/retry`, {});
  await becomes(code, 'active');
  assert.equal(titled(code.id).length, 1);
});

test('a link that applies a code leads through the shop to its page', async () => {
  const { deal } = await p.addDeal({ name: 'lina' });
  const code = await make({ code: 'LINA-15', discount: ten }, deal);
  await becomes(code, 'active');
  const link = await p.client.post(`/v1/deals/${deal.id}/links`, { target: '/products/linen-duvet?v=1', apply_code: code.id });
  const path = new URL(link.url).pathname;
  const answer = await fetch(server.origin + path + '?utm=a%20b&ref=eve', { redirect: 'manual' });
  const to = new URL(answer.headers.get('location'));
  assert.equal(to.origin, new URL(p.storefront).origin);
  assert.equal(to.pathname, '/discount/LINA-15');
  const page = new URL(to.searchParams.get('redirect'), to.origin);
  assert.equal(page.pathname, '/products/linen-duvet');
  const { click_id: id, ...rest } = Object.fromEntries(page.searchParams);
  assert.deepEqual(rest, { v: '1', utm: 'a b', ref: link.slug });
  assert.match(id, /^[A-Za-z0-9_.~-]{1,64}$/);
  await p.client.patch(`/v1/codes/${code.id}`, { state: 'deactivated' });
  const now = await fetch(server.origin + path, { redirect: 'manual' });
  assert.equal(new URL(now.headers.get('location')).pathname, '/products/linen-duvet');
  await becomes(code, 'deactivated');
});
