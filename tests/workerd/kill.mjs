// Pulls the plug on workerd while stores deliver, again and again, and looks for what was lost.
//
//   node tests/workerd/kill.mjs [--rounds 20] [--seed n] [--variant release] [--canary]
//
// D1 answers a few milliseconds late, as it does over a network: on one thread with the product it would
// be done before an answer is on its way, whatever order the product does things in.
//
// Sixteen writers deliver signed orders and refunds over kept-alive connections; the job that seals and
// ends holds is under way too, and somebody who pays fees, makes payouts, approves and settles them. After 0.4 to 1.9 seconds workerd gets SIGKILL.
// What was answered 2xx is acknowledged, everything else unknown. Restarted on the same state, it must
// have every acknowledged delivery; when the unknown ones are delivered once more, every order, balance
// and total must be what a model makes of all deliveries, money calls that broke off must be done once,
// those that were answered must be answered alike, what payouts say must be in the books, and the ledger
// must verify.
//
// The seed decides amounts, kinds and the moments of the kills; how far the writers are by then is up
// to the machine. --canary runs the build that acknowledges first and passes if that is caught.
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { pathToFileURL } from 'node:url';
import { freePort } from '../../scripts/lib/workerd.mjs';
import { IPHONE, programme, sleep } from './support/client.mjs';
import { books, decimal } from './support/model.mjs';
import { startServer } from './support/server.mjs';
import { order, refund, sign } from './support/shopify.mjs';
import { Treasurer } from './support/treasurer.mjs';

const WRITERS = 16;
const DAY = 86_400_000;
const D1_LATENCY = 8;
/** A queued delivery is tried again after half a minute. */
const QUEUE_PATIENCE = 45_000;

/** The n-th random number of a seed, 0 to 1. */
function random(seed, n) {
  let x = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) + Math.imul(n, 0x27d4eb2f)) | 0;
  for (const shift of [15, 13, 16]) {
    x = Math.imul(x ^ (x >>> shift), 0x2c1b3c6d);
  }
  return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
}

/**
 * Runs `rounds` rounds and answers how many deliveries were acknowledged and what went wrong. With
 * `until`, ends after the first round in which something did.
 */
export async function killRounds({
  rounds,
  seed,
  variant = 'release',
  vars = {},
  until = false,
  log = () => {},
}) {
  const state = mkdtempSync(join(tmpdir(), 'tributary-kill-'));
  const run = {
    ...{ seed, port: await freePort(), start: Date.now() },
    ...{ next: 0, orders: new Map(), acked: [], sent: 0, acknowledged: 0, lost: 0, faults: [], rounds: 0 },
  };
  const start = () => startServer({ variant, vars, stateDir: state, port: run.port, faults: true });
  let server;
  try {
    server = await start();
    run.p = await programme(server, { startsAt: '2026-01-01T00:00:00Z' });
    run.creators = [run.p, await run.p.addDeal({ name: 'ben', startsAt: '2026-01-01T00:00:00Z' })];
    run.treasurer = new Treasurer(run, (n) => random(run.seed ^ 0x5bd1e995, n));
    await run.treasurer.begin(server);
    for (; run.rounds < rounds && !(until && run.faults.length > 0); run.rounds++) {
      const round = await writeAndKill(run, server);
      server = await start();
      await check(run, server, round);
      run.acknowledged += round.acked.length;
      run.lost += round.lost;
      log(
        `round ${run.rounds + 1}: killed after ${round.killAfter} ms, ${round.acked.length} acknowledged, ` +
          `${round.unknown.length} unknown, ${round.lost} lost${round.faults.map((fault) => `\n  ${fault}`).join('')}`,
      );
      run.faults.push(...round.faults);
    }
    return run;
  } finally {
    await server?.stop();
    rmSync(state, { recursive: true, force: true });
  }
}

async function writeAndKill(run, server) {
  const round = { acked: [], unknown: [], faults: [], lost: 0 };
  round.killAfter = Math.round(400 + 1500 * random(run.seed, -1 - run.rounds));
  await server.breakD1('slow', { ms: D1_LATENCY });
  const agent = new Agent({ keepAlive: true, maxSockets: WRITERS + 2 });
  let over = false;
  const deliver = async (payload) => {
    const status = await post(run, agent, payload);
    (status >= 200 && status < 300 ? round.acked : round.unknown).push(payload);
    return !over;
  };
  const write = async () => {
    while (!over) {
      const deliveries = nextOrder(run);
      for (const payload of deliveries) if (!(await deliver(payload))) break;
    }
  };
  const visitLink = async () => {
    while (!over) {
      run.sent++;
      await get(run, agent, `/go/${run.p.link.slug}`);
      await sleep(5);
    }
  };
  const work = async () => {
    while (!over) await server.triggerCron({ cron: 'all' }).catch(() => {});
  };
  const pay = (creator) => run.treasurer.work(creator, () => over);
  const all = Promise.all([...Array.from({ length: WRITERS }, write), visitLink(), work(), ...run.creators.map(pay)]);
  await sleep(round.killAfter);
  // A machine that is busy with other things must not make the round an empty one, nor all of them one without a
  // payment that was settled.
  const enough = () => round.acked.length >= 2 * WRITERS && run.treasurer.settled > 0;
  for (let n = 0; n < 200 && !enough(); n++) await sleep(50);
  over = true;
  await server.kill9();
  await all;
  agent.destroy();
  return round;
}

/** The next order with what comes after it: a refund, a cancellation, a later state. */
function nextOrder(run) {
  const n = run.next++;
  const dice = (k) => random(run.seed, n * 8 + k);
  const id = 7_000_000_000_000 + n;
  const cents = 1 + Math.floor(dice(0) * 50_000);
  const placedAt = run.start - (dice(1) < 0.5 ? 40 * DAY : 60_000);
  const tell = (second, more) =>
    order({
      ...{ id, placedAt, updatedAt: placedAt + second * 1000 },
      codes: [[run.creators[dice(2) < 0.7 ? 0 : 1].code, '1.00']],
      lines: [{ price: (cents / 100).toFixed(2), quantity: 1 + Math.floor(dice(3) * 3) }],
      ...more,
    });
  const deliveries = [tell(0, { status: dice(4) < 0.3 ? 'pending' : 'paid' })];
  if (deliveries[0].financial_status === 'pending') deliveries.push(tell(1));
  if (dice(5) < 0.3) {
    const subtotal = (Math.ceil(cents / 3) / 100).toFixed(2);
    deliveries.push(refund({ id: id * 10, orderId: id, lines: [{ line: 1, subtotal }] }));
  }
  if (dice(6) < 0.1) deliveries.push(tell(2, { cancelledAt: placedAt + 2000 }));
  const { deal } = run.creators[dice(2) < 0.7 ? 0 : 1];
  run.orders.set(String(id), { deliveries: [], deal });
  return deliveries;
}

function post(run, agent, payload) {
  const body = JSON.stringify(payload);
  const headers = {
    'x-shopify-hmac-sha256': sign(body, run.p.store.secret),
    'content-length': Buffer.byteLength(body),
  };
  // Known from the moment it may have arrived.
  run.orders.get(String(payload.order_id ?? payload.id)).deliveries.push(payload);
  return send(run, agent, { method: 'POST', path: run.p.store.path, headers }, body);
}

const get = (run, agent, path) =>
  send(run, agent, { method: 'GET', path, headers: { 'user-agent': IPHONE } });

/** The status of the answer, 0 if there was none. */
function send(run, agent, options, body) {
  return new Promise((resolve) => {
    const outgoing = request({ host: '127.0.0.1', port: run.port, agent, ...options }, (response) => {
      response.resume();
      // A status counts when its answer came whole.
      response.on('end', () => resolve(response.statusCode));
      response.on('error', () => resolve(0));
    });
    outgoing.on('error', () => resolve(0));
    outgoing.end(body);
  });
}

async function check(run, server, round) {
  run.acked.push(...round.acked);
  const until = Date.now() + (server.log().includes('webhook_overflow') ? QUEUE_PATIENCE : 0);
  let missing = await missingOf(server, round.acked);
  while (missing.length > 0 && Date.now() < until) {
    await sleep(500);
    missing = await missingOf(server, round.acked);
  }
  round.lost = missing.length;
  if (missing.length > 0) round.faults.push(`${missing.length} acknowledged deliveries are not there`);

  const agent = new Agent({ keepAlive: true, maxSockets: WRITERS });
  // What the canary lost must not hide behind the next rounds' numbers.
  for (const payload of [...round.unknown, ...missing]) {
    const status = await post(run, agent, payload);
    if (status !== 200) round.faults.push(`a delivery that was sent again got ${status}`);
  }
  agent.destroy();
  round.faults.push(...(await run.treasurer.settle()));
  round.faults.push(...(await compare(run, server, until)));
}

/** Acknowledged deliveries whose facts are not in D1. */
async function missingOf(server, acked) {
  const rows = await server.sql('SELECT external_id, facts FROM orders');
  const facts = new Map(rows[0].map((row) => [row.external_id, JSON.parse(row.facts)]));
  return acked.filter((payload) => {
    const known = facts.get(String(payload.order_id ?? payload.id));
    if (!known) return true;
    if (payload.order_id) return !known.refunds?.[payload.id];
    if (payload.cancelled_at && !known.cancelled) return true;
    return !(known.snapshot?.updated_at_ms >= Date.parse(payload.updated_at));
  });
}

/** What differs from the model. */
async function compare(run, server, until) {
  const differences = await differ(run, server);
  if (differences.length === 0 || Date.now() > until) return differences;
  await sleep(500);
  return compare(run, server, until);
}

async function differ(run, server) {
  const [rows, posted, balances, totals] = await server.sql(
    'SELECT id, external_id, base_minor, commission_minor FROM orders',
    "SELECT cause_id, sum(amount_minor) AS sum FROM entries WHERE cause = 'order' AND account <> 'commission' GROUP BY cause_id",
    'SELECT creator_id, sum(amount_minor) AS sum FROM balances GROUP BY creator_id',
    'SELECT deal_id, sum(orders) AS orders, sum(base_minor) AS base, sum(commission_minor) AS sum FROM deal_days GROUP BY deal_id',
  );
  const found = [];
  const entries = new Map(posted.map(({ cause_id, sum }) => [cause_id, BigInt(sum)]));
  const sums = new Map(run.creators.map(({ deal }) => [deal.id, { orders: 0, base: 0n, commission: 0n }]));
  const stored = new Map(rows.map((row) => [row.external_id, row]));
  for (const [id, { deliveries, deal }] of run.orders) {
    // An order that a writer was about to deliver when the plug was pulled.
    if (deliveries.length === 0) continue;
    const expected = books(deliveries, '10');
    const row = stored.get(id);
    const right = `${expected.base} ${expected.commission}`;
    const got = row ? `${row.base_minor} ${row.commission_minor}` : 'not there';
    if (got !== right) found.push(`order ${id} is ${got}, not ${right}`);
    const sum = entries.get(row?.id) ?? 0n;
    if (sum !== expected.commission) found.push(`order ${id}: ${sum} is posted, not ${expected.commission}`);
    const total = sums.get(deal.id);
    total.orders += expected.state === 'cancelled' ? 0 : 1;
    total.base += expected.base;
    total.commission += expected.commission;
  }
  for (const { creator, deal } of run.creators) {
    const { orders, base, commission } = sums.get(deal.id);
    const held = BigInt(balances.find((row) => row.creator_id === creator.id)?.sum ?? 0);
    const hers = commission + run.treasurer.fees({ deal });
    if (held !== hers) found.push(`a balance is ${held}, not ${hers}`);
    const day = totals.find((row) => row.deal_id === deal.id) ?? { orders: 0, base: 0, sum: 0 };
    const got = `${day.orders} ${day.base} ${day.sum}`;
    const right = `${orders} ${base} ${commission}`;
    if (got !== right) found.push(`a deal's totals are ${got}, not ${right}`);
    run.total = decimal(commission);
  }
  found.push(...(await run.treasurer.differ(server)));
  const { balances_match, chain_intact, sums: ledger } = await run.p.client.get('/v1/ledger/verification');
  if (!balances_match || !chain_intact || (ledger.USD ?? '0.00') !== '0.00')
    found.push(`the ledger does not verify: ${JSON.stringify({ balances_match, chain_intact, ledger })}`);
  const { clicks } = await run.p.client.get(`/v1/deals/${run.p.deal.id}/performance`);
  if (clicks.total > run.sent) found.push(`${clicks.total} clicks are counted of ${run.sent}`);
  run.clicks = clicks.total;
  return found.slice(0, 5).concat(found.length > 5 ? [`and ${found.length - 5} more`] : []);
}

async function main() {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '20' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      variant: { type: 'string', default: 'release' },
      canary: { type: 'boolean', default: false },
    },
  });
  const seed = Number(values.seed);
  const known = values.canary ? { variant: 'canary', vars: { CANARY: 'ack_first' }, until: true } : {};
  const log = (line) => process.stdout.write(`${line}\n`);
  log(`seed ${seed}`);
  const started = Date.now();
  const run = await killRounds({
    rounds: Number(values.rounds),
    seed,
    variant: values.variant,
    ...known,
    log,
  });
  log(
    `${run.rounds} rounds in ${((Date.now() - started) / 1000).toFixed(0)} s: ${run.acknowledged} acknowledged, ` +
      `${run.lost} lost, ${run.faults.length} faults; ${run.clicks} of ${run.sent} clicks counted, ` +
      `${run.treasurer.settled} payments settled`,
  );
  const caught = run.faults.length > 0;
  if (values.canary) log(caught ? 'the known-bad build was caught' : 'the known-bad build was NOT caught');
  process.exitCode = caught === values.canary ? 0 : 1;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await main();
