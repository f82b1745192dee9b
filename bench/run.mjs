// npm run bench: the release build against the smallest workers that do the same, side by side.
// README.md says what is measured, how, and what came out.
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build } from '../scripts/lib/build.mjs';
import { setup, tools } from '../scripts/lib/setup.mjs';
import { cache, cargoTarget, Failure, fingerprint, main, readIfThere, root, run, say, withLock } from '../scripts/lib/shell.mjs';
import { FREE, KEPT, pages, seedCrm } from './lib/filters.mjs';
import * as load from './lib/load.mjs';
import { body, sign, writeOrders } from './lib/orders.mjs';
import { code, countedClicks, LINKS, seed, SECRET, slug } from './lib/seed.mjs';
import { javascript, peer, product, temporaryFolder } from './lib/servers.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const PARTS = ['size', 'cold', 'rows', 'filters', 'redirect', 'webhook', 'instructions', 'flash', 'money'];
const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    flash: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string' },
    // Another build than build/release, for comparing changes.
    build: { type: 'string' },
    out: { type: 'string' },
  },
});
const wanted = options.only?.split(',') ?? PARTS.filter((part) => part !== 'flash' || options.flash);
const rounds = Number(options.rounds ?? (options.quick ? 2 : 7));
const secs = options.quick ? 3 : 4;
const results = { date: new Date().toISOString(), cpu: cpus()[0].model, cores: cpus().length };
const fixed = (value, digits = 2) => (Number.isFinite(value) ? value.toFixed(digits) : '–');
const range = ({ median, least, most }) => `${fixed(median)} (${fixed(least)} to ${fixed(most)})`;

main(async () => {
  for (const part of wanted) if (!PARTS.includes(part)) throw new Failure(`--only knows ${PARTS.join(', ')}.`);
  if (!load.has('sh', '-c', 'command -v wrk')) throw new Failure('Install wrk (Debian: apt-get install wrk).');
  await setup();
  const built = {
    tributary: options.build ?? (await build('release')),
    js302: javascript('js-302.js'),
    rs302: await rust302(),
    webhook: javascript('js-webhook.js'),
  };
  const parts = { size, cold, rows, filters, redirect, webhook, instructions, flash, money };
  for (const part of PARTS) if (wanted.includes(part)) await parts[part](built);
  if (options.out) writeFileSync(options.out, JSON.stringify(results, null, 1));
  // Servers and load generators end with this process.
  process.exit();
});

/** Builds the Rust reference unless it is there. */
async function rust302() {
  const source = join(here, 'rs-302');
  const out = join(cache, 'bench/rs-302');
  const wanted = fingerprint(['bench/rs-302/src', 'bench/rs-302/Cargo.toml', 'bench/rs-302/Cargo.lock']);
  if (readIfThere(join(out, '.fingerprint')) === wanted) return out;
  await withLock(join(cargoTarget, '.tributary-build.lock'), async () => {
    say('building the Rust reference …');
    const { workerBuild, env } = tools();
    const target = join(cache, 'bench/target');
    const crate = join(cache, 'bench/crate');
    cpSync(source, crate, { recursive: true, force: true });
    await run(workerBuild, ['--release', '--locked'], { cwd: crate, env: { ...env, CARGO_TARGET_DIR: target } });
    mkdirSync(out, { recursive: true });
    for (const file of ['index.js', 'index_bg.wasm']) cpSync(join(crate, 'build', file), join(out, file));
    writeFileSync(join(out, '.fingerprint'), wanted);
  });
  return out;
}

async function size(built) {
  results.size = {};
  for (const name of ['tributary', 'rs302', 'js302']) {
    const files = readdirSync(built[name]).filter((file) => /^index(_bg)?\.(js|wasm)$/.test(file));
    const bytes = Buffer.concat(files.map((file) => readFileSync(join(built[name], file))));
    results.size[name] = { raw: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length };
    const { raw, gzip } = results.size[name];
    say(`size ${name}: ${fixed(raw / 1000, 0)} kB, gzip -9 ${fixed(gzip / 1000, 0)} kB`);
  }
}

/** From starting workerd to its first answer, over a JavaScript worker among the same services. */
async function cold(built) {
  const counters = 'export class ClickCounter {} export class Attempts {}';
  const state = temporaryFolder();
  const peerState = temporaryFolder();
  const seeded = await product(built.tributary, { state });
  await seed(seeded);
  await seeded.stop();
  const peerBuild = javascript('js-302.js', counters);
  mkdirSync(join(peerBuild, 'assets'), { recursive: true });
  const contenders = {
    js302: () => product(peerBuild, { state: peerState, migrate: false, binary: true }),
    tributary: () => product(built.tributary, { state, migrate: false, binary: true }),
  };
  const paths = { js302: ['/x'], tributary: ['/go/not.a.slug', `/go/${slug(1)}`] };
  const times = { js302: [], tributary: [], redirect: [] };
  for (let round = 0; round < (options.quick ? 5 : 15); round++) {
    for (const name of round % 2 ? ['js302', 'tributary'] : ['tributary', 'js302']) {
      const server = await contenders[name]();
      const [first, second] = paths[name];
      await (await fetch(server.origin + first, { redirect: 'manual' })).arrayBuffer();
      times[name].push(performance.now() - server.began);
      if (second) {
        const answer = await fetch(server.origin + second, { redirect: 'manual' });
        if (answer.status !== 302) throw new Error(`${second} answered ${answer.status}`);
        times.redirect.push(performance.now() - server.began);
      }
      await server.stop();
    }
  }
  const over = (name) => load.median(times[name].map((time, round) => time - times.js302[round]));
  results.cold = { js302: load.median(times.js302), over: over('tributary'), redirect: over('redirect') };
  const { js302, ...more } = results.cold;
  say(`cold start: js-302 ${fixed(js302, 0)} ms; tributary's first answer ${fixed(more.over, 1)} ms later`);
  say(`cold start: tributary's first redirect, read from D1, ${fixed(more.redirect, 1)} ms later`);
}

/** Calls of D1 and rows, one kind of request after the other. */
async function rows(built) {
  const server = await product(built.tributary, { countD1: true });
  const { hook, key } = await seed(server);
  const deliver = async (text) => {
    const headers = { 'x-shopify-hmac-sha256': sign(text) };
    const answer = await fetch(server.origin + hook, { method: 'POST', body: text, headers });
    if (answer.status !== 200) throw new Error(`${hook}: ${answer.status} ${await answer.text()}`);
  };
  const visit = async (n) => {
    const answer = await fetch(`${server.origin}/go/${slug(n)}`, { redirect: 'manual' });
    if (answer.status !== 302) throw new Error(`/go/${slug(n)}: ${answer.status}`);
  };
  const COUNT = 50;
  const order = (n, changes) => body(n, code(n), changes);
  const later = { updated_at: new Date(Date.now() + 60_000).toISOString(), note: 'by the door', tags: 'vip' };
  const nobody = { note_attributes: [], landing_site: '/' };
  const kinds = {
    'redirect, cold': visit,
    'redirect, warm': visit,
    'order, attributed': (n) => deliver(order(n)),
    'order, repeated': (n) => deliver(order(n)),
    'order, later without money': (n) => deliver(order(n, later)),
    'order, unattributed': (n) => deliver(body(1000 + n, 'NOBODYS', nobody)),
  };
  await deliver(order(9_999));
  results.rows = {};
  const everything = 'order, attributed, with tiers, caps and customers';
  kinds[everything] = (n) => {
    const at = new Date(Date.now() + 1_000).toISOString();
    return deliver(order(2_000 + n, { created_at: at, updated_at: at, email: `${n}@people.example` }));
  };
  for (const [kind, request] of Object.entries(kinds)) {
    if (kind === everything) await agreeOnEverything(server, key);
    await server.d1();
    for (let n = 0; n < COUNT; n++) await request(n);
    const sums = await server.d1();
    const each = Object.fromEntries(Object.entries(sums).map(([key, sum]) => [key, sum / COUNT]));
    results.rows[kind] = each;
    say(`rows, ${kind}: ${each.calls} calls, ${each.rows_read} read, ${each.rows_written} written`);
  }
  await server.stop();
}

/** Gives all deals terms that look at other orders, and the brand tiers that nobody reaches. */
async function agreeOnEverything(server, key) {
  const post = async (path, body) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const answer = await fetch(server.origin + path, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  const cap = (amount) => ({ amount, currency: 'EUR' });
  const rates = [{ customer: 'returning', commission_percent: '5' }];
  const terms = { commission_percent: '10', rates, cap_per_order: cap('50.00'), cap_per_month: cap('900.00') };
  const { preview } = await post('/v1/terms/bulk', { terms });
  await post('/v1/terms/bulk', { terms, preview });
  const levels = [{ name: 'Gold', threshold: '1000000', commission_percent: '20' }];
  await post('/v1/tiers', { metric: 'orders', period: 'month', levels });
}

/** Pages of lists by filters, on books of a hundredth, a tenth and all of the large size. */
async function filters(built) {
  results.filters = {};
  const kinds = { 'all time and months': [KEPT, ({ rows }) => rows <= 5000], 'free periods': [FREE, ({ ms }) => ms <= 50] };
  for (const scale of options.quick ? [1, 10] : [1, 10, 100]) {
    const server = await product(built.tributary, { countD1: true });
    const start = performance.now();
    const { key, ...size } = await seedCrm(server, scale);
    say(`filters: ${size.creators} creators, ${size.deals} deals, ${size.orders} orders made in ${fixed((performance.now() - start) / 1000, 0)} s`);
    for (const [kind, [questions, fits]] of Object.entries(kinds)) {
      const told = (results.filters[`${kind}, ${scale} times`] = {});
      for (const question of questions) {
        const cost = await pages(server, key, question);
        const [list, filter, sort] = question;
        const name = `${list} ${filter} by ${sort}`;
        told[name] = cost;
        const { rows, written, ms, found, pages: looked, refused } = cost;
        const shown = name.length > 100 ? `${name.slice(0, 100)}…` : name;
        if (refused) say(`  ${shown}: refused (${refused})`);
        else say(`  ${shown}: ${rows} rows, ${fixed(ms, 1)} ms${written ? `, ${written} written` : ''}; ${found} found on ${looked} pages${fits(cost) ? '' : ' TOO MUCH'}`);
      }
      const asked = Object.values(told).filter(({ refused }) => !refused);
      const most = (key) => Math.max(...asked.map((cost) => cost[key]));
      say(`filters, ${kind}: at most ${most('rows')} rows and ${fixed(most('ms'), 1)} ms a page`);
    }
    await server.stop();
  }
}

/** Saturation and latency of the contenders in turn; the first is the peer. */
async function compare(contenders, { rate, warm, kind }) {
  const names = Object.keys(contenders);
  const runs = Object.fromEntries(names.map((name) => [name, []]));
  const late = Object.fromEntries(names.map((name) => [name, []]));
  const count = (name, result) => (contenders[name].answered = (contenders[name].answered ?? 0) + result.requests - result.bad);
  for (const name of names) {
    const { server, load: requests, least = 0 } = contenders[name];
    contenders[name].warmings = 0;
    for (let longer = warm, sent = 0; sent <= least; longer *= 2) {
      const result = await load.saturate(server, requests, { secs: longer });
      count(name, result);
      contenders[name].warmings++;
      sent = result.requests;
    }
  }
  for (let round = 0; round < rounds; round++) {
    for (const name of round % 2 ? [...names].reverse() : names) {
      const { server, load: requests } = contenders[name];
      const before = load.cpuTime(server.pid);
      const result = await load.saturate(server, requests, { secs });
      await load.sleep(100);
      const cpu = (load.cpuTime(server.pid) - before) / result.requests;
      runs[name].push({ ...result, rps: result.requests / (result.us / 1e6), cpu });
      count(name, result);
    }
  }
  for (let round = 0; round < Math.min(rounds, 7); round++) {
    for (const name of names) {
      const { server, load: requests } = contenders[name];
      // The heap is collected now and not in the middle of what is timed.
      await load.sleep(1000);
      const result = await load.paced(server, requests, { rate, secs: options.quick ? 4 : 8 });
      late[name].push(result);
      count(name, result);
    }
  }
  results[kind] = {};
  for (const name of names) {
    const of = (key) => load.median(runs[name].map((each) => each[key]));
    const to = (peer) => (key) => load.ratio(runs[name], runs[peer], (each) => each[key]);
    const bad = [...runs[name], ...late[name]].reduce((sum, each) => sum + each.bad, 0);
    const figures = { rps: of('rps'), cpu: of('cpu'), bad };
    for (const peer of names) if (peer !== name) figures[`to ${peer}`] = { rps: to(peer)('rps'), cpu: to(peer)('cpu') };
    for (const key of ['p50', 'p99', 'p999']) figures[key] = load.median(late[name].map((each) => each[key]));
    figures.p99s = late[name].map((each) => each.p99);
    results[kind][name] = figures;
    say(`${kind} ${name}: ${fixed(figures.rps, 0)}/s, CPU ${fixed(figures.cpu, 0)} µs, bad ${bad}; ` +
      `at ${rate}/s p50 ${fixed(figures.p50 / 1000)} p99 ${fixed(figures.p99 / 1000)} p99.9 ${fixed(figures.p999 / 1000)} ms; ` +
      `p99 of each window ${figures.p99s.map((p99) => fixed(p99 / 1000, 1)).join(', ')}`);
    for (const peer of names) {
      const ratios = figures[`to ${peer}`];
      if (ratios) say(`  to ${peer}: throughput ${range(ratios.rps)}, CPU ${range(ratios.cpu)}`);
    }
  }
}

async function redirect(built) {
  const wrap = load.onServerCore;
  const server = await product(built.tributary, { wrap });
  const { key } = await seed(server);
  const anything = load.clicks(['/x']);
  const contenders = {
    js302: { server: await peer('js302', built.js302, { wrap }), load: anything },
    rs302: { server: await peer('rs302', built.rs302, { wrap }), load: anything },
    // Warm means that every link was asked for.
    tributary: { server, load: load.clicks(links(LINKS)), least: LINKS },
  };
  await compare(contenders, { rate: 1000, warm: 8, kind: 'redirect' });
  // wrk breaks off its last requests: some are answered, and counted, without its knowing.
  const { answered } = contenders.tributary;
  const brokenOff = 32 * (rounds + contenders.tributary.warmings);
  await load.sleep(3000);
  const counted = await countedClicks(server, key);
  results.redirect.counted = { answered, ...counted };
  const exact = counted.total >= answered && counted.total <= answered + brokenOff;
  say(`clicks answered ${answered}, counted ${counted.total} (at most ${brokenOff} were broken off): ${exact ? 'exact' : 'WRONG'}`);
  await exactly(server, key, counted.total);
  for (const contender of Object.values(contenders)) await contender.server.stop();
}

/** The same without anything broken off: to the click. */
async function exactly(server, key, before) {
  const result = await load.paced(server, load.clicks(links(LINKS)), { rate: 1000, secs: 10 });
  await load.sleep(3000);
  const counted = (await countedClicks(server, key)).total - before;
  results.redirect.exactly = { answered: result.requests - result.bad, counted };
  say(`clicks at 1000/s: answered ${result.requests - result.bad}, counted ${counted}`);
}

const links = (count) => Array.from({ length: count }, (_, n) => `/go/${slug(n)}`);

async function webhook(built) {
  const wrap = load.onServerCore;
  const server = await product(built.tributary, { wrap });
  const { hook, key } = await seed(server);
  const folder = writeOrders(temporaryFolder(), options.quick ? 60_000 : 150_000);
  const schema = readFileSync(join(here, 'lib/js-webhook.sql'), 'utf8');
  const vars = { SHOPIFY_SECRET: SECRET };
  const reference = await peer('reference', built.webhook, { wrap, vars, schema });
  const contenders = {
    reference: { server: reference, load: load.orders(folder, '/webhook') },
    // Warm means that every code was used.
    tributary: { server, load: load.orders(folder, hook), least: LINKS },
  };
  await compare(contenders, { rate: 200, warm: 6, kind: 'webhook' });
  await books(server, key, contenders.tributary);
  await reference.stop();
  await server.stop();
}

/** All that was acknowledged is there, and the books balance. */
async function books(server, key, { answered, load: requests }) {
  await load.sleep(1000);
  const [[{ orders }]] = await server.sql('SELECT count(*) AS orders FROM orders WHERE commission_minor > 0');
  const answer = await fetch(`${server.origin}/v1/ledger/verification`, { headers: { authorization: `Bearer ${key}` } });
  const { entries, sums, balances_match } = await answer.json();
  const whole = orders >= answered && orders <= requests.count() && entries === 2 * orders && balances_match;
  say(`orders acknowledged ${answered}, sent at most ${requests.count()}, committed ${orders}, entries ${entries}, ` +
    `sums ${JSON.stringify(sums)}, balances match: ${balances_match}: ${whole ? 'nothing lost' : 'WRONG'}`);
  return { answered, orders, entries, balances_match };
}

/** Instructions per request, on few links and codes: under qemu a minute has fewer clicks. */
async function instructions(built) {
  const counter = load.instructionCounter();
  if (!counter) return say('instructions: neither perf counters nor qemu-user with cc here; see the CPU ratios');
  const wrap = (name) => counter.wrap(name);
  const slow = counter.kind === 'qemu';
  const server = await product(built.tributary, { wrap: wrap('tributary') });
  const { hook } = await seed(server);
  const folder = writeOrders(temporaryFolder(), slow ? 20_000 : 150_000, slow ? 100 : LINKS);
  const schema = readFileSync(join(here, 'lib/js-webhook.sql'), 'utf8');
  const vars = { SHOPIFY_SECRET: SECRET };
  const reference = await peer('reference', built.webhook, { wrap: wrap('reference'), vars, schema });
  const anything = load.clicks(['/x']);
  const contenders = {
    js302: { server: await peer('js302', built.js302, { wrap: wrap('js302') }), load: anything },
    rs302: { server: await peer('rs302', built.rs302, { wrap: wrap('rs302') }), load: anything },
    redirect: { server, load: load.clicks(links(slow ? 100 : LINKS)) },
    reference: { server: reference, load: load.orders(folder, '/webhook') },
    webhook: { server, load: load.orders(folder, hook) },
  };
  const runs = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
  // Under qemu V8 takes half a minute to compile what runs often; before, it is most of what is counted.
  const warm = slow ? 30 : 8;
  const connections = slow ? 8 : 32;
  for (const { server, load: requests } of Object.values(contenders)) await load.saturate(server, requests, { secs: warm, connections });
  for (let round = 0; round < Math.min(rounds, 5); round++) {
    for (const [name, { server, load: requests }] of Object.entries(contenders)) {
      const work = async () => {
        const result = await load.saturate(server, requests, { secs: slow ? 8 : secs, connections });
        // Clicks are counted within a second or two.
        await load.sleep(name === 'redirect' ? 2500 : 200);
        return result;
      };
      const { instructions, result } = await counter.during(server, work);
      if (result.bad > 0) throw new Error(`${name}: ${result.bad} bad answers`);
      runs[name].push({ each: instructions / result.requests, rps: result.requests / (result.us / 1e6) });
    }
  }
  results.instructions = { kind: counter.kind };
  const peers = { js302: [], rs302: ['js302'], redirect: ['js302', 'rs302'], reference: [], webhook: ['reference'] };
  for (const [name, to] of Object.entries(peers)) {
    const each = load.median(runs[name].map((run) => run.each));
    const rps = load.median(runs[name].map((run) => run.rps));
    const ratios = Object.fromEntries(to.map((peer) => [peer, load.ratio(runs[name], runs[peer], (run) => run.each)]));
    results.instructions[name] = { each, rps, ratios };
    const told = to.map((peer) => `, ${range(ratios[peer])} of ${peer}`).join('');
    say(`instructions (${counter.kind}) ${name}: ${fixed(each / 1000, 0)} k${told}, at ${fixed(rps, 0)}/s`);
  }
  for (const { server } of Object.values(contenders)) await server.stop();
}

/** A flash sale of one store. */
async function flash(built) {
  const server = await product(built.tributary);
  const { hook, key } = await seed(server);
  results.flash = {};
  const sales = options.quick ? [[740, 20]] : [[740, 60], [75, 600]];
  const total = sales.reduce((sum, [rate, secs]) => sum + rate * secs, 0);
  const requests = load.orders(writeOrders(temporaryFolder(), total), hook);
  let answered = 0;
  for (const [rate, secs] of sales) {
    const result = await load.paced(server, requests, { rate, secs });
    answered += result.requests - result.bad;
    const told = ['p50', 'p99', 'p999', 'max'].map((key) => `${key} ${fixed(result[key] / 1000, 1)}`).join(', ');
    say(`flash sale, ${rate}/s for ${secs} s: not answered 200 ${result.bad}; ${told} ms`);
    results.flash[rate] = { secs, ...result };
  }
  results.flash.books = await books(server, key, { answered, load: requests });
  await server.stop();
}

/** US$ per million, list prices past the included quota. */
function money() {
  const PRICE = { request: 0.3, cpuMs: 0.02, object: 0.15, written: 1, read: 0.001 };
  results.money = {};
  const cpu = results.redirect?.tributary?.cpu;
  if (cpu) {
    // A counter call writes at most one row for its link; D1 gets at most one row a link in five minutes.
    for (const clicks of [1, 10, 100]) {
      const each = PRICE.request + (PRICE.cpuMs * cpu) / 1000 + (PRICE.object + 2 * PRICE.written) / clicks;
      results.money[`clicks, ${clicks} a call`] = each;
      say(`$ per million clicks, ${clicks} a counter call: ${fixed(each)}`);
    }
  }
  const order = results.webhook?.tributary?.cpu;
  if (!order || !results.rows) return;
  for (const kind of ['order, attributed', 'order, unattributed']) {
    const { rows_read, rows_written } = results.rows[kind];
    const each = PRICE.request + (PRICE.cpuMs * order) / 1000 + PRICE.written * rows_written + PRICE.read * rows_read;
    results.money[kind] = each;
    say(`$ per million orders (${kind}): ${fixed(each)}`);
  }
}
