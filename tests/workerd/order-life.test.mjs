// Moves, disputes and claims when everything happens at once, or breaks off: one winner, books right.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Client, balance, orderOf, programme, verified } from './support/client.mjs';
import { startServer } from './support/server.mjs';
import { dispute, order } from './support/shopify.mjs';

let server;
before(async () => (server = await startServer({ faults: true, mail: true })));
after(() => server?.stop());

const call = (p, key, path, body) => p.client.call('POST', path, body, { 'idempotency-key': key });
const statuses = (answers) => [...new Set(answers.map(({ status }) => status))].sort();
const pending = async (p, creator) => (await balance(p, creator))?.pending ?? '0.00';

/** A brand with Anna at 10 % and Ben at 20 %, and an order of 100.00 that came by Anna's code. */
async function sold() {
  const p = await programme(server);
  const ben = await p.addDeal({ name: 'ben', percent: '20' });
  const bought = order({ codes: [[p.code, '1.00']] });
  await p.store.send(bought);
  return { p, ben, bought, id: (await orderOf(p, bought.id)).id };
}

async function creator(p, deal) {
  const { url } = await p.client.post(`/v1/deals/${deal.id}/invitation`);
  const anyone = new Client(server);
  const { access_token } = await anyone.post('/v1/invitations/acceptance', { token: url.split('#')[1] });
  return anyone.as(access_token);
}

/** Whoever has the order has what it earns, and nobody else anything. */
async function consistent(p, ben, bought) {
  const found = await orderOf(p, bought.id);
  const earned = found.state === 'disputed' ? ['0.00', '0.00'] : ['10.00', '20.00'];
  const held = [await pending(p, p.creator), await pending(p, ben.creator)];
  assert.deepEqual(held, [
    found.deal_id === p.deal.id ? earned[0] : '0.00',
    found.deal_id === ben.deal.id ? earned[1] : '0.00',
  ]);
  await verified(p);
  return found;
}

test('fifty moves at once, beside deliveries and disputes of the same order', async () => {
  const { p, ben, bought, id } = await sold();
  const deals = [ben.deal.id, p.deal.id, null];
  // Slow, so that all have looked before the first has committed.
  await server.breakD1('slow', { ms: 20 });
  const answers = await Promise.all([
    ...Array.from({ length: 50 }, (_, n) =>
      call(p, `m${n}`, `/v1/orders/${id}/move`, { deal_id: deals[n % 3], reason: `because ${n}` }),
    ),
    ...[1, 2, 3].map((n) => p.store.deliver({ ...bought, updated_at: new Date(Date.now() + n * 1000).toISOString() })),
    p.store.deliver(dispute({ id: bought.id + 1, orderId: bought.id })),
  ]);
  await server.breakD1('open');
  const moves = answers.slice(0, 50);
  assert.deepEqual(statuses(moves).filter((status) => ![200, 409, 503].includes(status)), []);
  assert.ok(moves.some(({ status }) => status === 200));
  assert.deepEqual(statuses(answers.slice(50)), [200]);
  // The dispute was committed or waits in the queue; it is sent once more, and ends.
  for (const status of ['needs_response', 'won'])
    await p.store.send(dispute({ id: bought.id + 1, orderId: bought.id, status }));
  const found = await consistent(p, ben, bought);
  assert.equal(found.state, 'paid');
  const told = await p.client.get(`/v1/orders/${id}/attribution`);
  assert.deepEqual([told.reason, told.moved.deal_id], ['moved', found.deal_id]);
  assert.equal(told.moved.automatic.deal_id, p.deal.id);
});

test('fifty equal moves at once have one effect and one answer', async () => {
  const { p, ben, bought, id } = await sold();
  await server.breakD1('slow', { ms: 30 });
  const answers = await Promise.all(
    Array.from({ length: 50 }, () =>
      call(p, 'same', `/v1/orders/${id}/move`, { deal_id: ben.deal.id, reason: 'once' }),
    ),
  );
  await server.breakD1('open');
  assert.deepEqual(statuses(answers), [200]);
  assert.equal(new Set(answers.map(({ text }) => text)).size, 1);
  const { data } = await p.client.get('/v1/audit?action=order.move');
  assert.equal(data.length, 1);
  assert.equal((await consistent(p, ben, bought)).deal_id, ben.deal.id);
});

test('fifty decisions about one claim: one counts, and the order moves with it or stays', async () => {
  const { p, ben, bought } = await sold();
  const hers = await creator(p, ben.deal);
  const { id } = await hers.post('/v1/me/claims', { order_number: bought.name });
  await server.breakD1('slow', { ms: 20 });
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, n) =>
      call(p, `d${n}`, `/v1/claims/${id}/decision`, { outcome: n % 2 ? 'granted' : 'declined' }),
    ),
  );
  await server.breakD1('open');
  const counted = answers.filter(({ status }) => status === 200);
  assert.equal(counted.length, 1, statuses(answers).join());
  const found = await consistent(p, ben, bought);
  assert.equal(found.deal_id, counted[0].json.state === 'granted' ? ben.deal.id : p.deal.id);
  const { data } = await p.client.get('/v1/audit?action=claim.decide');
  assert.equal(data.length, 1);
});

test('forty claims at once: twenty are answered, and one about each order is open', async () => {
  const { p, ben, bought } = await sold();
  const hers = await creator(p, ben.deal);
  await server.breakD1('slow', { ms: 20 });
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, n) =>
      hers.call('POST', '/v1/me/claims', { order_number: n % 2 ? bought.name : `none ${n}` }),
    ),
  );
  await server.breakD1('open');
  const made = answers.filter(({ status }) => status === 201);
  assert.deepEqual(statuses(answers).filter((status) => ![201, 409, 429].includes(status)), []);
  assert.ok(made.length <= 20, String(made.length));
  assert.equal(made.filter(({ json }) => json.state === 'open').length, 1);
});

test('an answer that got lost comes with the same key, and nothing happens again', async () => {
  const { p, ben, bought, id } = await sold();
  const hers = await creator(p, ben.deal);
  const claimed = await hers.post('/v1/me/claims', { order_number: bought.name });
  const grant = () => call(p, 'grant', `/v1/claims/${claimed.id}/decision`, { outcome: 'granted', note: 'yes' });
  const hold = () => call(p, 'hold', `/v1/orders/${id}/disputes`, { state: 'open' });
  for (const [ask, most] of [[grant, 9], [hold, 5]]) {
    // Whichever call of D1 it was whose answer got lost, or which never arrived.
    for (const mode of ['before', 'after']) {
      for (let n = 1; n <= most; n++) {
        await server.breakD1(mode, { call: n });
        const broken = await ask();
        await server.breakD1('open');
        assert.ok([200, 503].includes(broken.status), `${mode} ${n}: ${broken.status} ${broken.text}`);
      }
    }
    const [first, again] = [await ask(), await ask()];
    assert.deepEqual([first.status, first.text], [200, again.text]);
  }
  const actions = (await p.client.get('/v1/audit')).data.map(({ action }) => action);
  for (const action of ['order.move', 'claim.decide', 'order.dispute'])
    assert.equal(actions.filter((one) => one === action).length, 1, action);
  const found = await consistent(p, ben, bought);
  assert.deepEqual([found.deal_id, found.state], [ben.deal.id, 'disputed']);
});
