// Payouts when everything happens at once, or breaks off: the same money is never paid twice.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Client, balance, programme, verified } from './support/client.mjs';
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

const buckets = async (p) => {
  const { available, in_payout, paid, clawback } = await balance(p, p.creator);
  return [available, in_payout, paid, clawback];
};

test('fifty equal calls at once have one effect and one answer', async () => {
  const p = await earned();
  const body = { amount: usd('5.00'), note: 'once' };
  const path = `/v1/deals/${p.deal.id}/fees`;
  // Slow, so that all have looked before the first has committed.
  await server.breakD1('slow', { ms: 30 });
  const answers = await Promise.all(Array.from({ length: 50 }, () => pay(p, 'same', path, body)));
  await server.breakD1('open');
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [201]);
  assert.equal(new Set(answers.map(({ text }) => text)).size, 1);
  assert.deepEqual(await buckets(p), ['105.00', '0.00', '0.00', '0.00']);
  await verified(p);
});

test('two hundred approvals of one payout move its money once', async () => {
  const p = await earned();
  const { id } = await draft(p, 'draft');
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, n) => pay(p, n % 2 ? 'same' : `key-${n}`, `/v1/payouts/${id}/approval`)),
  );
  const statuses = answers.map(({ status }) => status);
  assert.deepEqual([...new Set(statuses)].sort().filter((s) => ![200, 409, 503].includes(s)), []);
  const approved = answers.filter(({ status }) => status === 200);
  assert.ok(approved.length >= 1, statuses.join());
  assert.equal(new Set(approved.map(({ text }) => text)).size, 1, 'one approval, told to all with its key');
  assert.deepEqual(await buckets(p), ['0.00', '100.00', '0.00', '0.00']);
  await verified(p);
});

test('a hundred payouts of the same balance pay it once, whatever is refunded meanwhile', async () => {
  const p = await earned({ fee: '50.00' });
  const bought = order({ codes: [[p.code, '10.00']] });
  await p.store.send(bought);
  const drafts = [];
  for (let n = 0; n < 20; n++) drafts.push(await draft(p, `draft-${n}`));
  const answers = await Promise.all([
    ...drafts.flatMap(({ id }, n) =>
      Array.from({ length: 5 }, (_, m) => pay(p, `approve-${n}-${m}`, `/v1/payouts/${id}/approval`)),
    ),
    p.store.deliver(refund({ orderId: bought.id, amount: '1.00' })),
  ]);
  const approved = answers.filter(({ status, json }) => status === 200 && json?.state === 'approved');
  assert.ok(approved.length <= 1, `${approved.length} payouts of one balance`);
  const [available, inPayout, , clawback] = await buckets(p);
  if (approved.length === 1) assert.equal(inPayout, approved[0].json.total.amount);
  assert.ok(Number(available) >= 0 && Number(clawback) >= 0);
  await verified(p);
});

test('one settlement of a line counts, of a hundred that say otherwise', async () => {
  const p = await earned();
  const { id, lines } = await draft(p, 'draft');
  assert.equal((await pay(p, 'approve', `/v1/payouts/${id}/approval`)).status, 200);
  const path = `/v1/payouts/${id}/lines/${lines[0].id}/settlement`;
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, n) => pay(p, `s${n}`, path, { outcome: n % 2 ? 'settled' : 'failed' })),
  );
  const counted = answers.filter(({ status }) => status === 200);
  assert.equal(counted.length, 1);
  const expected =
    counted[0].json.state === 'settled' ? ['0.00', '0.00', '100.00', '0.00'] : ['100.00', '0.00', '0.00', '0.00'];
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
