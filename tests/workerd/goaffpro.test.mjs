// GoAffPro kept in step with, against a double that goes wrong: G1 to G13 of what is promised, and what a
// brand does with it. Whatever happens, each sale counts once, and the sums are the model's.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startGoaffpro } from '../doubles/goaffpro/index.mjs';
import { balance, eventually, orderOf, programme, verified, visit, whose } from './support/client.mjs';
import { startServer } from './support/server.mjs';
import { files, hits } from './support/taint.mjs';
import { order as shopifyOrder } from './support/shopify.mjs';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const WORDS = { buyer: `buyer@shoppers.z${Date.now()}`, ip: '203.0.113.77', agent: 'Secret/1.0' };

let double;
let server;
let options;
before(async () => {
  double = await startGoaffpro();
  const stateDir = mkdtempSync(join(tmpdir(), 'tributary-goaffpro-'));
  options = { stateDir, faults: true, vars: { GOAFFPRO_ORIGIN: double.origin } };
  server = await startServer(options);
  options.port = server.port;
});
after(async () => {
  await server?.stop();
  await double?.stop();
  rmSync(options.stateDir, { recursive: true, force: true });
});

let ids = 1000;
/** An order at GoAffPro, of affiliate 7, a few hours old. */
function sale(more = {}) {
  const id = ++ids;
  const order = {
    ...{ id, number: `#${id}`, affiliate_id: 7, subtotal: 100, commission: 12.5, status: 'approved' },
    ...{ coupons: null, customer_email: WORDS.buyer, is_paid: 0, at: Date.now() - 3 * HOUR },
    ...more,
  };
  double.state.orders.push(order);
  return order;
}
const affiliate = (more = {}) => {
  const one = {
    ...{ id: 7, name: 'Anna Example', email: 'anna@elsewhere.example', ref_code: 'gap-anna', ref_codes: [] },
    ...{ coupon: null, coupons: [], commission: { type: 'percentage', amount: 10, on: 'order' }, status: 'approved' },
    ...more,
  };
  double.state.affiliates.push(one);
  return one;
};

/** A brand with a store on GoAffPro that affiliate 7 belongs to since long ago, connected and read. */
async function connected(more = {}) {
  const { state } = double;
  double.heal();
  Object.assign(state, { orders: [], affiliates: [], traffic: [], transactions: [], rewards: [], missing: {} });
  Object.assign(state, { token: 'gap-token', config: { ...state.config, default_currency: 'USD', website: '' } });
  if (more.affiliates !== null) affiliate(more.affiliates);
  const startsAt = new Date(Date.now() - 60 * DAY).toISOString();
  const p = await programme(server, { startsAt, settings: { hold_days: 0 }, ...more });
  const gap = await p.client.post('/v1/stores', {
    platform: 'goaffpro',
    storefront_url: `https://gap-${p.mark}.casa.example`,
    access_token: more.token ?? 'gap-token',
    ...(more.orders_from && { orders_from: more.orders_from(p) }),
  });
  const path = `/v1/stores/${gap.id}`;
  const found = { ...p, gap, path, startsAt };
  if (more.connect !== false) {
    const told = await p.client.post(`${path}/connection`);
    assert.equal(told.status, 'connected', JSON.stringify(told));
    await quiet(found);
    if (more.assign !== false && more.affiliates !== null)
      await p.client.post(`${path}/affiliates/7/assignment`, { deal_id: p.deal.id, starts_at: startsAt });
    await quiet(found);
  }
  return found;
}

const waiting = async ({ gap }) => {
  const [tasks, orders] = await server.sql(
    `SELECT count(*) AS n FROM outbox WHERE store_id = '${gap.id}' AND state = 'waiting' AND due_at_ms <= ${Date.now() + 1500}`,
    `SELECT count(*) AS n FROM goaffpro_orders WHERE store_id = '${gap.id}' AND due_at_ms <= ${Date.now()}`,
  );
  return tasks[0].n + orders[0].n;
};
/** Until nothing is left to do at the store now. A task with much to tell rests for a second between its parts. */
async function quiet(p) {
  const until = Date.now() + 30_000;
  while (Date.now() < until) {
    if ((await waiting(p)) === 0) return;
    await server.triggerCron();
    const [{ due }] = (
      await server.sql(
        `SELECT count(*) AS due FROM goaffpro_orders WHERE store_id = '${p.gap.id}' AND due_at_ms <= ${Date.now()}`,
      )
    )[0];
    if (due > 0) await due_(p, 'orders');
  }
  throw new Error('never quiet');
}
const due_ = (p, subject, kind = 'goaffpro_sync') =>
  server.sql(
    `UPDATE outbox SET due_at_ms = 0 WHERE store_id = '${p.gap.id}' AND kind = '${kind}' AND subject = '${subject}' AND state = 'waiting'`,
  );
/** These tasks' turn, whatever time it is. */
async function turn(p, ...subjects) {
  for (const subject of subjects) {
    await due_(p, subject);
    await server.triggerCron();
  }
}
/** These tasks' turn, and what follows from it. */
async function sync(p, ...subjects) {
  await turn(p, ...(subjects.length ? subjects : ['orders', 'changes']));
  await quiet(p);
}
const settings = (p) => p.client.get(`${p.path}/goaffpro`);
const available = async (p, creator = p.creator) => (await balance(p, creator)).available;
const gapOrder = (p, order) => orderOf(p, order.id);
const compared = async (p, query = '') =>
  (await p.client.get(`${p.path}/comparison?limit=200${query}`)).data;
const task = async (p, subject = 'orders') =>
  (
    await server.sql(
      `SELECT tries, told, due_at_ms, state FROM outbox WHERE store_id = '${p.gap.id}' AND subject = '${subject}' ORDER BY id DESC LIMIT 1`,
    )
  )[0][0];
const cursor = async (p) =>
  (await server.sql(`SELECT orders_since FROM goaffpro_stores WHERE store_id = '${p.gap.id}'`))[0][0].orders_since;
const quarantined = async (p) =>
  (await p.client.get('/v1/quarantine?limit=200')).data.filter((one) => one.store_id === p.gap.id);

test('a connection tells the currency, a sale earns by our terms, and their figure stands beside ours', async () => {
  const p = await connected();
  const first = sale({ subtotal: 100.005, commission: 12.5 });
  await sync(p, 'orders');
  const order = await gapOrder(p, first);
  // 100.005 is rounded once, to 100.01; 10 % of it is 10.00.
  assert.deepEqual([order.base.amount, order.commission.amount, order.state], ['100.01', '10.00', 'paid']);
  const { story, reason, deal_id } = await whose(p, first.id);
  assert.deepEqual([reason, deal_id], ['won', p.deal.id]);
  assert.deepEqual(story, [`affiliate ${p.gap.id}/7 won`]);
  const { goaffpro } = await p.client.get(`/v1/orders/${order.id}/commission`);
  assert.deepEqual(goaffpro, {
    ...{ affiliate_id: '7', status: 'approved', subtotal: '100.005', commission: '12.50' },
    ...{ ours: '10.00', difference: '-2.50' },
  });
  const [row] = await compared(p, '&differs=true');
  assert.deepEqual([row.order_id, row.state, row.figure.difference], [order.id, 'ours', '-2.50']);
  assert.equal(await available(p), '10.00');
  const told = await settings(p);
  assert.deepEqual([told.currency, told.problem, told.ref_parameter], ['USD', null, 'ref']);
  await verified(p);
});

test('without a currency, or with a wrong token, a store is not connected and says why', async () => {
  const p = await connected({ connect: false, token: 'stale' });
  const wrong = await p.client.post(`${p.path}/connection`);
  assert.equal(wrong.status, 'broken');
  assert.match(wrong.problem, /access token/);
  await p.client.patch(`${p.path}/goaffpro`, { access_token: 'gap-token' });
  double.state.config.default_currency = '';
  const none = await p.client.post(`${p.path}/connection`);
  assert.deepEqual([none.status, none.currency], ['broken', null]);
  assert.match(none.problem, /currency/);
  double.state.config.default_currency = 'USD';
  assert.equal((await p.client.post(`${p.path}/connection`)).status, 'connected');
  assert.equal(double.state.webhooks.some((hook) => hook.url.includes(p.gap.id)), true);
});

test('a link leads with the ref code of the deal’s affiliate, in the parameter that the site uses', async () => {
  const p = await connected();
  const link = await p.client.post(`/v1/deals/${p.deal.id}/links`, { store_id: p.gap.id, slug: `gap-${p.mark}` });
  const follow = async () => new URL((await visit(server, `/go/${link.slug}?ref=eve&x=1`)).location);
  const to = await follow();
  assert.equal(to.searchParams.getAll('ref').join(), 'gap-anna');
  assert.match(to.searchParams.get('click_id'), /./);
  assert.equal(to.searchParams.get('x'), '1');
  await p.client.patch(`${p.path}/goaffpro`, { ref_parameter: 'aff' });
  const other = await p.client.post(`/v1/deals/${p.deal.id}/links`, { store_id: p.gap.id, slug: `aff-${p.mark}` });
  const search = new URL((await visit(server, `/go/${other.slug}?aff=eve`)).location).searchParams;
  assert.deepEqual([search.getAll('aff').join(), search.get('ref')], ['gap-anna', other.slug]);
  // A Shopify store's link is as it was.
  const plain = new URL((await visit(server, `/go/${p.link.slug}`)).location).searchParams;
  assert.equal(plain.get('ref'), p.link.slug);
});

test('G1: a token that isn’t taken stops everything and is told; nothing storms', async () => {
  for (const status of [401, 403]) {
    const p = await connected();
    sale();
    for (let n = 0; n < 50; n++) double.fail(status);
    await turn(p, 'orders', 'changes', 'affiliates', 'visits', 'ledger');
    const told = await settings(p);
    assert.equal(told.status, 'broken');
    assert.match(told.problem, /access token/);
    const asked = double.seen.requests.length;
    for (let n = 0; n < 10; n++) await server.triggerCron();
    assert.equal(double.seen.requests.length, asked, 'nobody asks again at once');
    assert.ok((await task(p)).due_at_ms > Date.now() + 50 * 60_000);
    assert.equal((await compared(p)).length, 0);
    double.heal();
    assert.equal((await p.client.post(`${p.path}/connection`)).status, 'connected');
    await quiet(p);
    assert.equal((await compared(p)).length, 1);
  }
});

test('G2: patience is kept, as long as asked or longer each time, never all at once', async () => {
  const p = await connected();
  sale();
  double.fail([429, '120']);
  await turn(p, 'orders');
  const asked = await task(p);
  const wait = asked.due_at_ms - Date.now();
  assert.ok(wait > 110_000 && wait < 130_000, `${wait}`);
  assert.match(asked.told, /patience/);
  const waits = [];
  for (let n = 0; n < 3; n++) {
    double.fail(429);
    await turn(p, 'orders');
    waits.push((await task(p)).due_at_ms - Date.now());
  }
  for (const [n, least] of [[0, 120_000], [1, 240_000], [2, 480_000]])
    assert.ok(waits[n] > least * 0.9 && waits[n] < least * 1.3, waits.join());
  assert.notEqual(waits[0] % 1000, 0, 'by chance');
  await sync(p, 'orders');
  assert.deepEqual([(await task(p)).tries, (await compared(p)).length], [0, 1]);
});

test('G3, G7, G13: what is no answer changes nothing, moves no cursor, and is asked again', async () => {
  const p = await connected();
  await sync(p, 'orders');
  const since = await cursor(p);
  const first = sale();
  const before_ = await server.sql('SELECT count(*) AS n FROM entries', 'SELECT count(*) AS n FROM quarantine');
  for (const fault of [500, 503, 'reset', 'truncated', 'broken', 'html', 'wrong', 'empty', 'huge']) {
    // workerd itself asks once more where a connection broke.
    double.failAt('orders', fault, fault, fault);
    await turn(p, 'orders');
    double.heal();
    assert.equal(await cursor(p), since, `${fault}`);
    assert.equal((await compared(p)).length, 0, `${fault}`);
    const { tries, told } = await task(p);
    assert.ok(tries >= 1 && /GoAffPro/.test(told), `${fault}: ${told}`);
    assert.doesNotMatch(told, /gap-token|maintenance/);
  }
  const after_ = await server.sql('SELECT count(*) AS n FROM entries', 'SELECT count(*) AS n FROM quarantine');
  assert.deepEqual(after_, before_);
  await sync(p, 'orders');
  assert.equal((await gapOrder(p, first)).commission.amount, '10.00');
  // Reading again what was read says nothing new.
  await sync(p);
  assert.equal(await available(p), '10.00');
});

test('G3: who doesn’t answer for long is left and asked again', async () => {
  const p = await connected();
  sale();
  double.failAt('orders', 'stall');
  await turn(p, 'orders');
  assert.match((await task(p)).told, /no whole answer/);
  await sync(p, 'orders');
  assert.equal(await available(p), '10.00');
});

test('G4: pages that repeat, overlap, shift, go down or never end: each sale once', async () => {
  const p = await connected();
  const all = Array.from({ length: 560 }, (_, n) => sale({ subtotal: 1 + (n % 7), at: Date.now() - HOUR - n * 60_000 }));
  const model = all.reduce((sum, { subtotal }) => sum + Math.round(subtotal * 10), 0);
  const since = await cursor(p);
  double.failAt('orders', 'down');
  await turn(p, 'orders');
  assert.equal(await cursor(p), since, 'nothing is passed over that a page going down left out');
  double.failAt('orders', 'repeat', 'shifted');
  await sync(p);
  await sync(p);
  const rows = [];
  for (let next = ''; next !== null; ) {
    const page = await p.client.get(`${p.path}/comparison?limit=200${next && `&cursor=${next}`}`);
    rows.push(...page.data);
    next = page.next_cursor;
  }
  assert.equal(rows.length, all.length);
  assert.ok(rows.every(({ state }) => state === 'ours'));
  assert.equal(await available(p), (model / 100).toFixed(2));
  // For ever new pages end at the cap.
  for (let n = 0; n < 200; n++) double.failAt('orders', 'endless');
  const asked = double.asked('/orders?');
  await turn(p, 'orders');
  assert.ok(double.asked('/orders?') - asked <= 13, 'a run has its cap');
  double.heal();
  // Nobody waits here until all of that is through.
  await server.sql(
    `UPDATE outbox SET due_at_ms = 9e12, revision = revision + 1 WHERE store_id = '${p.gap.id}'`,
    `UPDATE goaffpro_orders SET due_at_ms = NULL WHERE store_id = '${p.gap.id}'`,
  );
  await verified(p);
});

test('G5: a total that changes, a status that turns, a sale that vanishes and comes back: the difference, once', async () => {
  const p = await connected();
  const one = sale({ status: 'new' });
  await sync(p);
  assert.deepEqual([(await gapOrder(p, one)).state, await available(p)], ['unpaid', '0.00']);
  const steps = [
    [{ status: 'approved' }, '10.00'],
    [{ subtotal: 80 }, '8.00'],
    [{ status: 'rejected' }, '0.00'],
    [{ status: 'approved' }, '8.00'],
    [{ subtotal: 120.5 }, '12.05'],
  ];
  for (const [change, expected] of steps) {
    Object.assign(one, change);
    await sync(p, 'changes', 'orders');
    assert.equal(await available(p), expected, JSON.stringify(change));
    const [{ n }] = (await server.sql(`SELECT count(*) AS n FROM entries WHERE brand_id = '${p.brand.id}'`))[0];
    await sync(p, 'changes', 'orders');
    assert.equal((await server.sql(`SELECT count(*) AS n FROM entries WHERE brand_id = '${p.brand.id}'`))[0][0].n, n);
  }
  double.state.orders = [];
  await sync(p, 'changes', 'orders');
  assert.deepEqual([await available(p), (await gapOrder(p, one)).state], ['0.00', 'cancelled']);
  assert.equal((await compared(p))[0].figure.status, 'gone');
  double.state.orders = [one];
  await sync(p, 'changes', 'orders');
  assert.equal(await available(p), '12.05');
  // A page that only doesn't show it deletes nothing: it is asked for by its id.
  double.failAt('orders', 'shifted');
  await sync(p, 'changes', 'orders');
  assert.equal(await available(p), '12.05');
  await verified(p);
});

test('G6: an order that Shopify told too earns once, whoever told it first', async () => {
  const p = await connected({ orders_from: ({ store }) => store.id });
  const at = Date.now() - 5 * HOUR;
  // Shopify first.
  const known = shopifyOrder({ placedAt: at, name: '#90001' });
  assert.equal((await p.store.deliver(known)).status, 200);
  sale({ number: '90001', at: at + 60_000 });
  await sync(p, 'orders');
  const { deal_id, story, order } = await whose(p, known.id);
  assert.deepEqual([deal_id, story], [p.deal.id, [`affiliate ${p.gap.id}/7 won`]]);
  assert.equal(order.store_id, p.store.id);
  assert.equal(order.commission.amount, '10.00');
  assert.equal((await compared(p))[0].state, 'matched');
  // GoAffPro first: the fact waits.
  const late = shopifyOrder({ placedAt: at, name: '#90002' });
  sale({ number: '#90002', at });
  await sync(p, 'orders');
  assert.equal((await compared(p, '&state=waiting')).length, 1);
  assert.equal((await p.store.deliver(late)).status, 200);
  await server.sql(`UPDATE goaffpro_orders SET due_at_ms = 0 WHERE store_id = '${p.gap.id}' AND standing = 'waiting'`);
  await sync(p, 'orders');
  assert.equal((await whose(p, late.id)).deal_id, p.deal.id);
  // What a code decided stays; a rejection takes back only what nothing else gave.
  const other = await p.addDeal({ name: 'berta' });
  const coded = shopifyOrder({ placedAt: at, name: '#90003', codes: [[other.code, '5.00']], lines: [{ price: '100.00', discounts: ['5.00'] }] });
  assert.equal((await p.store.deliver(coded)).status, 200);
  const theirs = [sale({ number: '90003', at }), double.state.orders.find(({ number }) => number === '90001')];
  await sync(p, 'orders');
  assert.equal((await whose(p, coded.id)).deal_id, other.deal.id);
  for (const one of theirs) one.status = 'rejected';
  await sync(p, 'changes', 'orders');
  assert.equal((await whose(p, coded.id)).deal_id, other.deal.id);
  const rejected = await whose(p, known.id);
  assert.deepEqual([rejected.deal_id, rejected.reason], [null, 'rejected_elsewhere']);
  const { data } = await p.client.get('/v1/orders?limit=200');
  assert.ok(data.every(({ store_id }) => store_id === p.store.id), 'GoAffPro has no orders of its own');
  await verified(p);
});

test('G6: an order that another store seems to tell is held back, also when it comes later', async () => {
  const p = await connected();
  const at = Date.now() - 5 * HOUR;
  const known = shopifyOrder({ placedAt: at, name: '#91001' });
  await p.store.deliver(known);
  sale({ number: '91001', at: at + DAY });
  const [other, early] = [sale({ number: '91001', subtotal: 55, at }), sale({ number: '#91002', at })];
  await sync(p, 'orders');
  const states = async () => Object.fromEntries((await compared(p)).map((one) => [one.external_id, one.state]));
  assert.deepEqual(Object.values(await states()), ['held', 'held', 'ours'], 'also one with another amount');
  // Another shop may use the same number: the brand says so.
  const said = await p.client.patch(`${p.path}/comparison/${other.id}`, { another_order: true });
  assert.equal(said.another_order, true);
  await quiet(p);
  assert.deepEqual(Object.values(await states()), ['held', 'ours', 'ours']);
  assert.equal((await gapOrder(p, other)).commission.amount, '5.50');
  // Shopify tells the third only now.
  await p.store.deliver(shopifyOrder({ placedAt: at, name: '#91002', codes: [[p.code, '0.00']] }));
  assert.equal(await available(p), '25.50', 'for an hour at most');
  await server.sql(`UPDATE goaffpro_orders SET due_at_ms = 0 WHERE store_id = '${p.gap.id}' AND due_at_ms IS NOT NULL`);
  await sync(p, 'orders');
  assert.equal((await states())[early.id], 'held');
  assert.equal(await available(p), '15.50');
  // Told which store it is, GoAffPro's are evidence only.
  double.state.config.website = new URL(p.storefront).host;
  const told = await p.client.post(`${p.path}/connection`);
  assert.equal(told.proposed_orders_from, p.store.id);
  await p.client.patch(`${p.path}/comparison/${other.id}`, { another_order: false });
  await p.client.patch(`${p.path}/goaffpro`, { orders_from: p.store.id });
  await quiet(p);
  assert.deepEqual(Object.values(await states()), ['matched', 'matched', 'matched']);
  assert.equal(await available(p), '20.00');
  await verified(p);
});

test('G7, G8: a row that can’t be used is shown, and the others count', async () => {
  const p = await connected();
  const bad = [
    { subtotal: '1,234.56' },
    { subtotal: '1e2' },
    { subtotal: -5 },
    { subtotal: null },
    { subtotal: { a: 1 } },
    { status: 'odd' },
    { created: 'soon' },
    { currency: 'EUR' },
    { id: undefined },
    { subtotal: '99999999999999999999' },
  ];
  for (const raw of bad) sale({ raw });
  const good = [sale({ raw: { subtotal: 10.1 } }), sale({ raw: { subtotal: '10.100000', brand_new: [{}] } })];
  await sync(p, 'orders');
  await sync(p);
  assert.equal((await compared(p)).length, good.length);
  for (const one of good) assert.equal((await gapOrder(p, one)).base.amount, '10.10');
  assert.equal((await quarantined(p)).length, bad.length, 'each once, however often it is read');
  assert.match((await quarantined(p)).map(({ reason }) => reason).join(), /amount.*currency/s);
  await verified(p);
});

test('G9: nobody follows elsewhere, and the token goes nowhere else', async () => {
  const p = await connected();
  const seen = [];
  const thief = createServer((request, response) => {
    seen.push(request.headers);
    response.end('{"orders":[]}');
  });
  await new Promise((resolve) => thief.listen(0, '127.0.0.1', resolve));
  double.state.elsewhere = `http://127.0.0.1:${thief.address().port}/v1/admin/orders`;
  sale();
  double.failAt('orders', 'redirect');
  await turn(p, 'orders');
  assert.match((await task(p)).told, /elsewhere/);
  assert.deepEqual(seen, []);
  await sync(p, 'orders');
  assert.equal((await compared(p)).length, 1);
  await new Promise((resolve) => thief.close(resolve));
});

test('G10: nobody’s affiliate earns nothing until somebody says whose it is, from when on', async () => {
  const p = await connected({ assign: false });
  const [old, early, late] = [50, 20, 5].map((days) => sale({ at: Date.now() - days * DAY }));
  const stranger = sale({ affiliate_id: 999 });
  await sync(p);
  for (const one of [old, early, late, stranger])
    assert.deepEqual([(await whose(p, one.id)).reason, await available(p)], ['unknown_affiliate', '0.00']);
  const assign = (body, id = 7) => p.client.call('POST', `${p.path}/affiliates/${id}/assignment`, body);
  const starts_at = new Date(Date.now() - 30 * DAY).toISOString();
  assert.equal((await assign({ deal_id: p.deal.id, starts_at }, 12345)).status, 404);
  const other = await programme(server);
  assert.equal((await assign({ deal_id: other.deal.id, starts_at })).status, 404);
  const theirs = await other.client.call('POST', `${p.path}/affiliates/7/assignment`, { deal_id: other.deal.id });
  assert.equal(theirs.status, 404);
  assert.equal((await assign({ deal_id: p.deal.id, starts_at: '2099-01-01T00:00:00Z' })).status, 422);
  const done = await assign({ deal_id: p.deal.id, starts_at });
  assert.deepEqual([done.status, done.json.state, done.json.name], [200, 'assigned', null]);
  await quiet(p);
  assert.equal((await whose(p, old.id)).deal_id, null);
  for (const one of [early, late]) assert.equal((await whose(p, one.id)).deal_id, p.deal.id);
  assert.equal(await available(p), '20.00');
  // One deal at a time: the next begins where it begins, and what was decided stays.
  const next = await p.addDeal({ name: 'cora' });
  assert.equal((await assign({ deal_id: next.deal.id, starts_at: p.startsAt })).json.type, '/problems/assignment-overlaps');
  const begins = new Date(Date.now() - 10 * DAY).toISOString();
  assert.equal((await assign({ deal_id: next.deal.id, starts_at: begins })).status, 200);
  await quiet(p);
  const fresh = sale({ at: Date.now() - DAY });
  await sync(p, 'orders');
  assert.equal((await whose(p, late.id)).deal_id, p.deal.id);
  assert.equal((await whose(p, fresh.id)).deal_id, next.deal.id);
  assert.equal((await p.client.call('DELETE', `${p.path}/affiliates/7/assignment`)).json.state, 'unknown');
  affiliate({ id: 8, ref_code: 'eight' });
  await sync(p, 'affiliates');
  assert.equal((await assign({ deal_id: p.deal.id }, 8)).status, 200);
  assert.equal((await assign({ deal_id: p.deal.id }, 7)).json.type, '/problems/deal-has-affiliate');
  await verified(p);
});

test('G11: times without an offset are UTC; clocks may differ by a day', async () => {
  const p = await connected();
  const at = Date.now() - 2 * DAY;
  const text = new Date(at).toISOString().slice(0, 19);
  const naive = sale({ at, raw: { created: text.replace('T', ' ') } });
  const words = sale({ at, raw: { created: String(new Date(at)) } });
  const ahead = sale({ at: Date.now() - HOUR, raw: { created: new Date(Date.now() + 20 * HOUR).toISOString() } });
  await sync(p);
  for (const one of [naive, words]) assert.equal(Date.parse((await gapOrder(p, one)).placed_at), Date.parse(`${text}Z`));
  assert.ok(Date.parse((await gapOrder(p, ahead)).placed_at) > Date.now());
  assert.equal((await compared(p)).length, 3);
});

test('G12: two at once and a pulled plug: the sums are the model’s', async () => {
  const p = await connected();
  const all = Array.from({ length: 300 }, (_, n) => sale({ subtotal: 10 + (n % 13), at: Date.now() - HOUR - n * 1000 }));
  const model = all.reduce((sum, { subtotal }) => sum + subtotal * 10, 0);
  await due_(p, 'orders');
  const runs = [server.triggerCron(), server.triggerCron()].map((run) => run.catch(() => {}));
  await eventually('some are in', async () => (await p.client.get('/v1/orders?limit=50')).data.length > 20);
  await server.kill9();
  await Promise.all(runs);
  server = await startServer(options);
  // The lease of the dead runs out by itself.
  await server.sql('UPDATE store_leases SET until_ms = 0');
  await Promise.all([due_(p, 'orders'), due_(p, 'changes')]);
  await Promise.all([server.triggerCron(), server.triggerCron(), server.triggerCron()]);
  await quiet(p);
  assert.equal((await compared(p)).length, 200);
  assert.equal(await available(p), (model / 100).toFixed(2));
  const [{ n }] = (await server.sql(`SELECT count(*) AS n FROM orders WHERE brand_id = '${p.brand.id}'`))[0];
  assert.equal(n, all.length);
  await verified(p);
});

test('affiliates are proposed by coupon, ref code and address, and nothing personal stays once they are assigned', async () => {
  const p = await connected({ affiliates: null });
  const [cora, dora] = [await p.addDeal({ name: 'cora' }), await p.addDeal({ name: 'dora' })];
  affiliate({ id: 1, coupon: { code: p.code, discount_type: 'percentage', discount_value: '' } });
  affiliate({ id: 2, ref_code: cora.link.slug.toUpperCase() });
  affiliate({ id: 3, email: dora.email.toUpperCase(), name: 'Dora Secret' });
  affiliate({ id: 4, email: 'nobody@elsewhere.example' });
  await sync(p, 'affiliates');
  const list = async (state) => (await p.client.get(`${p.path}/affiliates?state=${state}`)).data;
  assert.deepEqual(
    (await list('proposed')).map((one) => [one.id, one.proposed_by, one.proposed_deal_id]),
    [['1', 'coupon', p.deal.id], ['2', 'ref_code', cora.deal.id], ['3', 'email', dora.deal.id]],
  );
  assert.deepEqual((await list('unknown')).map(({ id }) => id), ['4']);
  await p.client.post(`${p.path}/affiliates/3/assignment`, { deal_id: dora.deal.id });
  await sync(p, 'affiliates');
  const [hers] = await list('assigned');
  assert.deepEqual([hers.id, hers.name], ['3', null]);
  const [kept] = (await server.sql(`SELECT name, email_hash FROM affiliates WHERE store_id = '${p.gap.id}' AND id = '3'`))[0];
  assert.deepEqual(Object.values(kept), [null, null]);
  const told = await p.client.call('GET', `/v1/creators/${dora.creator.id}/export`);
  assert.match(told.text, /"affiliate"/);
  // What is gone there is shown as gone.
  double.state.affiliates = double.state.affiliates.filter(({ id }) => id !== 4);
  await sync(p, 'affiliates');
  assert.equal((await list('unknown'))[0].gone, true);
});

test('a deal has its affiliate made once, whatever becomes of the answer', async () => {
  const p = await connected({ affiliates: null });
  const path = `/v1/deals/${p.deal.id}/affiliate`;
  const ask = (body) => p.client.call('POST', path, { store_id: p.gap.id, ...body });
  assert.equal((await ask({ ref_code: 'a b' })).status, 422);
  const creates = double.seen.creates;
  const asked = await ask({ ref_code: `anna-${p.mark}`, coupon: p.code, commission: '12.5' });
  assert.deepEqual([asked.status, asked.json.state], [202, 'creating']);
  assert.equal((await ask({})).status, 409);
  const state = async () => (await p.client.get(path)).data[0];
  await eventually('made', async () => (await state()).state === 'active' || (await server.triggerCron(), false));
  assert.equal(double.seen.creates - creates, 1);
  const made = double.state.affiliates.find(({ email }) => email === p.email);
  assert.deepEqual([made.ref_code, made.coupon.code, made.commission.amount], [`anna-${p.mark}`, p.code, '12.5']);
  assert.equal((await state()).affiliate_id, String(made.id));
  // Orders that she brings are the deal's.
  const one = sale({ affiliate_id: made.id, at: Date.now() + 1000 });
  await sync(p, 'orders');
  assert.equal((await whose(p, one.id)).deal_id, p.deal.id);

  const other = await p.addDeal({ name: 'elsa' });
  const second = await p.client.call('POST', `/v1/deals/${other.deal.id}/affiliate`, { store_id: p.gap.id, ref_code: made.ref_code });
  assert.equal(second.status, 202);
  const failed = async () => (await p.client.get(`/v1/deals/${other.deal.id}/affiliate`)).data[0];
  await eventually('refused', async () => (await failed()).state === 'failed' || (await server.triggerCron(), false));
  assert.match((await failed()).problem, /ref code/);
  const third = { store_id: p.gap.id, ref_code: `elsa-${p.mark}` };
  assert.equal((await p.client.call('POST', `/v1/deals/${other.deal.id}/affiliate`, third)).status, 202);
  await eventually('made', async () => (await failed()).state === 'active' || (await server.triggerCron(), false));
});

test('an affiliate whose making was done and not answered is found, not made again', async () => {
  const p = await connected({ affiliates: null });
  const { affiliates } = double.state;
  // The answer of the call that makes it is lost: after two looks comes the call.
  double.failAt('affiliates', 'pass', 'pass', 'after');
  const creates = double.seen.creates;
  const asked = await p.client.call('POST', `/v1/deals/${p.deal.id}/affiliate`, { store_id: p.gap.id, ref_code: `lost-${p.mark}` });
  assert.equal(asked.status, 202);
  await eventually('tried', () => double.seen.creates > creates);
  const state = async () => (await p.client.get(`/v1/deals/${p.deal.id}/affiliate`)).data[0];
  await eventually('found', async () => {
    await due_(p, p.deal.id, 'goaffpro_affiliate');
    await server.triggerCron();
    return (await state()).state === 'active';
  });
  assert.equal(double.seen.creates - creates, 1);
  assert.equal(affiliates.length, 1);
});

test('visits, ledger and hints: counted apart, compared, and only a hint', async () => {
  const p = await connected();
  const visits = (from, count) =>
    Array.from({ length: count }, (_, n) => ({ id: from + n, affiliate_id: n % 3 ? 7 : 8, created_at: new Date(Date.now() - HOUR).toISOString() }));
  double.state.traffic = visits(1, 300);
  double.state.transactions = [
    { tx_id: 1, affiliate_id: 7, amount: '12.500000', currency: 'USD', entity_type: 'orders' },
    { tx_id: 2, affiliate_id: 7, amount: '5.000000', currency: 'USD', entity_type: 'rewards' },
    { tx_id: 3, affiliate_id: 7, amount: '9.000000', currency: 'EUR', entity_type: 'orders' },
  ];
  double.state.missing.rewards = 404;
  await sync(p, 'visits', 'ledger');
  await sync(p, 'visits');
  const { clicks, goaffpro_clicks } = await p.client.get(`/v1/deals/${p.deal.id}/performance`);
  assert.deepEqual([clicks, goaffpro_clicks], [{ total: 0, unique: 0, filtered: 0 }, 200]);
  const [hers] = (await p.client.get(`${p.path}/affiliates?state=assigned`)).data;
  assert.deepEqual(hers.goaffpro, { orders: '12.50', rewards: '5.00', payouts: '0.00', rewards_listed: '0.00', apart: 1 });
  assert.equal(await available(p), '0.00', 'nothing of it moves money');

  const hook = new URL(p.gap.webhook_url).pathname;
  const post = async (path, body = 'anything') => (await visit(server, path, { method: 'POST' })).status;
  sale();
  assert.equal(await post(hook), 204);
  await eventually('followed', async () => (await compared(p)).length === 1);
  const asked = double.asked('/orders?');
  for (let n = 0; n < 5; n++) assert.equal(await post(hook), 204);
  await server.triggerCron();
  assert.equal(double.asked('/orders?'), asked, 'a hint a minute');
  assert.equal(await post(hook.slice(0, -1)), 404);
  assert.equal(await post(hook.replace(/\.[^.]+$/, '')), 404);
  assert.equal(await post('/webhooks/goaffpro/x'), 404);
});

test('nothing of shoppers and visitors is kept, and no token', async () => {
  const p = await connected();
  sale();
  double.state.traffic = [{ id: 1, affiliate_id: 7, created_at: new Date().toISOString() }];
  await sync(p, 'orders', 'visits', 'affiliates');
  const [{ n }] = (await server.sql("SELECT count(*) AS n FROM goaffpro_orders WHERE email_hash IS NOT NULL AND due_at_ms IS NULL"))[0];
  assert.equal(n, 0);
  const markers = { ...WORDS, token: 'gap-token' };
  const found = files(options.stateDir).flatMap((file) =>
    hits(markers, readFileSync(file)).map((hit) => `${hit} in ${file}`),
  );
  assert.deepEqual(found, []);
});
