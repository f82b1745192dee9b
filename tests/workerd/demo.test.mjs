// The demo programme, small: it goes through the product's own ways in, so that what the product says
// of it afterwards can be compared with what was sent.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { demoFile, loadDemo } from '../../scripts/demo/programme.mjs';
import { makePlan } from '../../scripts/demo/plan.mjs';
import { root } from '../../scripts/lib/shell.mjs';
import { startDouble } from '../../scripts/lib/shopify.mjs';
import { audit } from './support/audit.mjs';
import { startServer } from './support/server.mjs';

/** A twentieth; DEMO_SCALE=1 tests what npm start loads. */
const SCALE = Number(process.env.DEMO_SCALE || 0.05);
const WINDOW = 30 * 24 * 3_600_000;

let server;
let shopify;
let demo;
const printed = [];

before(async () => {
  shopify = await startDouble(0, 'shopify');
  server = await startServer({ variant: 'canary', vars: { SHOPIFY_ORIGIN: shopify.origin } });
  demo = await loadDemo({
    origin: server.origin,
    shopify: shopify.origin,
    operatorToken: server.operatorToken,
    state: server.stateDir,
    fireCrons: () => server.triggerCron({ cron: 'all' }),
    scale: SCALE,
    print: (text) => printed.push(text),
  });
});
after(async () => {
  await server?.stop();
  await shopify?.stop();
});

const get = async (path, token = demo.programme.token) => {
  const answer = await fetch(server.origin + path, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(answer.status, 200, path);
  return answer.json();
};
const cents = ({ amount }) => Math.round(Number(amount) * 100);
const sum = (list, of) => list.reduce((total, item) => total + of(item), 0);

test('the same seed makes the same programme', () => {
  const end = Date.UTC(2026, 5, 1);
  const text = (plan) => JSON.stringify([plan.deals.map((d) => d.creator), plan.orders.map((o) => [o.placedAt, o.lines])]);
  assert.equal(text(makePlan({ scale: 0.1, end })), text(makePlan({ scale: 0.1, end })));
  assert.notEqual(text(makePlan({ scale: 0.1, end })), text(makePlan({ scale: 0.1, end, seed: 21 })));
  const whole = makePlan({ end });
  assert.deepEqual([whole.deals.length, whole.orders.length, whole.clicks.length], [270, 4000, 40_000]);
  assert.equal(new Set(whole.deals.map((d) => d.creator.handle)).size, 270, 'handles differ');
  assert.ok(whole.events.every((e, i) => e.at <= end && (i === 0 || e.at >= whole.events[i - 1].at)));
});

test('the books are rebuilt from an export', async () => {
  const headers = { authorization: `Bearer ${demo.programme.token}` };
  const answer = await fetch(`${server.origin}/v1/ledger/export`, { headers });
  const { status, stdout } = await audit([0], [['demo.ndjson', await answer.text()]]);
  assert.equal(status, 0, stdout);
  assert.match(stdout, new RegExp(`^${demo.plan.orders.length} orders`));
});

test('every deal, order and click that was sent is there', async () => {
  const { plan, found } = demo;
  const deals = [];
  for (let cursor = ''; cursor !== null;) {
    const page = await get(`/v1/deals?limit=200${cursor && `&cursor=${cursor}`}`);
    deals.push(...page.data);
    cursor = page.next_cursor;
  }
  assert.equal(deals.length, plan.deals.length);
  assert.ok(new Set(deals.map((deal) => deal.stage)).size >= 3, 'several stages');
  assert.ok(deals.some((deal) => deal.links.some((link) => link.state === 'closed')));
  assert.equal(found.orders.length, plan.orders.length);
  const seen = (of) => sum([...found.performance.values()], of);
  const sent = (of) => plan.clicks.filter((click) => click.counted && of(click)).length;
  assert.equal(
    seen((p) => p.clicks.total),
    sent((click) => click.shopper),
  );
  assert.equal(
    seen((p) => p.clicks.filtered),
    sent((click) => !click.shopper),
  );
  assert.ok(seen((p) => p.clicks.unique) > 0.9 * seen((p) => p.clicks.total));
  assert.deepEqual((await get('/v1/quarantine')).data, []);
});

test('every order belongs to the deal it should and earns what it should', () => {
  const { plan, found } = demo;
  const byNumber = new Map(found.orders.map((order) => [order.external_id, order]));
  const kinds = new Set();
  for (const order of plan.orders) {
    const seen = byNumber.get(String(order.id));
    const deal = winner(order, plan.deals);
    const what = `${order.kind} #${order.number}`;
    assert.equal(seen.deal_id, deal?.id ?? null, what);
    const base = baseOf(order, plan.end);
    const percent = deal?.raise && deal.raise.at <= order.placedAt ? deal.raise.percent : deal?.percent;
    const commission = deal && earns(order, plan.end) ? Math.floor((base * percent * 2 + 100) / 200) : 0;
    assert.equal(cents(seen.commission), commission, `commission of ${what}`);
    if (earns(order, plan.end)) assert.equal(cents(seen.base), base, `base of ${what}`);
    kinds.add(order.kind);
  }
  assert.ok(kinds.size >= 14, `only ${[...kinds]}`);
  const owned = found.orders.filter((order) => order.deal_id !== null);
  assert.ok(owned.length > 0.75 * found.orders.length && owned.length < found.orders.length);
  for (const state of ['unpaid', 'paid', 'partially_refunded', 'refunded', 'cancelled']) {
    assert.ok(
      found.orders.some((order) => order.state === state),
      `an order is ${state}`,
    );
  }
});

/** The rules of attribution, thought out once more for what the demo sends. */
function winner(order, deals) {
  if (order.test || order.kind === 'selfPurchase') return null;
  const admissible = (deal) =>
    deal && !(deal.closesAt && deal.closesAt <= order.placedAt) && deal.termsAt <= order.placedAt;
  const inWindow = (click) => order.placedAt - click.at <= WINDOW && !order.forged;
  const candidates = [
    ...order.codes.map((code) => deals.find((deal) => deal.code === code)),
    ...order.clicks.filter(inWindow).map((click) => click.link.deal),
    // A bare ref counts only where the page carried no click id.
    order.clicks.length === 0 ? order.ref?.deal : undefined,
  ];
  return candidates.find(admissible) ?? null;
}

const earns = (order, end) => order.paidAt <= end && !(order.cancelledAt <= end);

function baseOf(order) {
  const base = sum(order.lines, (line) => (line.earns ? line.price * line.quantity - line.discount : 0));
  const back = sum(order.refunds, (refund) => {
    return refund.amount + sum(refund.lines, ({ line, subtotal }) => (line.earns ? subtotal : 0));
  });
  return Math.max(0, base - back);
}

test('the books verify, and all of them is sealed', () => {
  const { verification } = demo.found;
  assert.ok(verification.balances_match && verification.chain_intact);
  assert.equal(verification.head.size, verification.entries);
  assert.deepEqual(verification.sums, { USD: '0.00' });
});

test('balances are the commissions, some on hold and some available', () => {
  const { orders, balances } = demo.found;
  const of = (account) =>
    sum([...balances.values()], (balance) => Math.round(Number(balance[account]) * 100));
  assert.ok(of('pending') > 0 && of('available') > 0);
  assert.equal(
    of('lifetime'),
    sum(orders, (order) => cents(order.commission)),
  );
  assert.equal(of('pending') + of('available') + of('clawback'), of('lifetime'));
});

test('the top performers stand out', () => {
  const revenue = (deal) => sum(demo.found.performance.get(deal).revenue, cents);
  const active = demo.plan.deals.filter((deal) => deal.active);
  const mean = (list) => sum(list, revenue) / list.length;
  const [top, others] = [true, false].map((isTop) => active.filter((deal) => deal.top === isTop));
  assert.ok(mean(top) > 4 * mean(others), `${mean(top)} against ${mean(others)}`);
});

test('the printed keys work, and only their owner can read the file', async () => {
  const text = printed.join('\n');
  const [, brand] = /BRAND=(\S+)/.exec(text);
  const [, creator] = /CREATOR=(\S+)/.exec(text);
  assert.equal((await get('/v1/brand', brand)).name, 'Linden & Loom');
  const mine = await get('/v1/me/earnings', creator);
  assert.ok(mine.deals[0].orders > 0 && Number(mine.balances[0].available) > 0);
  assert.match(text, /verified/);
  assert.doesNotMatch(text, /are found/);
  assert.equal(statSync(demoFile(server.stateDir)).mode & 0o777, 0o600);
});

test('npm run demo:order shows an order and what it changes', async () => {
  const { code, output } = await demoOrder({ STATE_DIR: server.stateDir });
  assert.equal(code, 0, output);
  assert.match(output, /Tributary decided: won, by link/);
  const orders = /^ {2}orders +(\d+) {2}→ {2}(\d+)$/m.exec(output);
  assert.equal(Number(orders[2]), Number(orders[1]) + 1);
  assert.match(output, /clicks of the deal +\d+ {2}→ /);
  assert.match(output, /balance, pending +[\d.]+ {2}→ /);
  const rate = demo.plan.star.raise?.percent ?? demo.plan.star.percent;
  assert.ok(output.includes(`commission ${((23700 * rate) / 10_000).toFixed(2)} USD`), output);
});

test('npm run demo:order says what is missing', async () => {
  const nothing = await demoOrder({ STATE_DIR: join(server.stateDir, 'empty') });
  assert.equal(nothing.code, 1);
  assert.match(nothing.output, /There is no demo programme here/);
  const nobody = await demoOrder({ STATE_DIR: server.stateDir, PORT: '1' });
  assert.equal(nobody.code, 1);
  assert.match(nobody.output, /Nobody answers at http:\/\/localhost:1/);
});

function demoOrder(env) {
  const { PORT: _, ...rest } = process.env;
  const child = spawn(process.execPath, [join(root, 'scripts/demo-order.mjs')], { env: { ...rest, ...env } });
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  child.stderr.on('data', (data) => (output += data));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output })));
}
