// Payments by PayPal's API, against a double that loses, repeats, delays and refuses: whatever happens,
// nobody is paid twice, and nothing tells where anybody is paid.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startPaypal } from '../doubles/paypal/index.mjs';
import { Client, balance, eventually, programme, sleep, verified } from './support/client.mjs';
import { owner } from './support/people.mjs';
import { startServer } from './support/server.mjs';
import { files, hits } from './support/taint.mjs';

const random = () => randomBytes(9).toString('hex');
const usd = (amount) => ({ amount, currency: 'USD' });

/** What stands nowhere, in no form. */
const markers = {
  secret: `EL${random()}`,
  paypal: `zoe.${random()}@pay.z${random()}`,
  holder: `Zoe ${random()}`,
  iban: 'DE89370400440532013000',
  account: `${Date.now()}`.slice(-12),
};

let paypal;
let server;
let options;
before(async () => {
  paypal = await startPaypal({ secret: markers.secret });
  const stateDir = mkdtempSync(join(tmpdir(), 'tributary-paypal-'));
  options = { stateDir, faults: true, mail: true, vars: { PAYPAL_ORIGIN: paypal.origin } };
  server = await startServer(options);
  options.port = server.port;
});
after(async () => {
  await server?.stop();
  await paypal?.stop();
  rmSync(options.stateDir, { recursive: true, force: true });
});

const pay = (p, key, path, body) => p.client.call('POST', path, body, { 'idempotency-key': key });

async function details(p, deal, body) {
  const { url } = await p.client.post(`/v1/deals/${deal.id}/invitation`);
  const { access_token } = await new Client(server).post('/v1/invitations/acceptance', {
    token: url.split('#')[1],
  });
  const put = await new Client(server, access_token).call('PUT', '/v1/me/payment-details', body);
  assert.equal(put.status, 200, put.text);
}

/** A brand with an account at PayPal and an approved payout of 100.00 to an address of its own. */
async function approved(address = `anna-${random()}@pay.example`) {
  const p = await programme(server, { settings: { hold_days: 0 } });
  const { browser } = await owner(server, p);
  const account = { provider: 'paypal', client_id: 'client', client_secret: markers.secret };
  await browser.done('PUT', '/v1/brand/payout-provider', account);
  await details(p, p.deal, { method: 'paypal', email: address });
  assert.equal((await pay(p, 'fee', `/v1/deals/${p.deal.id}/fees`, { amount: usd('100.00') })).status, 201);
  const payout = (await pay(p, 'draft', '/v1/payouts', { currency: 'USD' })).json;
  assert.equal((await pay(p, 'approve', `/v1/payouts/${payout.id}/approval`)).status, 200);
  return { ...p, address, path: `/v1/payouts/${payout.id}`, line: payout.lines[0].id, browser };
}

const send = (p, key = 'send') => pay(p, key, `${p.path}/sending`);
const sending = async (p) => (await p.client.get(p.path)).lines[0].sending;
const paidTo = (p) => paypal.paid().filter((paid) => paid.startsWith(`${p.address} `));
const onceOnly = (p) => assert.deepEqual(paidTo(p), [`${p.address} 100.00 USD`]);

/** The job, when everything it waits for is due. */
async function work() {
  await server.sql('UPDATE payout_sendings SET due_at_ms = 0 WHERE due_at_ms IS NOT NULL');
  await server.triggerCron({ cron: 'all' });
}
const until = (p, state) =>
  eventually(`${state}`, async () => (await sending(p))?.state === state || (await work(), false));

test('a payment is sent after the answer and settled when PayPal tells, late', async () => {
  const p = await approved();
  const answer = await send(p);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.json.lines[0].sending.reference, p.line);
  await eventually('sent', async () => (await sending(p)).state === 'sent');
  for (let n = 0; n < 3; n++) await work();
  assert.equal((await balance(p, p.creator)).in_payout, '100.00');
  paypal.settle('SUCCESS');
  await until(p, 'settled');
  assert.equal((await balance(p, p.creator)).paid, '100.00');
  onceOnly(p);
  paypal.settle('REVERSED');
  await until(p, 'contradicted');
  assert.equal((await balance(p, p.creator)).paid, '100.00', 'nothing is reversed in silence');
  paypal.settle('PENDING');
  await verified(p);
});

for (const faults of [
  ['lost-before'],
  ['lost-after'],
  [503],
  ['after-503'],
  ['late'],
  ['expired'],
  ['no-funds', 'lost-after', 'refused', 'expired'],
  ['lost-after', 'lost-after', 503, 'after-503'],
]) {
  test(`paid once although: ${faults.join(', ')}`, async () => {
    const p = await approved();
    paypal.fail(...faults);
    assert.equal((await send(p)).status, 200);
    await until(p, 'sent');
    paypal.fail();
    paypal.settle('SUCCESS');
    await until(p, 'settled');
    paypal.settle('PENDING');
    onceOnly(p);
    await verified(p);
  });
}

test('refused, the money is available again and another try has another name', async () => {
  const p = await approved();
  paypal.fail('refused');
  await send(p);
  await until(p, 'failed');
  assert.deepEqual(paidTo(p), []);
  const retried = await pay(p, 'retry', `${p.path}/lines/${p.line}/retry`);
  assert.equal(retried.status, 200, retried.text);
  assert.equal((await send(p, 'send-2')).status, 200);
  await until(p, 'sent');
  assert.equal((await sending(p)).reference, `${p.line}-2`);
  onceOnly(p);
  await verified(p);
});

test('a hundred calls and thirty runs of the job at once send one payment', async () => {
  const p = await approved();
  const before = paypal.seen.payments;
  await server.breakD1('slow', { ms: 30 });
  const answers = await Promise.all([
    ...Array.from({ length: 100 }, (_, n) => send(p, n % 2 ? 'same' : `key-${n}`)),
    ...Array.from({ length: 30 }, () => server.triggerCron({ cron: 'all' })),
  ]);
  await server.breakD1('open');
  const good = answers.filter(({ status }) => status === 200);
  assert.equal(new Set(good.map(({ text }) => text)).size, 1);
  await until(p, 'sent');
  assert.equal(paypal.seen.payments - before, 1);
  onceOnly(p);
  await verified(p);
});

test('thirty runs of the job that all see a payment due send it once', async () => {
  const p = await approved();
  paypal.fail('no-funds');
  await send(p);
  await eventually('refused', async () => (await sending(p)).told.includes('INSUFFICIENT_FUNDS'));
  const before = paypal.seen.payments;
  await server.sql(`UPDATE payout_sendings SET due_at_ms = 0 WHERE line_id = '${p.line}'`);
  await server.breakD1('slow', { ms: 30 });
  // A minute in which nothing else runs, so that they go side by side.
  const run = () => server.triggerCron({ time: 9 * 60_000 });
  await Promise.all(Array.from({ length: 30 }, run));
  await server.breakD1('open');
  assert.equal(paypal.seen.payments - before, 1);
  await until(p, 'sent');
  onceOnly(p);
  await verified(p);
});

test('killed between claim and answer, it is asked about and not paid again', async () => {
  for (const fault of ['hang-after', 'lost-before']) {
    const p = await approved();
    paypal.fail(fault);
    await send(p);
    await eventually('claimed', async () => (await sending(p)).state === 'sending');
    await sleep(200);
    await server.kill9();
    server = await startServer(options);
    await server.triggerCron({ cron: 'all' });
    assert.equal((await sending(p)).state, 'sending', 'its lease holds');
    await until(p, 'sent');
    onceOnly(p);
    await verified(p);
  }
});

test('where people are paid stands in no file and no log, in no form', async () => {
  const p = await approved(markers.paypal);
  const others = [
    { method: 'iban', holder: markers.holder, iban: markers.iban },
    {
      ...{ method: 'ach', holder: markers.holder, routing_number: '021000021' },
      ...{ account_number: markers.account, account_type: 'checking' },
    },
  ];
  for (const [n, body] of others.entries()) {
    const { deal } = await p.addDeal({ name: `other${n}` });
    await details(p, deal, body);
    const fee = { amount: usd('5.00') };
    assert.equal((await pay(p, `fee${n}`, `/v1/deals/${deal.id}/fees`, fee)).status, 201);
  }
  const bad = { method: 'paypal', email: markers.paypal, iban: markers.iban };
  const { url } = await p.client.post(`/v1/deals/${p.deal.id}/invitation`);
  const token = { token: url.split('#')[1] };
  const { access_token } = await new Client(server).post('/v1/invitations/acceptance', token);
  const me = new Client(server, access_token);
  assert.equal((await me.call('PUT', '/v1/me/payment-details', bad)).status, 422);
  // PayPal says it all again in its refusals.
  paypal.fail('refused');
  await send(p);
  await until(p, 'failed');
  await pay(p, 'retry', `${p.path}/lines/${p.line}/retry`);
  paypal.fail('lost-after', 'after-503');
  await send(p, 'send-2');
  await until(p, 'sent');
  assert.ok(paypal.seen.bodies.some((body) => body.includes(markers.paypal)), 'it was told to PayPal');
  const rest = (await pay(p, 'draft-2', '/v1/payouts', { currency: 'USD' })).json;
  assert.equal((await pay(p, 'approve-2', `/v1/payouts/${rest.id}/approval`)).status, 200);
  const file = await p.client.call('GET', `/v1/payouts/${rest.id}/export`);
  assert.ok(file.text.includes(markers.iban) && file.text.includes(markers.account), file.text);
  await server.breakD1('away');
  for (const path of [`${p.path}/export`, p.path]) await p.client.call('GET', path);
  await me.call('PUT', '/v1/me/payment-details', others[0]);
  await server.triggerCron({ cron: 'all' });
  await server.breakD1('open');
  await server.stop();

  const log = readFileSync(join(options.stateDir, 'worker.log'));
  assert.deepEqual(hits(markers, log), [], 'in the log');
  assert.ok(!/panicked|RuntimeError|unreachable/.test(log.toString()), log.toString().slice(-2000));
  const all = files(join(options.stateDir, 'v3'));
  assert.ok(all.some((path) => path.includes('/d1/')) && all.some((path) => path.includes('/do/')));
  for (const path of all) assert.deepEqual(hits(markers, readFileSync(path)), [], path);
  server = undefined;
});
