// Deliveries and clicks as they come, through real workerd: in any order, twice, unusable, by other hands; and
// what counts as a shopper.
import '@shopify/shopify-api/adapters/node';
import { shopifyApi } from '@shopify/shopify-api';
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { eventually, orderOf, programme, sleep, verified, visit, whose } from './support/client.mjs';
import { books, decimal } from './support/model.mjs';
import { startServer } from './support/server.mjs';
import { deleted, nextId, order, refund, sign, workedExample } from './support/shopify.mjs';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const root = new URL('..', import.meta.url);

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

describe('deliveries', () => {
  test('a refund, a cancellation or a deletion may come before its order', async () => {
    const p = await programme(server);
    const id = nextId();
    await p.store.send(refund({ orderId: id, lines: [{ line: 2, subtotal: '22.50' }] }));
    const { state, placed_at, deal_id, commission } = await orderOf(p, id);
    assert.deepEqual(
      { state, placed_at, deal_id, commission: commission.amount },
      {
        ...{ state: 'unpaid', placed_at: null },
        ...{ deal_id: null, commission: '0.00' },
      },
    );
    await p.store.send(workedExample({ id, codes: [[p.code, '15.00']] }));
    assert.equal(await earned(p, id), '112.50 11.25 USD partially_refunded');
    const gone = nextId();
    await p.store.send(deleted(gone), workedExample({ id: gone, codes: [[p.code, '15.00']] }));
    assert.equal(await earned(p, gone), '0.00 0.00 USD cancelled');
    await verified(p);
  });

  test('again, under other headers and as other topics: nothing more', async () => {
    const p = await programme(server);
    const payload = workedExample({ codes: [[p.code, '15.00']] });
    await p.store.send(payload);
    const before = await server.sql(
      'SELECT * FROM entries',
      'SELECT * FROM orders',
      'SELECT * FROM deal_days',
    );
    for (const topic of ['orders/create', 'orders/paid', 'refunds/create', 'app/uninstalled', '']) {
      const headers = {
        'x-shopify-event-id': crypto.randomUUID(),
        'x-shopify-shop-domain': 'evil.myshopify.com',
      };
      const { status } = await p.store.deliver(payload, { topic, headers });
      assert.equal(status, 200);
    }
    const after = await server.sql(
      'SELECT * FROM entries',
      'SELECT * FROM orders',
      'SELECT * FROM deal_days',
    );
    assert.deepEqual(after, before);
  });

  test('every store has its own secret; a rotated one is accepted for an hour', async () => {
    const p = await programme(timed);
    const q = await programme(timed);
    const payload = () => order({ codes: [['ANNA10', '1.00']] });
    assert.equal((await p.store.deliver(payload(), { secret: q.store.secret })).status, 401);
    const now = Date.now();
    await p.client.at(now).patch(`/v1/stores/${p.store.id}`, { client_secret: 'new secret' });
    const status = async (secret, at) => (await p.store.deliver(payload(), { secret, at })).status;
    assert.equal(await status('new secret', now + 1), 200);
    assert.equal(await status(p.store.secret, now + 1), 200);
    assert.equal(await status(p.store.secret, now + 60 * MINUTE - 1), 200);
    assert.equal(await status(p.store.secret, now + 60 * MINUTE), 401);
    assert.equal(await status('new secret', now + 60 * MINUTE), 200);
    // Another change takes nothing from the hour of those before.
    await p.client.at(now + 1).patch(`/v1/stores/${p.store.id}`, { client_secret: 'third secret' });
    assert.equal(await status(p.store.secret, now + 2), 200);
    assert.equal(await status('new secret', now + 2), 200);
    assert.equal(await status('third secret', now + 2), 200);
    // Sealed where it is kept.
    const stored = JSON.stringify(await timed.sql('SELECT * FROM stores'));
    assert.ok(!stored.includes('third secret') && !stored.includes(p.store.secret));
  });

  test('what is authentic but unusable waits in quarantine until it is replayed', async () => {
    const p = await programme(timed);
    const early = order({
      placedAt: Date.now() + 3 * DAY,
      codes: [[p.code, '1.00']],
      email: 'secret@people.example',
    });
    await p.store.send(early, early);
    await p.store.send('{"not json');
    const list = (await p.client.get('/v1/quarantine')).data;
    assert.equal(list.length, 2, 'the same body once');
    const found = list.find((one) => /dated/.test(one.reason));
    assert.deepEqual([found.store_id, found.replayable, found.replayed_at], [p.store.id, true, null]);
    assert.equal((await p.client.get('/v1/orders')).data.length, 0);
    const rows = JSON.stringify(await timed.sql('SELECT * FROM quarantine'));
    assert.ok(!rows.includes('secret@') && !rows.includes('not json'), 'bodies are sealed');

    const replay = (client) => client.call('POST', `/v1/quarantine/${found.id}/replay`);
    assert.equal((await replay(p.client)).json.outcome, 'unusable');
    const then = p.client.at(Date.now() + 3 * DAY);
    assert.deepEqual((await replay(then)).json, { id: found.id, outcome: 'committed', reason: null });
    assert.equal((await replay(then)).status, 409);
    assert.equal(await earned(p, early.id), '100.00 10.00 USD paid');
    const q = await programme(timed);
    assert.equal((await replay(q.client)).status, 404, 'another brand’s');
    await verified(p);
  });

  test('published samples are taken and earn what they say', async () => {
    const p = await programme(server, { startsAt: '2000-01-01T00:00:00Z' });
    const folder = new URL('fixtures/shopify/', root);
    const files = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.json'));
    assert.ok(files.length > 25);
    for (const name of files) {
      const body = readFileSync(new URL(name, folder));
      const { status, text } = await p.store.deliver(body);
      assert.equal(status, 200, `${name}: ${text}`);
      // API answers wrap what a webhook delivers bare.
      const inner = JSON.parse(body);
      const wrapped = inner.order ?? inner.refund;
      if (wrapped) assert.equal((await p.store.deliver(wrapped)).status, 200, name);
    }
    const official = await orderOf(p, '820982911946154508');
    assert.equal(official.state, 'cancelled', 'voided, cancelled and a test');
    assert.equal(official.commission.amount, '0.00');
    const { data } = await p.client.get('/v1/orders?limit=200');
    assert.ok(data.length > 3 && data.every((o) => o.commission.amount === '0.00'));
    // Nobody's code is in them: what a deal with their code would earn is another matter.
    const q = await programme(server, {
      startsAt: '2000-01-01T00:00:00Z',
      settings: { count_test_orders: true },
    });
    await q.client.post(`/v1/deals/${q.deal.id}/codes`, { code: 'tenoff', create_in_store: false });
    const sample = JSON.parse(readFileSync(new URL('shopify-api-ruby/order_test_8.json', folder))).order;
    await q.store.send(sample);
    const { commission } = books([sample], '10');
    assert.equal((await orderOf(q, sample.id)).commission.amount, decimal(commission));
    const test = JSON.parse(readFileSync(new URL('shopify-docs/2026-07__orders_create.json', folder)));
    await q.store.send({
      ...test,
      id: nextId(),
      discount_codes: sample.discount_codes,
      discount_applications: sample.discount_applications,
    });
    assert.ok(
      (await q.client.get('/v1/orders')).data.every(
        (o) => o.state !== 'cancelled' || o.commission.amount === '0.00',
      ),
    );
    await verified(q);
  });

  test('Shopify’s own library signs what the product accepts, and accepts what the tests sign', async () => {
    const p = await programme(server);
    const shopify = shopifyApi({
      apiKey: 'app',
      apiSecretKey: p.store.secret,
      apiVersion: '2026-07',
      hostName: 'app.example',
      isEmbeddedApp: false,
      logger: { log: () => {} },
    });
    const body = JSON.stringify(workedExample({ codes: [[p.code, '15.00']], name: '#Ünïcödé 日本' }));
    // The library's own path from a secret to an HMAC.
    const { createSHA256HMAC } = await import('@shopify/shopify-api/runtime');
    const hmac = await createSHA256HMAC(p.store.secret, body);
    assert.equal((await p.store.deliver(body, { signature: hmac })).status, 200);
    assert.equal((await p.client.get('/v1/orders')).data[0].commission.amount, '13.50');
    const rawRequest = (signature) => ({
      method: 'POST',
      url: p.store.path,
      headers: {
        'x-shopify-hmac-sha256': signature,
        'x-shopify-topic': 'orders/paid',
        'x-shopify-api-version': '2026-07',
        'x-shopify-shop-domain': 'casa.myshopify.com',
        'x-shopify-webhook-id': crypto.randomUUID(),
      },
    });
    const validate = (signature) =>
      shopify.webhooks.validate({ rawBody: body, rawRequest: rawRequest(signature), rawResponse: {} });
    assert.equal((await validate(sign(body, p.store.secret))).valid, true);
    assert.equal((await validate(sign(body, 'another'))).valid, false);
  });
});

describe('clicks', () => {
  test('shoppers count, everything else is counted apart', async () => {
    const p = await programme(server);
    const apps = readFileSync(new URL('data/in-app-browsers.txt', root), 'utf8');
    const inApp = apps.split('\n').filter((line) => line && !line.startsWith('#'));
    assert.ok(
      inApp.length > 20 &&
        inApp.some((a) => a.includes('MetaIAB')) &&
        inApp.some((a) => /tiktok|musical_ly/i.test(a)),
    );
    const bots = [
      'Slackbot-LinkExpanding 1.0',
      'facebookexternalhit/1.1',
      'WhatsApp/2.23',
      'GPTBot/1.2',
      'curl/8.5.0',
      '',
      null,
    ];
    const ahead = [
      { 'sec-purpose': 'prefetch' },
      { 'sec-purpose': 'prefetch;prerender' },
      { purpose: 'prefetch' },
      { 'x-purpose': 'preview' },
      { 'x-moz': 'prefetch' },
    ];
    const cases = [
      ['one visitor, three times', Array(3).fill({}), { total: 3, unique: 1, filtered: 0 }],
      [
        'the same agent elsewhere',
        ['192.0.2.1', '192.0.2.2'].map((ip) => ({ headers: { 'cf-connecting-ip': ip } })),
        { total: 2, unique: 2, filtered: 0 },
      ],
      [
        'in-app browsers',
        inApp.map((agent) => ({ agent })),
        { total: inApp.length, unique: inApp.length, filtered: 0 },
      ],
      ['HEAD', [{ method: 'HEAD' }], { total: 0, unique: 0, filtered: 1 }],
      [
        'looking ahead',
        ahead.map((headers) => ({ headers })),
        { total: 0, unique: 0, filtered: ahead.length },
      ],
      ['bots', bots.map((agent) => ({ agent })), { total: 0, unique: 0, filtered: bots.length }],
      ['do not sell or share', [{ headers: { 'sec-gpc': '1' } }], { total: 1, unique: 1, filtered: 0 }],
    ];
    const deals = [];
    for (const [at, [, visits]] of cases.entries()) {
      const made = await p.addDeal({ name: `d${at}` });
      for (const options of visits) {
        const answer = await visit(server, `/go/${made.link.slug}`, options);
        assert.equal(answer.status, 302);
        assert.ok(answer.location.startsWith(p.storefront), 'bots are led on, too');
      }
      deals.push(made.deal.id);
    }
    const performance = (deal) => p.client.get(`/v1/deals/${deal}/performance`);
    for (const [at, [what, visits, expected]] of cases.entries()) {
      await eventually(
        `${what}: all counted`,
        async () => {
          const { total, filtered } = (await performance(deals[at])).clicks;
          return total + filtered >= visits.length;
        },
        { timeout: 10_000 },
      );
      assert.deepEqual((await performance(deals[at])).clicks, expected, what);
    }
    await p.store.send(order({ codes: [['D010', '1.00']] }));
    assert.equal((await performance(deals[0])).conversion_percent, '100');
    assert.equal((await performance(deals[3])).conversion_percent, null);
    const [{ c }] = (await server.sql('SELECT group_concat(sql) AS c FROM sqlite_schema'))[0];
    assert.ok(!/user_agent|ip_address/.test(c));
  });

  test('daily totals reach D1 by the counter’s own alarm, and D1 then answers too', async () => {
    const p = await programme(server);
    const stored = async () =>
      (await server.sql(`SELECT total, uniques, head FROM click_days WHERE link_id = '${p.link.id}'`))[0];
    // The first alarm after an object came to life pushes; a second batch within its five seconds sets it.
    await visit(server, `/go/${p.link.slug}`);
    await sleep(2500);
    await visit(server, `/go/${p.link.slug}`, { headers: { 'cf-connecting-ip': '192.0.2.9' } });
    await visit(server, `/go/${p.link.slug}`, { method: 'HEAD' });
    const rows = await eventually('the totals in D1', async () => {
      const rows = await stored();
      return rows.length === 1 && rows[0].total === 2 && rows;
    });
    assert.deepEqual(rows, [{ total: 2, uniques: 2, head: 1 }]);
    const { clicks } = await p.client.get(`/v1/deals/${p.deal.id}/performance`);
    assert.deepEqual(clicks, { total: 2, unique: 2, filtered: 1 }, 'stored and live are not added up');
  });
});
