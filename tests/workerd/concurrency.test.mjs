// Everything at once: whatever arrives together, the books end as if it had come in turn.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { balance, eventually, orderOf, programme, sleep, verified } from './support/client.mjs';
import { books, decimal } from './support/model.mjs';
import { startServer } from './support/server.mjs';
import { deleted, nextId, order, refund, workedExample } from './support/shopify.mjs';

let server;
before(async () => (server = await startServer()));
after(() => server?.stop());

/** Fifty different deliveries of one order, of all kinds; `random` shuffles them. */
function fifty(id, code, { cancel = false, random = Math.random } = {}) {
  const start = Date.parse('2026-11-01T00:00:00Z');
  const at = (second, more) =>
    workedExample({
      id,
      placedAt: start,
      updatedAt: start + second * 1000,
      codes: [[code, '15.00']],
      ...more,
    });
  const refunds = Array.from({ length: 12 }, (_, n) =>
    refund({ orderId: id, lines: [{ line: 2, subtotal: (0.37 * (n + 1)).toFixed(2) }] }),
  );
  const told = [
    at(0, { status: 'pending' }),
    at(1, { status: 'authorized' }),
    ...Array.from({ length: 10 }, (_, n) => at(2 + n)),
    ...Array.from({ length: 12 }, (_, n) =>
      at(20 + n, { status: 'partially_refunded', refunds: refunds.slice(0, n + 1) }),
    ),
    ...refunds,
    refund({ orderId: id, shipping: '7.00' }),
    refund({ orderId: id, shipping: '1.00', shape: 'old' }),
    refund({ orderId: id, amount: '3.33' }),
    ...(cancel
      ? [at(90, { cancelledAt: start + 90_000 }), deleted(id)]
      : [at(90, { status: 'partially_refunded' })]),
  ];
  while (told.length < 50) told.push(told[Math.floor(random() * told.length)]);
  return told
    .map((payload) => [random(), payload])
    .sort(([a], [b]) => a - b)
    .map(([, payload]) => payload);
}

/** Delivers all at once and answers what is wrong with the books when they have settled: '' if nothing. */
async function atOnce(p, id, deliveries, { timeout = 60_000 } = {}) {
  const statuses = await Promise.all(
    deliveries.map(async (payload) => (await p.store.deliver(payload)).status),
  );
  assert.deepEqual([...new Set(statuses)], [200]);
  return wrong(p, new Map([[id, books(deliveries, '10')]]), { timeout });
}

/** Compares orders, balance, totals and ledger with the model, until they are right or time is over. */
async function wrong(p, model, { timeout }) {
  const end = Date.now() + timeout;
  for (;;) {
    const faults = [];
    let sum = 0n;
    let base = 0n;
    for (const [id, expected] of model) {
      const found = await orderOf(p, id);
      const got = `${found.base.amount} ${found.commission.amount}`;
      const right = `${decimal(expected.base)} ${decimal(expected.commission)}`;
      if (got !== right) faults.push(`order ${id} is ${got}, not ${right}`);
      sum += expected.commission;
      base += expected.base;
    }
    const { lifetime } = await balance(p, p.creator);
    if (lifetime !== decimal(sum)) faults.push(`the balance is ${lifetime}, not ${decimal(sum)}`);
    const { orders, revenue, commission } = await p.client.get(`/v1/deals/${p.deal.id}/performance`);
    const kept = [...model.values()].filter(({ state }) => state !== 'cancelled').length;
    const totals = `${orders} ${revenue[0]?.amount} ${commission[0]?.amount}`;
    const counted = `${kept} ${decimal(base)} ${decimal(sum)}`;
    if (totals !== counted) faults.push(`the deal's totals are ${totals}, not ${counted}`);
    const ledger = await p.client.get('/v1/ledger/verification');
    if (!ledger.balances_match || !ledger.chain_intact) faults.push('the ledger does not verify');
    if (faults.length === 0 || Date.now() > end) return faults.join('; ');
    await sleep(250);
  }
}

const starting = { startsAt: '2026-01-01T00:00:00Z' };

describe('at once', () => {
  for (const cancel of [false, true]) {
    test(`50 different deliveries of one order${cancel ? ', cancelled' : ''}`, async () => {
      const p = await programme(server, starting);
      const id = nextId();
      const deliveries = fifty(id, p.code, { cancel });
      assert.equal(deliveries.length, 50);
      assert.equal(await atOnce(p, id, deliveries), '');
      const order = await orderOf(p, id);
      const posted = `SELECT coalesce(sum(amount_minor), 0) AS sum FROM entries WHERE cause_id = '${order.id}' AND account <> 'commission'`;
      const [{ sum }] = (await server.sql(posted))[0];
      assert.equal(decimal(BigInt(sum)), order.commission.amount, 'the postings of the order');
    });
  }

  test('100 identical deliveries', async () => {
    const p = await programme(server, starting);
    const payload = workedExample({ codes: [[p.code, '15.00']] });
    assert.equal(await atOnce(p, payload.id, Array(100).fill(payload)), '');
    const entries = `SELECT count(*) AS n FROM entries WHERE brand_id = '${p.brand.id}'`;
    assert.equal((await server.sql(entries))[0][0].n, 2);
  });

  test('refunds of two orders of one creator, after their hold', async () => {
    const p = await programme(server, starting);
    const placedAt = Date.now() - 40 * 86_400_000;
    const two = [0, 1].map(() => order({ placedAt, codes: [[p.code, '1.00']] }));
    await p.store.send(...two);
    await server.triggerCron({ cron: 'all' });
    const back = two.flatMap(({ id }) =>
      Array.from({ length: 10 }, () => refund({ orderId: id, lines: [{ line: 1, subtotal: '7.00' }] })),
    );
    await Promise.all(back.map((payload) => p.store.send(payload)));
    const model = two.map((o) => [o.id, books([o, ...back.filter((r) => r.order_id === o.id)], '10')]);
    assert.equal(await wrong(p, new Map(model), { timeout: 60_000 }), '');
    assert.equal((await balance(p, p.creator)).available, '6.00');
  });

  test('orders and the job that ends holds', async () => {
    const p = await programme(server, starting);
    const placedAt = Date.now() - 40 * 86_400_000;
    const orders = Array.from({ length: 30 }, () => order({ placedAt, codes: [[p.code, '1.00']] }));
    const jobs = (async () => {
      for (let n = 0; n < 5; n++) await server.triggerCron({ cron: 'all' });
    })();
    await Promise.all([jobs, ...orders.map((payload) => p.store.send(payload))]);
    await Promise.all([server.triggerCron({ cron: 'all' }), server.triggerCron({ cron: 'all' })]);
    assert.equal(
      await wrong(p, new Map(orders.map((o) => [o.id, books([o], '10')])), { timeout: 60_000 }),
      '',
    );
    const { pending, available } = await balance(p, p.creator);
    assert.deepEqual([pending, available], ['0.00', '300.00']);
    await verified(p);
  });

  test('20 acceptances of one invitation: one token', async () => {
    const p = await programme(server);
    const { url } = await p.client.post(`/v1/deals/${p.deal.id}/invitation`);
    const token = url.split('#')[1];
    const accept = () => p.client.as().call('POST', '/v1/invitations/acceptance', { token });
    const statuses = (await Promise.all(Array.from({ length: 20 }, accept))).map(({ status }) => status);
    assert.deepEqual(statuses.sort(), [201, ...Array(19).fill(409)]);
    const tokens = `SELECT count(*) AS n FROM creator_tokens WHERE creator_id = '${p.creator.id}'`;
    assert.equal((await server.sql(tokens))[0][0].n, 1);
  });

  test('20 links, codes and brands’ hosts of one name: one each', async () => {
    const p = await programme(server);
    const statuses = async (path, body) =>
      (await Promise.all(Array.from({ length: 20 }, () => p.client.call('POST', path, body))))
        .map((a) => a.status)
        .sort();
    const once = [201, ...Array(19).fill(409)];
    assert.deepEqual(await statuses(`/v1/deals/${p.deal.id}/links`, { slug: `same-${p.mark}` }), once);
    assert.deepEqual(
      await statuses(`/v1/deals/${p.deal.id}/codes`, { code: 'SAME', create_in_store: false }),
      once,
    );
    const links = await Promise.all(
      Array.from({ length: 20 }, () => p.client.post(`/v1/deals/${p.deal.id}/links`, {})),
    );
    assert.equal(new Set(links.map(({ slug }) => slug)).size, 20);
    const others = await Promise.all(Array.from({ length: 4 }, () => programme(server)));
    const host = { link_domain: `go.${p.mark}.example` };
    const claims = await Promise.all(others.map((q) => q.client.call('PATCH', '/v1/brand', host)));
    assert.deepEqual(claims.map(({ status }) => status).sort(), [200, 409, 409, 409]);
  });
});

test('known-bad: without the revision guard, the 50 deliveries are caught', async () => {
  const bad = await startServer({ variant: 'canary', vars: { CANARY: 'no_guard' } });
  try {
    const caught = [];
    for (let round = 0; round < 5 && caught.length === 0; round++) {
      const p = await programme(bad, starting);
      const id = nextId();
      const fault = await atOnce(p, id, fifty(id, p.code), { timeout: 4000 }).catch((error) => error.message);
      if (fault) caught.push(fault);
    }
    assert.ok(caught.length > 0, 'the checker sees nothing wrong with a build that is wrong');
  } finally {
    await bad.stop();
  }
});

test('and the same build with the guard is not', async () => {
  const good = await startServer({ variant: 'canary' });
  try {
    const p = await programme(good, starting);
    const id = nextId();
    assert.equal(await atOnce(p, id, fifty(id, p.code)), '');
    await eventually('the ledger', () => verified(p));
  } finally {
    await good.stop();
  }
});
