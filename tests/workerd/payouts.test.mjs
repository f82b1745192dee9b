// Payouts when everything happens at once, or breaks off: the same money is never paid twice.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Client, balance, programme, sleep, verified } from './support/client.mjs';
import { startServer } from './support/server.mjs';
import { order, refund } from './support/shopify.mjs';

let server;
before(async () => (server = await startServer({ faults: true })));
after(() => server?.stop());

const usd = (amount) => ({ amount, currency: 'USD' });
const pay = (p, key, path, body) => p.client.call('POST', path, body, { 'idempotency-key': key });

/** A brand without a hold whose creator has earned, and is paid by PayPal. */
async function earned({ fee = '100.00' } = {}) {
  const p = await programme(server, { settings: { hold_days: 0 } });
  await entered(p, p.deal, 'anna@pay.example');
  assert.equal((await pay(p, 'fee', `/v1/deals/${p.deal.id}/fees`, { amount: usd(fee) })).status, 201);
  return p;
}

async function entered(p, deal, email) {
  const { url } = await p.client.post(`/v1/deals/${deal.id}/invitation`);
  const anyone = new Client(server);
  const { access_token } = await anyone.post('/v1/invitations/acceptance', { token: url.split('#')[1] });
  const put = await anyone.as(access_token).call('PUT', '/v1/me/payment-details', { method: 'paypal', email });
  assert.equal(put.status, 200, put.text);
}

async function draft(p, key) {
  const made = await pay(p, key, '/v1/payouts', { currency: 'USD', creator_ids: [p.creator.id] });
  assert.equal(made.status, 201, made.text);
  return made.json;
}

/** D1 answers late meanwhile, so that all have looked before the first has committed. */
async function slowly(work) {
  await server.breakD1('slow', { ms: 30 });
  try {
    return await work();
  } finally {
    await server.breakD1('open');
  }
}

const fee = (p, key, amount) => pay(p, key, `/v1/deals/${p.deal.id}/fees`, { amount: usd(amount) });

const buckets = async (p) => {
  const { available, in_payout, paid, clawback } = await balance(p, p.creator);
  return [available, in_payout, paid, clawback];
};

test('fifty equal calls at once have one effect and one answer', async () => {
  const p = await earned();
  const body = { amount: usd('5.00'), note: 'once' };
  const path = `/v1/deals/${p.deal.id}/fees`;
  const answers = await slowly(() =>
    Promise.all(Array.from({ length: 50 }, () => pay(p, 'same', path, body))),
  );
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [201]);
  assert.equal(new Set(answers.map(({ text }) => text)).size, 1);
  assert.deepEqual(await buckets(p), ['105.00', '0.00', '0.00', '0.00']);
  await verified(p);
});

test('two hundred approvals of one payout move its money once', async () => {
  const p = await earned();
  const { id } = await draft(p, 'draft');
  // More than it asks for is there: only its own state keeps it from being paid again.
  await fee(p, 'more', '500.00');
  const answers = await slowly(() =>
    Promise.all(
      Array.from({ length: 200 }, (_, n) => pay(p, n % 2 ? 'same' : `key-${n}`, `/v1/payouts/${id}/approval`)),
    ),
  );
  const statuses = answers.map(({ status }) => status);
  assert.deepEqual([...new Set(statuses)].sort().filter((s) => ![200, 409, 503].includes(s)), []);
  const approved = answers.filter(({ status }) => status === 200);
  assert.ok(approved.length >= 1, statuses.join());
  assert.equal(new Set(approved.map(({ text }) => text)).size, 1, 'one approval, told to all with its key');
  assert.deepEqual(await buckets(p), ['500.00', '100.00', '0.00', '0.00']);
  await verified(p);
});

test('two hundred approvals of twenty payouts of the same balance pay it once, whatever is refunded meanwhile', async () => {
  const p = await earned({ fee: '50.00' });
  const drafts = [];
  for (let n = 0; n < 20; n++) drafts.push(await draft(p, `draft-${n}`));
  // What is refunded came later: each of the payouts could still be paid, but no two of them.
  const bought = order({ codes: [[p.code, '10.00']] });
  await p.store.send(bought);
  const answers = await slowly(() =>
    Promise.all([
      ...drafts.flatMap(({ id }, n) =>
        Array.from({ length: 10 }, (_, m) => pay(p, `approve-${n}-${m}`, `/v1/payouts/${id}/approval`)),
      ),
      p.store.deliver(refund({ orderId: bought.id, amount: '1.00' })),
    ]),
  );
  const approved = answers.filter(({ status, json }) => status === 200 && json?.state === 'approved');
  assert.equal(approved.length, 1, `${approved.length} payouts of one balance`);
  const [available, inPayout, , clawback] = await buckets(p);
  assert.equal(inPayout, '50.00');
  assert.ok(Number(available) >= 0 && Number(clawback) >= 0);
  await verified(p);
});

test('one settlement of a line counts, of a hundred that say otherwise', async () => {
  const p = await earned();
  const { id, lines } = await draft(p, 'draft');
  assert.equal((await pay(p, 'approve', `/v1/payouts/${id}/approval`)).status, 200);
  // Another payment of hers is on its way too: only the line's own state keeps it from counting twice.
  await fee(p, 'more', '900.00');
  const other = await draft(p, 'other');
  assert.equal((await pay(p, 'approve-other', `/v1/payouts/${other.id}/approval`)).status, 200);
  const path = `/v1/payouts/${id}/lines/${lines[0].id}/settlement`;
  const answers = await slowly(() =>
    Promise.all(
      Array.from({ length: 100 }, (_, n) => pay(p, `s${n}`, path, { outcome: n % 2 ? 'settled' : 'failed' })),
    ),
  );
  const counted = answers.filter(({ status }) => status === 200);
  assert.equal(counted.length, 1);
  const expected =
    counted[0].json.state === 'settled'
      ? ['0.00', '900.00', '100.00', '0.00']
      : ['100.00', '900.00', '0.00', '0.00'];
  assert.deepEqual(await buckets(p), expected);
  await verified(p);
});

test('an answer that got lost comes with the same key, and nothing happens again', async () => {
  const p = await earned();
  const { id } = await draft(p, 'draft');
  const approve = () => pay(p, 'approve', `/v1/payouts/${id}/approval`);
  // Whichever call of D1 it was whose answer got lost, or which never arrived.
  for (const mode of ['before', 'after']) {
    for (const call of [1, 2, 3, 4, 5, 6]) {
      await server.breakD1(mode, { call });
      const broken = await approve();
      await server.breakD1('open');
      assert.ok([200, 503].includes(broken.status), `${mode} ${call}: ${broken.status} ${broken.text}`);
    }
  }
  const [first, again] = [await approve(), await approve()];
  assert.deepEqual([first.status, first.text], [200, again.text]);
  assert.deepEqual(await buckets(p), ['0.00', '100.00', '0.00', '0.00']);
  await verified(p);
});

test('planned fees are posted once, whoever changes the stage, runs the jobs or cancels them', async () => {
  const p = await earned();
  const path = `/v1/deals/${p.deal.id}/fees`;
  const made = [];
  for (let n = 0; n < 5; n++) {
    const agreed = await pay(p, `f${n}`, path, { amount: usd('1.00'), stage: 'Posted' });
    made.push(agreed.json);
  }
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
  const dated = await pay(p, 'dated', path, { amount: usd('7.00'), due_on: tomorrow });
  assert.equal(dated.json.state, 'planned', dated.text);
  await server.sql(`UPDATE fees SET due_day = 1 WHERE id = '${dated.json.id}'`);
  const stage = (name) => p.client.call('PATCH', `/v1/deals/${p.deal.id}`, { stage: name });
  await slowly(() =>
    Promise.all([
      ...Array.from({ length: 20 }, (_, n) => stage(n % 2 ? 'Posted' : 'Negotiation')),
      ...Array.from({ length: 10 }, () => server.triggerCron({ cron: 'all' })),
      ...made.slice(0, 2).map(({ id }) => p.client.call('POST', `${path}/${id}/cancellation`)),
      ...Array.from({ length: 5 }, (_, n) => pay(p, `now${n}`, path, { amount: usd('10.00') })),
    ]),
  );
  await stage('Negotiation');
  assert.equal((await stage('Posted')).status, 200);
  await server.triggerCron({ cron: 'all' });
  const { data } = await p.client.get(`${path}?limit=200`);
  const posted = data.filter(({ state }) => state === 'posted');
  assert.ok(data.every(({ state }) => ['posted', 'cancelled'].includes(state)), JSON.stringify(data));
  const sum = posted.reduce((total, { amount }) => total + Number(amount.amount), 0);
  assert.equal((await buckets(p))[0], `${sum}.00`);
  await verified(p);
});

test('killed between commit and answer, the same key gets the first answer', async () => {
  const mine = await startServer({ faults: true, stateDir: mkdtempSync(join(tmpdir(), 'tributary-payouts-')) });
  const [shared, options] = [server, { faults: true, stateDir: mine.stateDir, port: mine.port }];
  server = mine;
  try {
    const p = await earned();
    const { id } = await draft(p, 'draft');
    // How many calls of D1 an approval takes; the last is its commit.
    await fee(p, 'warm', '1.00');
    const other = await draft(p, 'other');
    await server.breakD1('open');
    assert.equal((await pay(p, 'count', `/v1/payouts/${other.id}/approval`)).status, 200);
    const calls = await server.breakD1('open');
    const back = `/v1/payouts/${other.id}/lines/${other.lines[0].id}/settlement`;
    assert.equal((await pay(p, 'back', back, { outcome: 'failed' })).status, 200);
    const approve = () => pay(p, 'approve', `/v1/payouts/${id}/approval`);
    let first;
    for (const call of [calls - 1, calls, calls]) {
      await server.breakD1('hold', { call });
      const lost = approve().catch(() => ({ status: 0 }));
      await sleep(500);
      await server.kill9();
      const { status, text } = await lost;
      // With its answer stored it takes fewer calls, and is answered.
      if (first === undefined) assert.equal(status, 0, text);
      server = await startServer(options);
      const [row] = (await server.sql(`SELECT state FROM payouts WHERE id = '${id}'`))[0];
      if (call === calls) {
        assert.equal(row.state, 'approved', 'it was committed');
        const again = await approve();
        assert.equal(again.status, 200, again.text);
        first ??= again.text;
        assert.equal(again.text, first);
      } else assert.equal(row.state, 'draft');
    }
    assert.deepEqual(await buckets(p), ['1.00', '100.00', '0.00', '0.00']);
    await verified(p);
  } finally {
    await server.stop();
    server = shared;
    rmSync(mine.stateDir, { recursive: true, force: true });
  }
});
