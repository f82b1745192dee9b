// Every order arrives: back-fill, lost webhooks, edits, visits that are told late, against a double of Shopify
// made of Shopify's own schema, which throttles, breaks off and loses its memory now and then.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startShopify } from '../doubles/shopify/index.mjs';
import { Client, click, eventually, orderOf, programme, sleep, verified, whose } from './support/client.mjs';
import { startServer } from './support/server.mjs';

const DAY = 86_400_000;
const SCOPES = ['read_orders', 'read_products'];
let shopify;
let server;
before(async () => {
  shopify = await startShopify();
  // What the shop delivers gets lost: the tests deliver what they want to arrive.
  await shopify.control('/deliveries', { lost: 1, retryMs: [] });
  server = await startServer({ faults: true, vars: { SHOPIFY_ORIGIN: shopify.origin } });
});
after(async () => {
  await server?.stop();
  await shopify?.stop();
});

/** Runs the jobs of a minute: `hour` for the hourly ones, `night` for all. */
const cron = (which) => {
  if (which === 'all') return server.triggerCron({ cron: 'all' });
  const hour = Math.floor(Date.now() / 3_600_000) * 3_600_000;
  const night = Math.floor(Date.now() / DAY) * DAY + 3 * 3_600_000;
  const time = { tasks: hour + 30 * 60_000 + 60_000, five: hour + 34 * 60_000, hour: hour + 4 * 60_000, night: night + 4 * 60_000 };
  return server.triggerCron({ time: time[which] });
};

/** What waits after a failure is tried at once, as if the time had passed. */
const hurry = () => server.sql(`UPDATE outbox SET due_at_ms = 0 WHERE state = 'waiting'`);

/** A programme whose shop is the double's, connected. */
async function connected({ scopes = SCOPES, bucket = { maximum: 20_000, rate: 5_000 }, ...options } = {}) {
  const p = await programme(server, { startsAt: new Date(Date.now() - 90 * DAY).toISOString(), ...options });
  const domain = `casa-${p.mark}.myshopify.com`;
  const name = domain.split('.')[0];
  await shopify.control('/shops', {
    ...{ domain, clientId: 'app', clientSecret: p.store.secret, currency: 'USD', timezone: 'America/New_York', scopes, bucket },
  });
  const shop = (path, body, method) => shopify.control(`/${name}${path}`, body, method);
  await shop('/discounts', { code: p.code, percentage: 0.1, startsAt: new Date(Date.now() - 90 * DAY).toISOString() });
  const { id: storeId } = p.store;
  await p.client.post(`/v1/stores/${storeId}/connection`);
  // A store that is reached for the first time is filled by itself: here with nothing.
  await eventually('the first back-fill', async () => {
    await cron('tasks');
    const [[{ n }]] = await server.sql(`SELECT count(*) AS n FROM outbox WHERE state = 'waiting' AND store_id = '${storeId}'`);
    return n === 0 && (await p.client.get(`/v1/stores/${storeId}/backfill`)).state === 'done';
  });
  const backfill = `/v1/stores/${storeId}/backfill`;
  return {
    ...{ ...p, shop, name, storeId },
    begin: (body = {}) => p.client.post(backfill, body),
    progress: () => p.client.get(backfill),
    filled: () =>
      eventually(
        'the back-fill',
        async () => {
          await hurry();
          await cron('tasks');
          const at = await p.client.get(backfill);
          assert.notEqual(at.state, 'failed', JSON.stringify(at));
          return at.state === 'done' && at;
        },
        { timeout: 180_000, every: 300 },
      ),
    days: async (from, to) =>
      (await p.client.get(`/v1/stores/${storeId}/completeness?from=${from}&to=${to}`)).data,
    body: (id) => shop(`/orders/${id}/body`),
  };
}

const iso = (ms) => new Date(ms).toISOString();
const day = (ms) => iso(ms).slice(0, 10);

/** What our list of orders says, by the platform's id. */
async function listed(p) {
  const found = new Map();
  let cursor = '';
  do {
    const page = await p.client.get(`/v1/orders?limit=200${cursor && `&cursor=${cursor}`}`);
    for (const one of page.data) found.set(one.external_id, one);
    cursor = page.next_cursor;
  } while (cursor);
  return found;
}

/** The books as the webhooks of the shop's orders make them, in another brand. */
async function judged(p, orders) {
  const q = await programme(server, { startsAt: iso(Date.now() - 90 * DAY) });
  const code = q.code;
  for (const { id } of orders) {
    const text = JSON.stringify(await p.body(id)).replaceAll(p.code, code);
    await q.store.send(text.replaceAll(`ref=${p.link.slug}`, `ref=${q.link.slug}`));
  }
  return listed(q);
}

const amounts = (orders) =>
  [...orders.values()]
    .map(({ external_id: id, state, base, commission, deal_id: deal }) => `${id} ${state} ${base.amount} ${commission.amount} ${deal !== null}`)
    .sort();

async function audited(p) {
  await cron('all');
  await verified(p);
}

test('300 orders are fetched page by page, throttled and broken off: the books are those that webhooks make', async () => {
  const p = await connected({ bucket: { maximum: 2000, rate: 1500 } });
  const made = await p.shop('/orders/many', {
    ...{ count: 300, seed: 7, codes: [p.code], landing_sites: [`/?ref=${p.link.slug}`, '/'], refunded: 0.1, cancelled: 0.03 },
    ...{ from: iso(Date.now() - 50 * DAY), to: iso(Date.now() - 3_600_000), ids: true, unpaid: 0.1, test: 0.02 },
  });
  await p.shop('/faults', {
    faults: [
      { fault: 'throttled', operation: 'OrdersPage' }, { fault: 'truncated', operation: 'OrdersPage' },
      { fault: 503, operation: 'OrderRefunds', retryAfter: 1 }, { fault: 'unauthorized', operation: 'OrdersPage' },
      { fault: 'lost-after', operation: 'OrdersCount' }, { fault: 429, operation: 'OrdersCount', retryAfter: 1 },
    ],
  });
  const begun = performance.now();
  assert.equal((await p.begin()).state, 'waiting');
  const again = await p.client.call('POST', `/v1/stores/${p.storeId}/backfill`, {});
  assert.equal(again.status, 409, again.text);
  const done = await p.filled();
  const seconds = (performance.now() - begun) / 1000;
  console.log(`300 orders in ${seconds.toFixed(1)} s`);
  assert.deepEqual(
    [done.orders_total, done.orders_done, done.ingested, done.unchanged, done.quarantined],
    [300, 300, 300, 0, 0],
    JSON.stringify(done),
  );
  assert.match(done.problem, /60 days/);
  const expected = await judged(p, made.ids.map((id) => ({ id })));
  assert.deepEqual(amounts(await listed(p)), amounts(expected));
  await audited(p);
  // Once more: all of it is known, and its webhooks say nothing new.
  const before = await server.sql(`SELECT sum(revision) AS n FROM orders WHERE brand_id = '${p.brand.id}'`);
  for (const id of made.ids.slice(0, 60)) await p.store.send(await p.body(id));
  await p.begin();
  const second = await p.filled();
  assert.deepEqual([second.orders_done, second.ingested, second.unchanged], [300, 0, 300]);
  assert.deepEqual(await server.sql(`SELECT sum(revision) AS n FROM orders WHERE brand_id = '${p.brand.id}'`), before);
});

test('6,000 orders come by a bulk operation, with the plug pulled in the middle', async () => {
  let p = await connected();
  await p.shop('/orders/many', {
    ...{ count: 6000, seed: 9, codes: [p.code], landing_sites: [`/?ref=${p.link.slug}`], refunded: 0.03 },
    ...{ from: iso(Date.now() - 50 * DAY), to: iso(Date.now() - 3_600_000) },
  });
  await p.shop('', { settings: { bulkMs: 200 } });
  await p.shop('/faults', { faults: [{ fault: 'lost-after', operation: 'BulkRun' }, { fault: 'truncated', operation: 'bulk-file' }, { fault: 500, operation: 'bulk-file' }] });
  const begun = performance.now();
  await p.begin();
  await eventually('a third of it', async () => {
    await hurry();
    void cron('tasks').catch(() => {});
    return (await p.progress()).orders_done > 2000;
  }, { timeout: 180_000, every: 1000 });
  const { stateDir, port } = server;
  await server.kill9();
  server = await startServer({ faults: true, vars: { SHOPIFY_ORIGIN: shopify.origin }, stateDir, port });
  p.client.server = server;
  // Who died keeps the store for a minute and a half.
  await server.sql(`UPDATE store_leases SET until_ms = 0`);
  const done = await p.filled();
  console.log(`6,000 orders in ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  assert.equal(done.orders_total, 6000);
  assert.equal(done.orders_done, 6000);
  assert.equal(done.ingested + done.unchanged, 6000);
  const [[{ n }]] = await server.sql(`SELECT count(*) AS n FROM orders WHERE brand_id = '${p.brand.id}'`);
  assert.equal(n, 6000);
  const log = await p.shop('/log');
  assert.equal(log.requests.BulkRun?.count ?? log.requests.BulkRun, 1, JSON.stringify(log.requests));
  await verified(p);
  await eventually('the days to be compared', async () => {
    await cron('tasks');
    const days = await p.days(day(Date.now() - 48 * DAY), day(Date.now() - 2 * DAY));
    return days.length === 47 && days.every(({ percent, missed }) => percent === '100' && missed === 0);
  }, { timeout: 60_000 });
});

test('lost webhooks are found, told and shown; every call of D1 lost once on the way', async (t) => {
  t.after(() => server.breakD1('open'));
  const p = await connected();
  // Placed a while ago, by the shop's clock: what is under way now isn't missed yet.
  const at = Date.now() - 20 * 60_000;
  await server.sql(`UPDATE store_access SET connected_at_ms = ${at - 3_600_000} WHERE store_id = '${p.storeId}'`);
  const placed = [];
  for (let n = 0; n < 12; n++)
    placed.push(await p.shop('/orders', { lines: [{ product: 'linen-duvet', quantity: 1 }], code: p.code, email: `s${n}@example.com`, created_at: iso(at + n * 1000), silent: true }));
  for (const [n, { id }] of placed.entries()) if (n % 3 !== 0) await p.store.send(await p.body(id));
  const refunded = placed[1].id;
  await p.shop(`/orders/${refunded}/refund`, { lines: [{ line: 0, quantity: 1 }], at: iso(at + 60_000) });
  // The shops of the tests before are looked at every hour too: their calls needn't be lost here.
  await server.sql(`DELETE FROM store_access WHERE store_id <> '${p.storeId}'`);
  // Each call of a run lost once before and once after it was done, with an order that no webhook told.
  const untold = [];
  let reached = true;
  for (let call = 1; reached; call++) {
    assert.ok(call < 300);
    for (const mode of ['before', 'after']) {
      const n = untold.length;
      untold.push(await p.shop('/orders', { code: p.code, email: `u${n}@example.com`, created_at: iso(at - 60_000 - n * 1000), silent: true }));
      await server.breakD1(mode, { call });
      await cron('hour').catch(() => {});
      reached = (await server.breakD1('open')) >= call;
      await server.sql(`UPDATE outbox SET due_at_ms = 0 WHERE state = 'waiting'`, `UPDATE store_leases SET until_ms = 0`);
    }
  }
  console.log(`${untold.length / 2} calls of D1 lost twice each`);
  placed.push(...untold);
  await eventually('the orders', async () => {
    await hurry();
    await cron('hour');
    return (await listed(p)).size === placed.length && (await orderOf(p, refunded)).state === 'refunded';
  });
  const today = (await p.days(day(at - DAY), day(Date.now() + DAY))).filter(({ platform }) => platform > 0);
  assert.equal(today.reduce((sum, { missed }) => sum + missed, 0), 4 + untold.length, JSON.stringify(today));
  // A day that isn't over isn't said to be complete.
  const zone = new Intl.DateTimeFormat('en-CA', { timeZone: 'America/New_York' });
  for (const one of today) if (one.day === zone.format(Date.now())) assert.equal(one.percent, null);
  const expected = await judged(p, placed);
  assert.deepEqual(amounts(await listed(p)), amounts(expected));
  await verified(p);
});

test('what was missed days ago is found by its id, and the creator sees how complete her days are', async () => {
  const p = await connected();
  const at = Date.now() - 3 * DAY;
  const placed = [];
  for (let n = 0; n < 5; n++)
    placed.push(await p.shop('/orders', { code: p.code, email: `s${n}@example.com`, created_at: iso(at + n * 1000), silent: true }));
  await server.sql(`UPDATE store_access SET connected_at_ms = ${at - DAY} WHERE store_id = '${p.storeId}'`);
  for (const { id } of placed.slice(1)) await p.store.send(await p.body(id));
  await cron('night');
  const found = () => p.days(day(at - DAY), day(at + DAY));
  await eventually('the day', async () => {
    await cron('tasks');
    return (await found()).some(({ platform, percent, missed }) => platform === 5 && percent === '100' && missed === 1);
  });
  assert.equal((await listed(p)).size, 5);
  const { url } = await p.client.post(`/v1/deals/${p.deal.id}/invitation`);
  const { access_token: token } = await new Client(server).post('/v1/invitations/acceptance', { token: url.split('#')[1] });
  const mine = await p.client.as(token).get(`/v1/me/completeness?from=${day(at - DAY)}&to=${day(at + DAY)}`);
  assert.ok(mine.data.length > 0 && mine.data.every(({ percent }) => percent === '100'), JSON.stringify(mine));
  assert.ok(!JSON.stringify(mine).includes('missed'));
});

test('an edited order is fetched at once, and so is one of which only a refund is known', async () => {
  const p = await connected();
  const one = await p.shop('/orders', { lines: [{ product: 'linen-duvet', quantity: 2 }], code: p.code, email: 'a@example.com', created_at: iso(Date.now() - 60_000), silent: true });
  await p.store.send(await p.body(one.id));
  const before = (await orderOf(p, one.id)).base.amount;
  await p.shop(`/orders/${one.id}/edit`, { remove: [{ line: 0, quantity: 1 }] });
  const edited = (id, removals) => `{"order_edit":{"id":${id},"order_id":${one.id},"line_items":{"additions":[],"removals":[${removals}]}}}`;
  await p.store.send(edited(77, `{"id":${one.lines[0].id},"delta":1}`), edited(78, ''));
  const [tasks] = await server.sql(`SELECT id FROM outbox WHERE kind = 'refetch_order' AND store_id = '${p.storeId}' AND state = 'waiting'`);
  assert.equal(tasks.length, 1, 'one for both edits');
  await eventually('the new amounts', async () => {
    await sleep(500);
    await cron('tasks');
    return Number((await orderOf(p, one.id)).base.amount) < Number(before);
  });
  const other = await p.shop('/orders', { code: p.code, email: 'b@example.com', silent: true });
  await p.shop(`/orders/${other.id}/refund`, { lines: [{ line: 0, quantity: 1 }] });
  const [refund] = (await p.body(other.id)).refunds;
  await p.store.send(JSON.stringify({ ...refund, order_id: JSON.rawJSON(other.id) }));
  await eventually('the order of the refund', async () => {
    await cron('tasks');
    return (await orderOf(p, other.id)).deal_id === p.deal.id;
  });
  await verified(p);
});

test('a visit that the shop tells of later attributes an order that is nobody’s', async () => {
  const p = await connected();
  const q = await p.addDeal({ name: 'berta' });
  // A click up to five minutes younger than its order still counts.
  const at = Date.now() - 3 * 60_000;
  const place = (more = {}) => p.shop('/orders', { email: 'c@example.com', created_at: iso(at), silent: true, ...more });
  const id = await click(server, p.link);
  const clicked = { landingPage: `https://casa.example/?click_id=${id}&ref=${p.link.slug}` };
  const [seen, coded, pos, never] = [await place(), await place({ code: p.code }), await place({ source_name: 'pos' }), await place()];
  for (const one of [seen, coded, pos, never]) {
    await p.shop(`/orders/${one.id}/journey`, { ready: false });
    await p.store.send(await p.body(one.id));
  }
  assert.equal((await whose(p, seen.id)).deal_id, null);
  await cron('five');
  assert.equal((await whose(p, seen.id)).deal_id, null, 'not ready yet');
  await p.shop(`/orders/${seen.id}/journey`, { ready: true, lastVisit: clicked, firstVisit: { landingPage: `https://casa.example/?ref=${q.link.slug}` } });
  for (const one of [coded, pos]) await p.shop(`/orders/${one.id}/journey`, { ready: true, lastVisit: { landingPage: `https://casa.example/?ref=${q.link.slug}` } });
  await eventually('the visit', async () => {
    await cron('five');
    return (await whose(p, seen.id)).deal_id === p.deal.id;
  });
  const found = await whose(p, seen.id);
  assert.equal(found.method, 'journey');
  assert.ok(found.story.some((one) => one.startsWith('journey') && one.endsWith('won')), found.story.join());
  assert.equal((await whose(p, coded.id)).method, 'code');
  assert.equal((await whose(p, pos.id)).deal_id, null, 'nobody asks about the till');
  // A later webhook doesn't undo it.
  await p.shop(`/orders/${seen.id}/update`, { note: 'x' });
  await p.store.send(await p.body(seen.id));
  assert.equal((await whose(p, seen.id)).deal_id, p.deal.id);
  const commission = await p.client.get(`/v1/orders/${found.order.id}/commission`);
  assert.ok(commission.customer_order_index >= 1, JSON.stringify(commission));
  await verified(p);
});
