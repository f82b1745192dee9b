// W: webhooks.
import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { orderOf, raw, visit, whose } from '../support/client.mjs';
import { deleted, nextId, order, refund, sign } from '../support/shopify.mjs';

/** Delivers each payload to brand A's store. */
const hooks =
  (...payloads) =>
  (w) =>
    payloads.flat().map((payload) => w.a.store.deliver(typeof payload === 'function' ? payload(w) : payload));
/** Delivers one order with its line changed each time. */
const lines = (...changes) =>
  hooks(
    changes.map((change) => {
      const payload = order({ codes: [['ANNA10', '1.00']] });
      Object.assign(payload.line_items[0], change);
      return payload;
    }),
  );
const price = (value) => ({
  price: value,
  price_set: { shop_money: { amount: value, currency_code: 'USD' } },
});
const orders = (...changes) =>
  hooks(changes.map((change) => ({ ...order({ codes: [['ANNA10', '1.00']] }), ...change })));
const quarantined = (n, more) => ({ status: 200, quarantined: n, ...more });
const signed = (w, mac, body = JSON.stringify(order())) =>
  w.a.store.deliver(body, {
    signature: typeof mac === 'function' ? mac(sign(body, w.a.store.secret), body) : mac,
  });
const bytesOf = (mac) => Buffer.from(mac, 'base64');
const flip = (text, at) => {
  const bytes = Buffer.from(text);
  bytes[at >> 3] ^= 1 << (at & 7);
  return bytes;
};
const unauthenticated = {
  status: 401,
  check: (all) => all.forEach(({ text }) => assert.equal(text, all[0].text)),
  body: /unauthenticated/,
};
const nothingEarned =
  (...ids) =>
  async (_, w) => {
    for (const id of ids) assert.equal((await orderOf(w.a, id)).commission.amount, '0.00', String(id));
  };
const post = (w, head, body) =>
  raw(w.server, `POST ${w.a.store.path} HTTP/1.1\r\nHost: localhost:${w.server.port}\r\n${head}\r\n${body}`, {
    wait: 700,
  });

const clamped = order({ codes: [['ANNA10', '1.00']] });
const doubled = { id: nextId(), orderId: clamped.id };
const [trial, atOnce, free, gift] = [
  order({ test: true, codes: [['ANNA10', '1.00']] }),
  order({ cancelledAt: Date.now(), codes: [['ANNA10', '1.00']] }),
  order({ lines: [{ price: '0.00' }], codes: [['ANNA10', '1.00']] }),
  order({ lines: [{ price: '50.00', giftCard: true }], codes: [['ANNA10', '1.00']] }),
];
const strange = [
  "' OR 1=1--",
  '<svg onload=alert(1)>',
  'x'.repeat(5000),
  '🎉',
  '\u0000\u202e',
  'ANNA10\u0000',
].map((code) => order({ codes: [[code, '1.00']] }));
const big = order({ id: 9007199254740993n.toString(), codes: [['ANNA10', '1.00']] });
const bigBody = JSON.stringify(big).replace(`"id":"9007199254740993"`, '"id":9007199254740993');
const old = (placedAt) => order({ placedAt, codes: [['ANNA10', '1.00']] });
const [y2006, before] = [old('2006-01-02T00:00:00Z'), old(Date.now() - 3_600_000)];

export const webhooks = [
  [
    'W1',
    'no HMAC, an empty one, two of them',
    (w) => [
      signed(w, null),
      signed(w, ''),
      signed(w, (mac) => `${mac}, ${mac}`),
      post(
        w,
        `X-Shopify-Hmac-Sha256: ${sign('{}', w.a.store.secret)}\r\nX-Shopify-Hmac-Sha256: ${sign('{}', w.a.store.secret)}\r\nContent-Length: 2\r\n`,
        '{}',
      ),
    ],
    { status: 401 },
  ],
  [
    'W2',
    'one bit of the body, one of the MAC',
    (w) =>
      [0, 9, 100, 1001, 8000].flatMap((at) => {
        const body = JSON.stringify(order());
        const mac = sign(body, w.a.store.secret);
        return [
          w.a.store.deliver(flip(body, at), { signature: mac }),
          w.a.store.deliver(body, {
            signature: bytesOf(mac)
              .map((byte, i) => (i === at % 32 ? byte ^ 1 : byte))
              .toString('base64'),
          }),
        ];
      }),
    unauthenticated,
  ],
  [
    'W2',
    'a body cut short or made longer',
    (w) => {
      const body = JSON.stringify(order());
      return [body.slice(0, -1), `${body} `, `${body}\n`, ''].map((other) =>
        w.a.store.deliver(other, { signature: sign(body, w.a.store.secret) }),
      );
    },
    unauthenticated,
  ],
  [
    'W3',
    'MACs in other spellings',
    (w) =>
      [
        (mac) => bytesOf(mac).toString('hex'),
        (mac) => `-_${mac.slice(2)}`,
        (mac) => mac.replaceAll('=', ''),
        (mac) => bytesOf(mac).subarray(0, 31).toString('base64'),
        (mac) => Buffer.concat([bytesOf(mac), Buffer.from([0])]).toString('base64'),
        (mac) => `${mac}=`,
        (mac) => `sha256=${mac}`,
        (mac) => mac.toLowerCase(),
        'A'.repeat(10_000),
      ].map((mac) => signed(w, mac)),
    unauthenticated,
  ],
  [
    'W4',
    'the MAC of the same JSON in another spelling',
    (w) => signed(w, (_, body) => sign(JSON.stringify(JSON.parse(body), null, 1), w.a.store.secret)),
    unauthenticated,
  ],
  [
    'W5',
    'brand A’s delivery at B’s path; paths of no store',
    (w) => {
      const body = JSON.stringify(order());
      const mac = sign(body, w.a.store.secret);
      return [
        w.b.store.id,
        'store_00000000000000000000000000',
        'x',
        '',
        `${w.a.store.id}x`,
        w.a.store.id.toUpperCase(),
        `${w.a.store.id}/`,
        '%00',
        "' OR 1=1--",
      ].map((id) =>
        fetch(`${w.server.origin}/webhooks/shopify/${id}`, {
          method: 'POST',
          body,
          headers: { 'x-shopify-hmac-sha256': mac },
        }).then(async (r) => ({ status: r.status, text: await r.text(), headers: r.headers })),
      );
    },
    unauthenticated,
  ],
  [
    'W7',
    'a hundred copies at once',
    (w) => {
      const body = JSON.stringify(order({ id: w.hundred, codes: [['ANNA10', '1.00']] }));
      return Array.from({ length: 100 }, () => w.a.store.deliver(body));
    },
    {
      status: 200,
      changes: true,
      check: async (_, w) => assert.equal((await orderOf(w.a, w.hundred)).commission.amount, '10.00'),
    },
  ],
  [
    'W8',
    'a known body under other headers',
    (w) =>
      ['orders/create', 'orders/cancelled', 'nonsense', 'x'.repeat(4000)].map((topic) =>
        w.a.store.deliver(w.known, {
          topic,
          headers: {
            'x-shopify-shop-domain': 'evil.myshopify.com',
            'x-shopify-event-id': crypto.randomUUID(),
            'x-shopify-triggered-at': '1999-01-01T00:00:00Z',
          },
        }),
      ),
    200,
  ],
  [
    'W9',
    'a refund sent as an order: the body decides',
    (w) => w.a.store.deliver(refund({ orderId: w.misnamed, amount: '1.00' }), { topic: 'orders/create' }),
    {
      status: 200,
      changes: ['orders'],
      check: async (_, w) => assert.equal((await orderOf(w.a, w.misnamed)).placed_at, null),
    },
  ],
  [
    'W9',
    'something of an order that is none',
    hooks(
      { id: 7, financial_status: 'paid' },
      { id: 7, order_id: 8, refund_line_items: [{ line_item_id: 1, quantity: 1 }] },
      { order_edit: { id: 7, line_items: { additions: [] } } },
    ),
    quarantined(3),
  ],
  [
    'W10',
    'authentic, but no JSON object',
    hooks('', 'not json', '{"id":1,', '[]', '[{"id":1}]', '"text"', '12', 'null', '{}{}', '{"id":1}}'),
    quarantined(10),
  ],
  [
    'W10',
    'bad UTF-8, a byte order mark, UTF-16',
    hooks(
      Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]),
      Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(JSON.stringify(order()))]),
      Buffer.from('{"id":1}', 'utf16le'),
    ),
    quarantined(3),
  ],
  [
    'W11',
    'a key twice',
    hooks(
      [JSON.stringify(order()), JSON.stringify(refund({ orderId: 5 }))].flatMap((body) =>
        ['id', body.includes('total_tip') ? 'currency' : 'order_id'].map((key) =>
          body.replace(/^\{/, `{"${key}":1,`),
        ),
      ),
      JSON.stringify({ ...order(), total_price: '1.00' }).replace(/^\{/, '{"total_price":"9.00",'),
      JSON.stringify(order()).replace('"quantity":1', '"quantity":1,"quantity":9'),
    ),
    quarantined(6),
  ],
  [
    'W12',
    '8 MiB and a byte, 30 MB: refused before they are read',
    (w) =>
      [8 * 1024 * 1024 + 1, 30_000_000].map((size) => post(w, `Content-Length: ${size}\r\n`, '{"id":1,')),
    413,
  ],
  ['W12', '8 MiB to the byte', (w) => w.a.store.deliver(Buffer.alloc(8 * 1024 * 1024, 32)), quarantined(1)],
  [
    'W12',
    '10,000 levels deep',
    hooks(
      `{"id":1,"financial_status":${'['.repeat(10_000)}${']'.repeat(10_000)}}`,
      `{"id":1,"x":${'{"x":'.repeat(10_000)}1${'}'.repeat(10_000)}}`,
      '['.repeat(100_000),
    ),
    { status: 200, quarantined: [2, 3] },
  ],
  [
    'W12',
    'a million lines',
    (w) =>
      w.a.store.deliver(
        `{"id":1,"currency":"USD","financial_status":"paid","created_at":"2026-11-01T00:00:00Z","updated_at":"2026-11-01T00:00:00Z","line_items":[${'{},'.repeat(1_000_000)}{}]}`,
      ),
    quarantined(1),
  ],
  [
    'W12',
    'a gzip bomb is so many bytes',
    (w) => w.a.store.deliver(gzipSync(Buffer.alloc(50_000_000)), { headers: { 'content-encoding': 'gzip' } }),
    quarantined(1),
  ],
  [
    'W12',
    'a chunked body without an end in sight',
    (w) =>
      raw(
        w.server,
        Buffer.concat([
          Buffer.from(
            `POST ${w.a.store.path} HTTP/1.1\r\nHost: localhost:${w.server.port}\r\nTransfer-Encoding: chunked\r\n\r\n900000\r\n`,
          ),
          Buffer.alloc(0x900000, 32),
          Buffer.from('\r\n'),
        ]),
        { wait: 4000 },
      ),
    { status: [413, 0] },
  ],
  [
    'W14',
    'an older state after a newer one',
    (w) =>
      w.a.store.deliver({
        ...w.known,
        updated_at: '2026-01-01T00:00:00Z',
        financial_status: 'pending',
        line_items: [],
      }),
    {
      status: 200,
      changes: ['orders'],
      check: async (_, w) => assert.equal((await orderOf(w.a, w.known.id)).commission.amount, '10.00'),
    },
  ],
  [
    'W15',
    'a refund of more than the order',
    hooks(clamped, refund({ orderId: clamped.id, lines: [{ line: 1, subtotal: '250.00' }] })),
    { status: 200, changes: true, check: nothingEarned(clamped.id) },
  ],
  [
    'W15',
    'one refund id with another amount: the larger counts, whichever came first',
    (w) =>
      w.inTurn(
        () => w.a.store.deliver(order({ id: w.refundedTwice.orderId, codes: [['ANNA10', '1.00']] })),
        () => w.a.store.deliver(refund({ ...w.refundedTwice, lines: [{ line: 1, subtotal: '30.00' }] })),
        () => w.a.store.deliver(refund({ ...w.refundedTwice, lines: [{ line: 1, subtotal: '20.00' }] })),
      ),
    {
      status: 200,
      changes: true,
      check: async (_, w) =>
        assert.equal((await orderOf(w.a, w.refundedTwice.orderId)).commission.amount, '7.00'),
    },
  ],
  [
    'W16',
    'prices that are none',
    lines(
      ...[
        '1e3',
        'NaN',
        '-5',
        '',
        null,
        '12.345',
        '99999999999999999.99',
        'Infinity',
        '0x10',
        ' 1',
        '1,00',
        '+1',
        '.5',
        '1.',
        '١',
      ].map(price),
      { price: 12.5, price_set: null },
      { price: 12, price_set: null },
    ),
    quarantined(17),
  ],
  [
    'W16',
    'quantities that are none',
    lines(...[-1, 1.5, '1', null, 1e9, [1]].map((quantity) => ({ quantity }))),
    quarantined(6),
  ],
  [
    'W17',
    'currencies that are none',
    orders(...['XXX', 'usd', '', null, 840, 'US', 'USDX', 'XTS'].map((currency) => ({ currency }))),
    quarantined(8),
  ],
  [
    'W17',
    'no currency, or one that the amounts contradict',
    (w) => {
      const { currency, ...none } = order();
      const other = { ...order(), currency: 'EUR' };
      return [none, other].map((payload) => w.a.store.deliver(payload));
    },
    quarantined(2),
  ],
  [
    'W17',
    'a refund in another currency than its order',
    (w) =>
      w.a.store.deliver(
        refund({ orderId: w.known.id, currency: 'EUR', lines: [{ line: 1, subtotal: '1.00' }] }),
      ),
    // It is kept as a fact, counts nothing, and the brand is told.
    quarantined(1, { changes: ['orders'] }),
  ],
  [
    'W18',
    'ids that are none',
    orders(...[0, -1, '5', 1.5, null, true, {}].map((id) => ({ id }))),
    quarantined(7),
  ],
  [
    'W18',
    'an id beyond 2^53 is kept exactly',
    (w) => w.a.store.deliver(bigBody),
    {
      status: 200,
      changes: true,
      check: async (_, w) =>
        assert.equal((await orderOf(w.a, '9007199254740993')).external_id, '9007199254740993'),
    },
  ],
  [
    'W19',
    'tests, cancelled at once, free, gift cards only',
    hooks(trial, atOnce, free, gift),
    { status: 200, changes: true, check: nothingEarned(trial.id, atOnce.id, free.id, gift.id) },
  ],
  [
    'W20',
    'A’s code with B’s click, two codes, the creator’s own purchase: see main-job.test.mjs',
    (w) => w.a.store.deliver(order({ id: w.mixed, codes: [['ANNA10', '1.00']], clicks: [w.clickOfB] })),
    {
      status: 200,
      changes: true,
      check: async (_, w) =>
        assert.deepEqual((await whose(w.a, w.mixed)).story, ['code ANNA10 won', 'link … bad_signature']),
    },
  ],
  [
    'W21',
    'codes that attack',
    hooks(strange),
    { status: 200, changes: true, check: nothingEarned(...strange.map(({ id }) => id)) },
  ],
  [
    'W22',
    'topics that are no business of ours',
    hooks(
      { id: 1, title: 'A product' },
      { inventory_item_id: 5, available: 3 },
      {},
      { id: 5, admin_graphql_api_id: 'gid://shopify/Product/5' },
    ),
    200,
  ],
  [
    'W23',
    'privacy requests, badly signed',
    (w) =>
      [{ shop_id: 1, shop_domain: 'x.myshopify.com' }].map((body) =>
        w.a.store.deliver(body, { secret: 'wrong' }),
      ),
    unauthenticated,
  ],
  [
    'W23',
    'privacy requests of a shop that the brand does not have, well signed',
    hooks(
      ...[{ orders_to_redact: [1] }, { orders_requested: [1], data_request: { id: 1 } }, {}].flatMap((more) =>
        Array(2).fill({
          shop_id: 954889,
          shop_domain: 'x.myshopify.com',
          customer: { id: 1, email: 'a@b.example' },
          ...more,
        }),
      ),
    ),
    200,
  ],
  [
    'W23',
    'privacy requests, well signed and twice: noted once',
    (w) => {
      const shop = { shop_id: 954889, shop_domain: `casa-${w.a.mark}.myshopify.com` };
      const customer = { id: 1, email: 'a@b.example', phone: null };
      const asks = [
        { customer, orders_to_redact: [1, 2] },
        { customer: {}, orders_requested: [], data_request: { id: 1 } },
      ];
      return asks.flatMap((more) => [1, 2].map(() => w.a.store.deliver({ ...shop, ...more })));
    },
    {
      status: 200,
      changes: 'data_requests',
      check: async (_, w) => assert.equal((await w.a.client.get('/v1/data-requests')).data.length, 2),
    },
  ],
  [
    'W23',
    'privacy requests that name their orders as nobody does',
    hooks(
      ...[{ orders_to_redact: ['1'] }, { orders_to_redact: 5 }, { data_request: {} }].map((more) => ({
        shop_id: 1,
        shop_domain: 'x.myshopify.com',
        ...more,
      })),
    ),
    { status: 200, quarantined: 3 },
  ],
  [
    'W25',
    'other methods',
    (w) =>
      ['GET', 'PUT', 'DELETE', 'OPTIONS', 'HEAD'].map((method) =>
        visit(w.server, w.a.store.path, { method }),
      ),
    { status: 405, check: (all) => all.forEach(({ headers }) => assert.equal(headers.get('allow'), 'POST')) },
  ],
  [
    'W25',
    'other content types: the bytes count',
    (w) =>
      ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'].map((type) =>
        w.a.store.deliver(w.known, { headers: { 'content-type': type } }),
      ),
    200,
  ],
  [
    'W25',
    'a chunked body',
    (w) =>
      post(
        w,
        `X-Shopify-Hmac-Sha256: ${sign('{"x":1}', w.a.store.secret)}\r\nTransfer-Encoding: chunked\r\n`,
        '3\r\n{"x\r\n4\r\n":1}\r\n0\r\n\r\n',
      ),
    200,
  ],
  [
    'W25',
    'a Content-Length that lies',
    (w) => [
      post(
        w,
        `X-Shopify-Hmac-Sha256: ${sign('{"x":1}', w.a.store.secret)}\r\nContent-Length: 3\r\n`,
        '{"x":1}',
      ),
      post(w, 'Content-Length: nonsense\r\n', '{}'),
      post(w, 'Content-Length: -1\r\n', '{}'),
      post(w, 'Content-Length: 5\r\nContent-Length: 6\r\n', '{}'),
      post(w, 'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n', '{}'),
      post(w, 'Content-Length: 99999999999\r\n', '{}'),
    ],
    { status: [400, 401, 413, 0] },
  ],
  [
    'W25',
    'a request that breaks off',
    (w) => [
      raw(w.server, `POST ${w.a.store.path} HTT`, { wait: 300 }),
      post(w, `X-Shopify-Hmac-Sha256: ${sign('{}', w.a.store.secret)}\r\nContent-Length: 100\r\n`, '{'),
      raw(w.server, Buffer.from([0, 1, 2, 0xff, 13, 10, 13, 10])),
      raw(
        w.server,
        `GET / HTTP/1.1\r\nHost: localhost:${w.server.port}\r\n${`X-Long: ${'y'.repeat(8000)}\r\n`.repeat(40)}\r\n`,
      ),
    ],
    { status: [303, 400, 401, 404, 413, 431, 0] },
  ],
  [
    'W26',
    'uninstalled, and it keeps sending',
    (w) =>
      w.inTurn(
        () =>
          w.a.store.deliver(
            {
              id: 548380009,
              name: 'Casa',
              domain: null,
              myshopify_domain: 'x.myshopify.com',
              currency: 'USD',
              created_at: '2026-01-01T00:00:00Z',
              plan_name: 'basic',
            },
            { topic: 'app/uninstalled' },
          ),
        () => w.a.store.deliver(w.known),
      ),
    200,
  ],
  [
    'W27',
    'dated 2099, 1970, 2005, with no time, or one that doesn’t exist',
    orders(
      ...[
        '2099-01-01T00:00:00Z',
        '1970-01-01T00:00:00Z',
        '2005-12-31T23:59:59Z',
        null,
        '',
        'yesterday',
        '2026-02-30T00:00:00Z',
        '2026-01-01',
        1767225600,
        '2026-01-01T00:00:00',
      ].map((created_at) => ({ created_at, updated_at: created_at })),
    ),
    quarantined(10),
  ],
  [
    'W27',
    'dated long before the deal, and an hour',
    hooks(y2006, before),
    { status: 200, changes: true, check: nothingEarned(y2006.id, before.id) },
  ],
  ['W13', 'a deletion before its order', hooks(deleted(nextId())), { status: 200, changes: true }],
];
