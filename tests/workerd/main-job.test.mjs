// The product's main job from end to end, through real workerd: clicks and orders come in, the right
// creator earns the right amount, and the books stay right.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { balance, Client, click, eventually, orderOf, programme, sleep, verified, visit, whose } from './support/client.mjs';
import { books, decimal } from './support/model.mjs';
import { startServer } from './support/server.mjs';
import { deleted, edited, nextId, order, refund, workedExample } from './support/shopify.mjs';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const ago = (ms) => Date.now() - ms;

let server;
/** Of a build whose clock a request may set; no fault is switched on. */
let timed;
before(async () => {
  [server, timed] = await Promise.all([startServer(), startServer({ variant: 'canary' })]);
});
after(() => Promise.all([server?.stop(), timed?.stop()]));

/** The order's base, commission and state in the words of the contract. */
async function earned(programme, id) {
  const { base, commission, state } = await orderOf(programme, id);
  return `${base.amount} ${commission.amount} ${commission.currency} ${state}`;
}

describe('a programme from its first day to a creator’s earnings', () => {
  for (const where of ['on /go', 'on the brand’s own link domain']) {
    test(`the contract's worked example, ${where}`, async () => {
      const p = await programme(server);
      let path = `/go/${p.link.slug}`;
      let host;
      if (where !== 'on /go') {
        host = `go.${p.mark}.example`;
        const brand = await p.client.patch('/v1/brand', { link_domain: host });
        assert.equal(brand.link_domain, host);
        const link = await p.client.get(`/v1/links/${p.link.id}`);
        assert.equal(link.url, `https://${host}/${p.link.slug}`);
        path = `/${p.link.slug}`;
      }
      const answer = await visit(server, `${path}?utm_source=ig&ref=evil&click_id=forged`, { host });
      assert.equal(answer.status, 302);
      assert.equal(answer.headers.get('cache-control'), 'no-store');
      assert.equal(answer.headers.get('set-cookie'), null);
      const to = new URL(answer.location);
      assert.equal(to.origin + to.pathname, `${p.storefront}/products/blue-jeans`);
      assert.deepEqual([...to.searchParams.keys()].sort(), ['click_id', 'ref', 'utm_source']);
      assert.equal(to.searchParams.get('ref'), p.link.slug);
      const clickId = to.searchParams.get('click_id');
      assert.match(clickId, /^[A-Za-z0-9_.~-]{1,64}$/);

      const id = nextId();
      const updated = Date.now();
      const paid = workedExample({ id, ref: p.link.slug, landingClick: clickId, updatedAt: updated });
      await p.store.send(paid);
      assert.equal(await earned(p, id), '135.00 13.50 USD paid');
      const { deal_id, method, story, reason } = await whose(p, id);
      assert.deepEqual({ deal_id, method, reason }, { deal_id: p.deal.id, method: 'link', reason: 'won' });
      assert.deepEqual(story, ['link … won']);

      await p.store.send(refund({ orderId: id, lines: [{ line: 2, subtotal: '22.50' }] }));
      assert.equal(await earned(p, id), '112.50 11.25 USD partially_refunded');
      for (const shape of ['old', 'new']) {
        await p.store.send(refund({ orderId: id, shipping: '7.00', shape }));
        assert.equal(await earned(p, id), '112.50 11.25 USD partially_refunded', `shipping, ${shape} shape`);
      }
      assert.equal((await balance(p, p.creator)).pending, '11.25');

      const { url } = await p.client.post(`/v1/deals/${p.deal.id}/invitation`);
      assert.match(url, new RegExp(`^${server.origin}/[^#?]*#tbi_`));
      const token = url.split('#')[1];
      const accepted = await p.client.as().post('/v1/invitations/acceptance', { token });
      assert.deepEqual(accepted.creator, { id: p.creator.id, name: 'anna' });
      const again = await p.client.as().call('POST', '/v1/invitations/acceptance', { token });
      assert.equal(again.status, 409);
      const me = p.client.as(accepted.access_token);
      const deal = await eventually('the click', async () => {
        const { deals } = await me.get('/v1/me/earnings');
        return deals[0].clicks === 1 && deals[0];
      });
      const usd = (amount) => [{ amount, currency: 'USD' }];
      const { links, codes, ...rest } = deal;
      assert.deepEqual(
        links.map((l) => l.url),
        [(await p.client.get(`/v1/links/${p.link.id}`)).url],
      );
      assert.deepEqual(codes, [{ code: 'ANNA10', state: 'active' }]);
      assert.deepEqual(rest, {
        id: p.deal.id,
        brand: p.brand.name,
        campaign: 'Fall',
        state: 'open',
        commission_percent: '10',
        clicks: 1,
        orders: 1,
        revenue: usd('112.50'),
        commission: usd('11.25'),
      });
      const mine = await me.get('/v1/me/orders');
      assert.deepEqual(
        mine.data.map((o) => o.external_id),
        [String(id)],
      );

      await p.store.send(workedExample({ id, updatedAt: updated + 1000, cancelledAt: updated + 1000 }));
      assert.equal(await earned(p, id), '0.00 0.00 USD cancelled');
      const { balances } = await me.get('/v1/me/earnings');
      const zero = '0.00';
      const all = {
        pending: zero,
        available: zero,
        in_payout: zero,
        paid: zero,
        clawback: zero,
        lifetime: zero,
      };
      assert.deepEqual(balances, [{ currency: 'USD', ...all }]);
      assert.equal((await p.client.get(`/v1/deals/${p.deal.id}/performance`)).orders, 0);
      await verified(p);
    });
  }

  test('in any order, any number of times: the same end', async () => {
    const p = await programme(server, { startsAt: '2026-01-01T00:00:00Z' });
    const start = ago(MINUTE);
    const permutations = (all) =>
      all.length < 2
        ? [all]
        : all.flatMap((one, at) => permutations(all.toSpliced(at, 1)).map((rest) => [one, ...rest]));
    const stories = {
      kept: (id) => [
        workedExample({ id, placedAt: start, status: 'pending', codes: [['ANNA10', '15.00']] }),
        workedExample({ id, placedAt: start, updatedAt: start + 5000, codes: [['ANNA10', '15.00']] }),
        refund({ orderId: id, lines: [{ line: 2, subtotal: '22.50' }] }),
        refund({ orderId: id, shipping: '7.00' }),
      ],
      cancelled: (id) => [
        workedExample({ id, placedAt: start, codes: [['ANNA10', '15.00']] }),
        workedExample({ id, placedAt: start, updatedAt: start + 9000, cancelledAt: start + 9000 }),
        refund({ orderId: id, lines: [{ line: 1, subtotal: '90.00' }] }),
        deleted(id),
      ],
    };
    for (const [name, story] of Object.entries(stories)) {
      const ends = new Set();
      for (const deliveries of permutations([0, 1, 2, 3])) {
        const id = nextId();
        const told = story(id);
        await p.store.send(...deliveries.flatMap((at) => [told[at], told[deliveries[0]]]));
        ends.add(await earned(p, id));
      }
      const expected = { kept: '112.50 11.25 USD partially_refunded', cancelled: '0.00 0.00 USD cancelled' };
      assert.deepEqual([...ends], [expected[name]], name);
    }
    assert.equal((await balance(p, p.creator)).lifetime, decimal(24n * 1125n));
    await verified(p);
  });

  test('currencies, included tax, half a cent, gift cards, tips and edits, as the model reckons them', async () => {
    const table = [
      ['12.5', { currency: 'JPY', lines: [{ price: '1000' }] }, '1000 125 JPY'],
      ['12.5', { currency: 'JPY', lines: [{ price: '999' }] }, '999 125 JPY'],
      ['10', { lines: [{ price: '0.05' }] }, '0.05 0.01 USD'],
      ['10', { lines: [{ price: '0.04' }] }, '0.04 0.00 USD'],
      ['10', { currency: 'KWD', lines: [{ price: '1.005' }] }, '1.005 0.101 KWD'],
      ['10', { taxesIncluded: true, lines: [{ price: '119.00', tax: '19.00' }] }, '100.00 10.00 USD'],
      ['10', { taxesIncluded: false, lines: [{ price: '100.00', tax: '19.00' }] }, '100.00 10.00 USD'],
      ['10', { lines: [{ price: '50.00', giftCard: true }, { price: '30.00' }] }, '30.00 3.00 USD'],
      [
        '10',
        { lines: [{ price: '9.00', tip: true, name: 'Tip', product: null }, { price: '30.00' }] },
        '30.00 3.00 USD',
      ],
      ['10', { lines: [{ price: '50.00', giftCard: true }] }, '0.00 0.00 USD'],
      ['10', { lines: [{ price: '10.00', quantity: 3, discounts: ['3.00'], current: 2 }] }, '18.00 1.80 USD'],
      ['33.33', { lines: [{ price: '0.01', quantity: 3 }] }, '0.03 0.01 USD'],
      ['0', { lines: [{ price: '100.00' }] }, '100.00 0.00 USD'],
      ['100', { lines: [{ price: '100.00' }] }, '100.00 100.00 USD'],
      ['10', { status: 'partially_paid' }, '100.00 0.00 USD'],
      ['10', { status: 'voided' }, '0.00 0.00 USD'],
      ['10', { lines: [] }, '0.00 0.00 USD'],
      ['0.01', { lines: [{ price: '9000000000.00' }] }, '9000000000.00 900000.00 USD'],
    ];
    const deals = new Map();
    const p = await programme(server);
    for (const [percent, shape, expected] of table) {
      if (!deals.has(percent)) {
        const name = `rate${percent.replace('.', '_')}`;
        deals.set(percent, await p.addDeal({ name, percent }));
      }
      const payload = order({ placedAt: Date.now(), codes: [[deals.get(percent).code, '0']], ...shape });
      const model = books([payload], percent);
      const { currency } = payload;
      const line = `${decimal(model.base, currency)} ${decimal(model.commission, currency)} ${currency}`;
      assert.equal(line, expected, 'the model');
      await p.store.send(payload);
      const got = await earned(p, payload.id);
      assert.ok(got.startsWith(`${expected} `), `${JSON.stringify(shape)} at ${percent} %: ${got}`);
    }
    // What the customer paid in is nobody's business: the shop's money counts.
    const foreign = order({ codes: [['ANNA10', '0']], presentment: 'EUR', lines: [{ price: '20.00' }] });
    foreign.line_items[0].price_set.presentment_money = { amount: '18.47', currency_code: 'EUR' };
    await p.store.send(foreign);
    assert.equal(await earned(p, foreign.id), '20.00 2.00 USD paid');
    const rows = await p.client.get(`/v1/creators/${deals.get('12.5').creator.id}/balances`);
    assert.deepEqual(
      rows.data.map((r) => [r.currency, r.pending]),
      [
        ['JPY', '250'],
        ['USD', '0.00'],
      ],
    );
    await p.store.send(edited(foreign.id, [{ id: 1, delta: 1 }]));
    assert.equal(await earned(p, foreign.id), '20.00 2.00 USD paid', 'an edit alone moves no money');
    await verified(p);
  });

  test('an order earns by the brand’s settings when it came: when placed, and test orders', async () => {
    const p = await programme(server, { settings: { earn_on: 'placed', count_test_orders: true } });
    const placed = order({ status: 'pending', codes: [['ANNA10', '0']] });
    const trial = order({ test: true, codes: [['ANNA10', '0']] });
    await p.store.send(placed, trial);
    await p.client.patch('/v1/brand', { earn_on: 'paid', count_test_orders: false });
    const late = order({ test: true, codes: [['ANNA10', '0']] });
    await p.store.send(late, { ...placed, updated_at: new Date(Date.now() + 1000).toISOString() });
    assert.equal(await earned(p, placed.id), '100.00 10.00 USD unpaid');
    assert.equal(await earned(p, trial.id), '100.00 10.00 USD paid');
    assert.equal((await orderOf(p, late.id)).commission.amount, '0.00');
    assert.deepEqual((await whose(p, late.id)).story, ['code ANNA10 test_order']);
    await verified(p);
  });
});

describe('whose order it is', () => {
  let p;
  let ben;
  before(async () => {
    p = await programme(server);
    ben = await p.addDeal({ name: 'ben' });
  });

  test('a code goes before a link, until the brand says otherwise for orders placed from then on', async () => {
    const q = await programme(server);
    const eve = await q.addDeal({ name: 'eve' });
    const both = async () => ({ codes: [[q.code, '5.00']], clicks: [await click(server, eve.link)] });
    const first = order(await both());
    const early = order({ ...(await both()), placedAt: Date.now() });
    await sleep(5);
    await q.client.patch('/v1/brand', { attribution: { precedence: 'link_first' } });
    await sleep(5);
    const second = order({ ...(await both()), placedAt: Date.now() });
    await q.store.send(first, second, early);
    assert.equal((await whose(q, first.id)).deal_id, q.deal.id);
    assert.deepEqual((await whose(q, first.id)).story, ['code ANNA10 won', 'link … lower_precedence']);
    assert.equal(
      (await whose(q, early.id)).deal_id,
      q.deal.id,
      'placed before the change, delivered after it',
    );
    assert.equal((await whose(q, second.id)).deal_id, eve.deal.id);
    assert.deepEqual((await whose(q, second.id)).story, ['code ANNA10 lower_precedence', 'link … won']);
  });

  test('of two codes the larger discount, of equal ones the first; of two clicks the later', async () => {
    const larger = order({
      codes: [
        [p.code, '5.00'],
        [ben.code, '6.00'],
      ],
    });
    const equal = order({
      codes: [
        ['ben10', '5.00'],
        ['anna10', '5.00'],
      ],
    });
    const [one, two] = [await click(server, ben.link), (await sleep(3), await click(server, p.link))];
    const clicks = order({ clicks: [one], landingClick: two });
    await p.store.send(larger, equal, clicks);
    assert.deepEqual((await whose(p, larger.id)).story, ['code ANNA10 smaller_discount', 'code BEN10 won']);
    assert.deepEqual((await whose(p, equal.id)).story, ['code ben10 won', 'code anna10 smaller_discount']);
    assert.deepEqual((await whose(p, clicks.id)).story, ['link … older_click', 'link … won']);
    assert.equal((await whose(p, clicks.id)).deal_id, p.deal.id);
  });

  test('foreign and made-up evidence names nobody and blocks nobody', async () => {
    const other = await programme(server);
    const theirs = await click(server, other.link);
    const own = await click(server, p.link);
    const forged = own.slice(0, -2) + (own.endsWith('AA') ? 'BB' : 'AA');
    const mixed = order({ codes: [['SUMMER', '20.00']], clicks: [theirs, forged, own], manual: 'ANNA10' });
    const manual = order({ manual: 'ANNA10' });
    const foreign = order({ clicks: [theirs], ref: other.link.slug });
    await p.store.send(mixed, manual, foreign);
    const found = await whose(p, mixed.id);
    assert.equal(found.deal_id, p.deal.id);
    const expected = ['code SUMMER unknown_code', 'code ANNA10 not_a_code_application'];
    const links = ['link … bad_signature', 'link … bad_signature', 'link … won'];
    assert.deepEqual(found.story, [...expected, ...links]);
    assert.ok(
      found.candidates.slice(0, 4).every((c) => c.deal_id === null),
      JSON.stringify(found.candidates),
    );
    assert.deepEqual((await whose(p, manual.id)).story, ['code ANNA10 not_a_code_application']);
    const strangers = await whose(p, foreign.id);
    assert.equal(strangers.deal_id, null);
    assert.equal(strangers.candidates[0].reason, 'bad_signature');
    assert.equal(strangers.order.commission.amount, '0.00');
    // The other brand sees none of it.
    assert.deepEqual((await other.client.get('/v1/orders')).data, []);
  });

  test('a bare ref counts after every click; nothing names nobody', async () => {
    const bare = order({ ref: p.link.slug.toUpperCase() });
    const behind = order({ ref: ben.link.slug, clicks: [await click(server, p.link)] });
    const none = order();
    await p.store.send(bare, behind, none);
    assert.equal((await whose(p, bare.id)).deal_id, p.deal.id);
    assert.equal((await whose(p, behind.id)).deal_id, p.deal.id);
    assert.deepEqual([(await whose(p, none.id)).deal_id, (await whose(p, none.id)).story], [null, []]);
  });

  test('a creator’s own purchase earns nothing and goes to nobody else', async () => {
    const own = order({
      email: ` ${p.email.toUpperCase()} `,
      codes: [[p.code, '5.00']],
      clicks: [await click(server, ben.link)],
    });
    await p.store.send(own);
    const found = await whose(p, own.id);
    assert.deepEqual([found.deal_id, found.reason], [null, 'self_purchase']);
    assert.deepEqual(found.story, ['code ANNA10 self_purchase', 'link … lower_precedence']);
    assert.equal(found.order.commission.amount, '0.00');
    const hashes = JSON.stringify(
      await server.sql(`SELECT facts FROM orders WHERE id = '${found.order.id}'`),
    );
    assert.ok(!hashes.toLowerCase().includes(p.email), 'no address is stored');
  });

  test('closed deals, closed links, deals before their terms', async () => {
    const q = await programme(server);
    const eve = await q.addDeal({ name: 'eve', startsAt: new Date(Date.now() + DAY).toISOString() });
    const bare = await q.addDeal({ name: 'kim', percent: null });
    const clickId = await click(server, q.link);
    const before = order({ codes: [[q.code, '1.00']], placedAt: ago(1) });
    const early = order({
      codes: [
        [eve.code, '3.00'],
        [bare.code, '2.00'],
        [q.code, '1.00'],
      ],
      placedAt: Date.now(),
    });
    await q.store.send(early);
    const expected = ['code EVE10 before_terms', 'code KIM10 before_terms', 'code ANNA10 won'];
    assert.deepEqual((await whose(q, early.id)).story, expected);

    await q.client.patch(`/v1/links/${q.link.id}`, { state: 'closed' });
    const closed = await visit(server, `/go/${q.link.slug}?utm_source=x`);
    assert.deepEqual([closed.status, closed.location], [302, `${q.storefront}/`]);
    const clicked = order({ clicks: [clickId] });
    await q.store.send(clicked);
    assert.equal((await whose(q, clicked.id)).deal_id, q.deal.id, 'clicks from before it was closed count');

    await sleep(5);
    await q.client.patch(`/v1/deals/${q.deal.id}`, { state: 'closed' });
    await sleep(5);
    const after = order({ codes: [[q.code, '1.00']] });
    await q.store.send(after, before);
    assert.deepEqual((await whose(q, after.id)).story, ['code ANNA10 deal_closed']);
    assert.deepEqual(
      (await whose(q, before.id)).story,
      ['code ANNA10 won'],
      'placed before, delivered after',
    );
  });

  test('new terms change no order that is already decided', async () => {
    const q = await programme(server);
    const old = order({ codes: [[q.code, '1.00']] });
    await q.store.send(old);
    await sleep(5);
    await q.client.post(`/v1/deals/${q.deal.id}/terms`, { commission_percent: '20' });
    await sleep(5);
    const fresh = order({ codes: [[q.code, '1.00']] });
    await q.store.send(fresh, { ...old, updated_at: new Date(Date.now() + 1000).toISOString() });
    await q.store.send(refund({ orderId: old.id, lines: [{ line: 1, subtotal: '50.00' }] }));
    assert.equal((await orderOf(q, fresh.id)).commission.amount, '20.00');
    assert.equal((await orderOf(q, old.id)).commission.amount, '5.00');
    const back = { commission_percent: '30', starts_at: new Date(ago(DAY)).toISOString() };
    assert.equal((await q.client.call('POST', `/v1/deals/${q.deal.id}/terms`, back)).status, 422);
  });

  test('clicks count for 30 days, and five minutes the other way', async () => {
    const q = await programme(timed, { startsAt: '2026-01-01T00:00:00Z' });
    const now = Date.now();
    const at = (time) => click(timed, q.link, { headers: { 'x-tributary-now': String(time) } });
    const table = [
      [now - 30 * DAY, 'won'],
      [now - 30 * DAY - 1, 'outside_window'],
      [now + 5 * MINUTE, 'won'],
      [now + 5 * MINUTE + 1, 'outside_window'],
    ];
    for (const [time, reason] of table) {
      const payload = order({ placedAt: now, clicks: [await at(time)] });
      await q.store.send(payload);
      const found = await whose(q, payload.id);
      assert.deepEqual(found.story, [`link … ${reason}`], `${time - now} ms`);
      assert.equal(Date.parse(found.candidates[0].at), time, 'the time to the millisecond');
    }
    await q.client.patch('/v1/brand', { attribution: { window_days: 1, clicks: 'first' } });
    const later = Date.now() + 1000;
    const [older, newer, last] = [await at(later - DAY - 1), await at(later - DAY), await at(later - 1)];
    const payload = order({ placedAt: later, clicks: [last, newer, older] });
    await q.store.send(payload);
    assert.deepEqual((await whose(q, payload.id)).story, [
      'link … older_click',
      'link … won',
      'link … outside_window',
    ]);
  });
});

describe('the books', () => {
  test('a hold that ended is available at once, and posted by the job', async () => {
    const p = await programme(server, { startsAt: '2026-01-01T00:00:00Z' });
    const due = order({ placedAt: ago(31 * DAY), codes: [[p.code, '1.00']] });
    const held = order({ placedAt: ago(2 * DAY), codes: [[p.code, '1.00']], lines: [{ price: '40.00' }] });
    await p.store.send(due, held);
    const shown = async () => {
      const { pending, available, clawback, lifetime } = await balance(p, p.creator);
      return `${pending} ${available} ${clawback} ${lifetime}`;
    };
    assert.equal(await shown(), '4.00 10.00 0.00 14.00');
    const accounts = async () => {
      const rows = `SELECT account, sum(amount_minor) AS sum FROM entries WHERE brand_id = '${p.brand.id}' GROUP BY account`;
      return Object.fromEntries((await server.sql(rows))[0].map(({ account, sum }) => [account, sum]));
    };
    assert.deepEqual(await accounts(), { commission: -1400, pending: 1400 });
    for (let run = 0; run < 2; run++) {
      assert.equal((await server.triggerCron({ cron: 'all' })).outcome, 'ok');
      assert.equal(await shown(), '4.00 10.00 0.00 14.00');
      assert.deepEqual(await accounts(), { available: 1000, commission: -1400, pending: 400 });
    }
    // Taken back after it was released: first what is available, then what is owed; later earnings pay that off.
    await p.store.send(refund({ orderId: due.id, lines: [{ line: 1, subtotal: '60.00' }] }));
    assert.equal(await shown(), '4.00 4.00 0.00 8.00');
    await verified(p);

    const q = await programme(timed, { startsAt: '2026-01-01T00:00:00Z' });
    const payload = order({ codes: [[q.code, '1.00']] });
    await q.store.send(payload);
    const at = async (days) =>
      (await balance({ client: q.client.at(Date.now() + days * DAY) }, q.creator)).available;
    assert.deepEqual([await at(29), await at(30)], ['0.00', '10.00'], '30 days after it was placed');
  });

  test('sealed entries prove themselves; a rewrite is refused, and found where it could not be', async () => {
    const own = await startServer();
    try {
      const p = await programme(own);
      for (let n = 0; n < 5; n++) await p.store.send(workedExample({ codes: [[p.code, '15.00']] }));
      assert.equal((await verified(p)).head, null);
      await own.triggerCron({ cron: 'all' });
      const sealed = await verified(p);
      assert.deepEqual([sealed.transactions, sealed.entries, sealed.head.size], [5, 10, 10]);
      assert.match(sealed.head.root, /^[0-9a-f]{64}$/);

      const columns =
        'brand_id, sequence, txn, account, creator_id, day, currency, amount_minor, cause, cause_id, posted_at_ms';
      const changed = `SELECT ${columns.replace('amount_minor', 'amount_minor * 2')} FROM entries WHERE sequence = 2`;
      const rewrites = [
        'UPDATE entries SET amount_minor = amount_minor * 2 WHERE sequence = 2',
        'UPDATE OR REPLACE entries SET sequence = 2 WHERE sequence = 3',
        'UPDATE entries SET amount_minor = e.amount_minor * 2 FROM entries AS e WHERE entries.sequence = 2 AND e.sequence = 2',
        'DELETE FROM entries WHERE sequence = 10',
        'DELETE FROM entries',
        `INSERT OR REPLACE INTO entries (${columns}) ${changed}`,
        `REPLACE INTO entries (${columns}) ${changed}`,
        `INSERT INTO entries (${columns}) ${changed} ON CONFLICT DO UPDATE SET amount_minor = 1`,
        `INSERT OR IGNORE INTO entries (${columns}) ${changed}`,
      ];
      const all = async () => (await own.sql('SELECT * FROM entries ORDER BY sequence'))[0];
      const before = await all();
      for (const sql of rewrites) {
        await assert.rejects(own.sql(sql), /append-only/, sql);
        assert.deepEqual(await all(), before, sql);
      }

      // Someone with the keys to the database drops the triggers.
      const triggers = (
        await own.sql("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'entries'")
      )[0];
      await own.sql(...triggers.map(({ name }) => `DROP TRIGGER ${name}`));
      const look = async () => {
        const { balances_match, chain_intact, sums } = await p.client.get('/v1/ledger/verification');
        return { balances_match, chain_intact, sum: sums.USD };
      };
      const right = { balances_match: true, chain_intact: true, sum: '0.00' };
      assert.deepEqual(await look(), right);
      // A whole transaction and its balance made larger: only the chain can tell.
      const scale = (by) => [
        `UPDATE entries SET amount_minor = amount_minor ${by} WHERE txn = 3`,
        `UPDATE balances SET amount_minor = amount_minor + ${by === '* 2' ? 1350 : -1350} WHERE account = 'pending'`,
      ];
      await own.sql(...scale('* 2'));
      assert.deepEqual(await look(), { ...right, chain_intact: false });
      await own.sql(...scale('/ 2'));
      assert.deepEqual(await look(), right);
      for (const [sql, undo] of [
        [
          "UPDATE entries SET cause_id = 'order_x' WHERE sequence = 4",
          `UPDATE entries SET cause_id = '${before[3].cause_id}' WHERE sequence = 4`,
        ],
        [
          'UPDATE entries SET posted_at_ms = posted_at_ms + 1 WHERE sequence = 1',
          'UPDATE entries SET posted_at_ms = posted_at_ms - 1 WHERE sequence = 1',
        ],
        [
          'UPDATE entries SET sequence = 11 WHERE sequence = 10',
          'UPDATE entries SET sequence = 10 WHERE sequence = 11',
        ],
      ]) {
        await own.sql(sql);
        assert.equal((await look()).chain_intact, false, sql);
        await own.sql(undo);
        assert.deepEqual(await look(), right);
      }
      await own.sql('UPDATE balances SET amount_minor = amount_minor + 1');
      assert.deepEqual(await look(), { ...right, balances_match: false });
      await own.sql('UPDATE balances SET amount_minor = amount_minor - 1');
      await own.sql('UPDATE entries SET amount_minor = amount_minor - 1 WHERE sequence = 1');
      assert.deepEqual(await look(), { balances_match: false, chain_intact: false, sum: '-0.01' });
      await own.sql('UPDATE entries SET amount_minor = amount_minor + 1 WHERE sequence = 1');
      // The last two cut off, with what they folded into.
      await own.sql(
        'DELETE FROM entries WHERE txn = 9',
        "UPDATE balances SET amount_minor = amount_minor - 1350 WHERE account = 'pending'",
      );
      assert.deepEqual(await look(), { ...right, chain_intact: false });
    } finally {
      await own.stop();
    }
  });

  test('jobs tell when they ran', async () => {
    await timed.triggerCron({ cron: 'all' });
    const status = await new Client(timed).get('/v1/status');
    assert.deepEqual(status.jobs.map((job) => [job.name, job.succeeded]).sort(), [
      ['automations', true],
      ['bulk_actions', true],
      ['draft_payouts', true],
      ['expire_mails', true],
      ['expire_quarantine', true],
      ['look_at_stores', true],
      ['look_for_automations', true],
      ['outbox', true],
      ['outreach', true],
      ['post_fees', true],
      ['rank_deals', true],
      ['redact', true],
      ['release_holds', true],
      ['retention', true],
      ['rewrap', true],
      ['schedule_syncs', true],
      ['seal_ledger', true],
      ['send_mails', true],
      ['send_payouts', true],
      ['tiers', true],
      ['verify_domains', true],
      ['watch_codes', true],
      ['watch_collections', true],
      ['webhooks', true],
    ]);
    assert.equal(status.unsealed_age_seconds, null);
  });
});
