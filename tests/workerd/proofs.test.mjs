// Proofs as a third party sees them: statements checked by an implementation of its own, the export as
// a stream, and the native audit of what workerd's D1 holds.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { audit } from './support/audit.mjs';
import { Client, click, programme, verified } from './support/client.mjs';
import { wrong } from './support/proofs.mjs';
import { startServer } from './support/server.mjs';
import { order, refund } from './support/shopify.mjs';

let server;
before(async () => (server = await startServer()));
after(() => server?.stop());

const seal = async () => assert.equal((await server.triggerCron({ cron: 'all' })).outcome, 'ok');
const month = new Date().toISOString().slice(0, 7);

async function busy(on = server) {
  const p = await programme(on);
  const clickId = await click(on, p.link);
  for (let n = 0; n < 12; n += 1) {
    const bought = order(n % 2 ? { codes: [[p.code, '5.00']] } : { clicks: [clickId] });
    await p.store.deliver(bought);
    if (n % 3 === 0) await p.store.deliver(refund({ orderId: bought.id, amount: '1.00' }));
  }
  const { url } = await p.client.post(`/v1/deals/${p.deal.id}/invitation`);
  const token = { token: url.split('#')[1] };
  const { access_token } = await new Client(on).post('/v1/invitations/acceptance', token);
  return { ...p, her: new Client(on).as(access_token) };
}

test('a statement is checked from the documentation alone, and nothing was rewritten since', async () => {
  const p = await busy();
  const get = async (more = '') =>
    (await p.her.call('GET', `/v1/me/statement?month=${month}&limit=200&proofs=true${more}`)).json;
  const unsealed = await get();
  assert.ok(unsealed.data.length > 12 && unsealed.data.every(({ proof }) => proof === null));
  await seal();
  const first = await get();
  assert.ok(first.data.every(({ proof }) => proof !== null));
  assert.equal(wrong([first]), null);
  for (let n = 0; n < 5; n += 1) {
    await p.store.deliver(order({ codes: [[p.code, '5.00']] }));
    await seal();
  }
  const later = await get(`&since=${first.head.size}`);
  assert.ok(later.head.size > first.head.size);
  assert.equal(wrong([later], first), null);
  const told = await audit(
    ['statement', 0, '--previous', 1],
    [
      ['later.json', JSON.stringify(later)],
      ['first.json', JSON.stringify(first)],
    ],
  );
  assert.equal(told.status, 0, told.stdout);
  assert.match(told.stdout, /nothing of the first \d+ entries was rewritten since/);
  // Both find what is wrong.
  const altered = structuredClone(later);
  altered.data[3].amount.amount = '999.00';
  assert.match(wrong([altered], first), /shown otherwise/);
  const caught = await audit(['statement', 0], [['altered.json', JSON.stringify(altered)]]);
  assert.deepEqual([caught.status, caught.stdout.startsWith('DIFFERENT')], [1, true], caught.stdout);
  const forged = structuredClone(first);
  forged.head.root = later.head.root;
  assert.match(wrong([later], forged), /rewritten/);
  await verified(p);
});

test('an export streams, and the books are rebuilt from it', async () => {
  const p = await busy();
  await seal();
  const headers = { authorization: `Bearer ${p.key}` };
  const answer = await fetch(`${server.origin}/v1/ledger/export`, { headers });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('content-length'), null);
  assert.equal(answer.headers.get('content-type'), 'application/x-ndjson');
  let [text, chunks] = ['', 0];
  for await (const chunk of answer.body) {
    text += Buffer.from(chunk).toString();
    chunks += 1;
  }
  assert.ok(chunks > 1, `${chunks}`);
  const lines = text.trim().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual([lines[0].kind, lines.at(-1)], ['export', { kind: 'end', lines: lines.length }]);
  assert.equal(lines.filter(({ kind }) => kind === 'order').length, 12);
  const told = await audit([0], [['export.ndjson', text]]);
  assert.equal(told.status, 0, told.stdout);
  assert.match(told.stdout, /12 decisions made again/);
  const at = lines.findIndex(({ kind, commission_minor: c }) => kind === 'order' && c > 0);
  lines[at].commission_minor += 1;
  const altered = lines.map((line) => JSON.stringify(line)).join('\n');
  const caught = await audit([0], [['altered.ndjson', altered]]);
  assert.equal(caught.status, 1);
  assert.match(caught.stdout, new RegExp(`^DIFFERENT, line ${at + 1}: .*the commission in minor units`));
  assert.equal((await audit(['nothing'], [])).status, 2);
  // Whoever goes away in the middle leaves the worker well.
  const left = new AbortController();
  await fetch(`${server.origin}/v1/ledger/export`, { headers, signal: left.signal }).then(() => left.abort());
  const head = await fetch(`${server.origin}/v1/ledger/export`, { method: 'HEAD', headers });
  assert.deepEqual([head.status, (await head.text()).length], [200, 0]);
  await verified(p);
});

test('a simulation answers, and writes nothing', async () => {
  const p = await busy();
  const body = { changes: { terms: { commission_percent: '20' } }, filter: { deal_ids: [p.deal.id] } };
  const rows = () => server.sql('SELECT count(*) AS n, sum(revision) AS r FROM orders', 'SELECT count(*) AS n FROM entries');
  const before = await rows();
  const found = await p.client.call('POST', '/v1/simulations', body);
  assert.equal(found.status, 200, found.text);
  assert.equal(found.json.orders, 12);
  assert.ok(Number(found.json.cost[0].difference) > 0, found.text);
  assert.deepEqual(await rows(), before);
});

test('many orders are simulated within the time of one request', async () => {
  // LARGE=1: as many as one request takes. CPU is that of the whole process, D1's SQLite included.
  const orders = process.env.LARGE ? 100_000 : 2_000;
  const own = await startServer();
  try {
    const p = await busy(own);
    const triggers = await own.sql("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'orders'");
    await own.sql(...triggers[0].map(({ name }) => `DROP TRIGGER ${name}`));
    const columns = (await own.sql('SELECT name FROM pragma_table_info(\'orders\')'))[0].map(({ name }) => name);
    const of = { id: "printf('order_%026d', i)", external_id: "'c' || i", placed_at_ms: 'placed_at_ms + i' };
    const [[{ id, known }]] = await own.sql('SELECT id, (SELECT count(*) FROM orders) AS known FROM orders LIMIT 1');
    // A page of copies at a time: a statement of D1 may not take for ever.
    for (let from = known; from < orders; from += 10_000) {
      const to = Math.min(from + 10_000, orders);
      await own.sql(`INSERT INTO orders (${columns}) WITH RECURSIVE n(i) AS (SELECT ${from} UNION ALL
        SELECT i + 1 FROM n WHERE i < ${to - 1}) SELECT ${columns.map((name) => of[name] ?? name)}
        FROM n, orders WHERE id = '${id}'`);
    }
    for (const changes of [{ terms: { commission_percent: '20' } }, { attribution: { precedence: 'link_first' } }]) {
      const before = cpuSeconds(own);
      const started = performance.now();
      const found = await p.client.call('POST', '/v1/simulations', { changes });
      assert.equal(found.status, 200, found.text);
      assert.equal(found.json.orders, orders);
      const [cpu, seconds] = [cpuSeconds(own) - before, (performance.now() - started) / 1000];
      console.log(`${orders} orders by other ${Object.keys(changes)}: ${seconds.toFixed(1)} s, ${cpu.toFixed(1)} s of CPU`);
      assert.ok(cpu < 30, `${cpu} s of CPU: a Worker has 30`);
    }
  } finally {
    await own.stop();
  }
});

/** What the server's process has used so far, in seconds. */
function cpuSeconds(server) {
  const [pid] = server.workerdPids();
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  // utime and stime, in hundredths.
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
