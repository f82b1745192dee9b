// A and C: lists, the CRM around the deals, bulk actions.
import assert from 'node:assert/strict';
import { both, each, problem, refused } from './common.mjs';
import { usd, bulk } from './calls.mjs';

export const crm = [
  [
    'A17',
    'lists of bulk actions and their results with limits and cursors that are none',
    (w) =>
      ['limit=-1', 'limit=1000000000', 'cursor=!', 'sort=;DROP'].flatMap((query) => [
        w.a.client.call('GET', `/v1/bulk-actions?${query}`),
        w.a.client.call('GET', `/v1/bulk-actions/bulk_01h455vb4pex5vsknk084sn02q/results?${query}`),
      ]),
    refused(422),
  ],
  [
    'A24',
    'bulk actions that are none, on deals that are nobody\'s or another brand\'s, by hashes that no preview had',
    (w) => {
      const deal_ids = [w.a.deal.id];
      const tags = { do: 'add_tags', tags: ['x'] };
      return [
        { action: { do: 'drop' }, deal_ids, preview: true },
        { action: { do: 'move' }, deal_ids, preview: true },
        { action: { do: 'move', stage: 'x'.repeat(5000) }, deal_ids, preview: true },
        { action: { ...tags, brand_id: 'x' }, deal_ids, preview: true },
        { action: { do: 'add_tags', tags: ['\u0000'] }, deal_ids, preview: true },
        { action: { do: 'follow_up', text: 'x', due_in_days: -1 }, deal_ids, preview: true },
        { action: { do: 'follow_up', text: 'x', due_in_days: 1e300 }, deal_ids, preview: true },
        { action: { do: 'fee', amount: usd('-1.00') }, deal_ids, preview: true },
        { action: { do: 'fee', amount: usd('1e9') }, deal_ids, preview: true },
        { action: tags, deal_ids: [w.b.deal.id], preview: true },
        { action: tags, deal_ids: [], preview: true },
        { action: tags, deal_ids: Array(1001).fill(w.a.deal.id), preview: true },
        { action: tags, filter: '('.repeat(3000), preview: true },
        { action: tags, filter: 'stage = "x" OR 1=1', preview: true },
        { action: tags, preview: true },
        { action: tags, deal_ids },
        { action: tags, deal_ids, hash: 'x', preview: true },
        { action: [], deal_ids, preview: true },
      ].map((body) => bulk(w, body));
    },
    refused(422),
  ],
  [
    'A24',
    'a bulk action by a hash that no preview had, or one of another time',
    (w) =>
      ['', 'x', '1.2.3', '99999999999999999999.a.b', `${Date.now()}.00000000.${'0'.repeat(64)}`, '\u0000'].map((hash) =>
        bulk(w, { action: { do: 'add_tags', tags: ['x'] }, deal_ids: [w.a.deal.id], hash }),
      ),
    refused(409),
  ],
  [
    'A17',
    'limits, cursors and sorts of boards, timelines, notes, follow-ups and duplicates that are none',
    (w) =>
      [
        `/v1/campaigns/${w.a.deal.campaign_id}/board`,
        `/v1/deals/${w.a.deal.id}/timeline`,
        `/v1/deals/${w.a.deal.id}/notes`,
        `/v1/deals/${w.a.deal.id}/follow-ups`,
        '/v1/follow-ups',
        '/v1/creators/duplicates',
      ].flatMap((path) =>
        ['limit=-1', 'limit=1000000000', 'cursor=!', 'sort=;DROP'].map((query) =>
          w.a.client.call('GET', `${path}?${query}`),
        ),
      ),
    refused(422),
  ],
  [
    'C13',
    'a creator merged into herself, into nobody, and into another brand\'s',
    (w) => [
      w.a.client.call('POST', `/v1/creators/${w.a.deal.creator_id}/merge`, { from_id: w.a.deal.creator_id }),
      w.a.client.call('POST', `/v1/creators/${w.a.deal.creator_id}/merge`, { from_id: 'x' }),
      w.a.client.call('POST', `/v1/creators/${w.a.deal.creator_id}/merge`, { from_id: w.b.deal.creator_id }),
    ],
    refused([422, 404]),
  ],
  [
    'A16',
    'webhooks to this machine, to private networks and to ourselves, however they are spelled',
    (w) =>
      [
        'https://127.0.0.1/',
        'https://0x7f.1/',
        'https://2130706433/',
        'https://0177.0.0.1/',
        'https://[::ffff:10.0.0.1]/',
        'https://[::1]/',
        'https://169.254.169.254/latest/meta-data/',
        'https://100.64.0.1/',
        'https://10.0.0.1./',
        'https://localhost./',
        'https://app.localhost/',
        'https://metadata.google.internal/',
        'https://intranet/',
        'https://user:word@shop.example/',
        'https://shop.example:8443/',
        'https://shop.example/#x',
        'https://shop.example\\@10.0.0.1/',
        'http://shop.example/',
        'ftp://shop.example/',
        'https://１２７.0.0.1/',
        '//shop.example/',
        'shop.example',
        '',
        `https://shop.example/${'x'.repeat(2000)}`,
        null,
        7,
        ['https://shop.example/'],
      ].map((url) => w.a.client.call('POST', '/v1/webhook-endpoints', { url })),
    refused(422),
  ],
  [
    'A16',
    'webhooks for events that there are not, with a secret of the caller, without an address',
    (w) =>
      [
        { url: 'https://shop.example/', events: ['*'] },
        { url: 'https://shop.example/', events: ['order.created', 'order.deleted'] },
        { url: 'https://shop.example/', events: 'order.created' },
        { url: 'https://shop.example/', events: [null] },
        { url: 'https://shop.example/', secret: 'whsec_AAAA' },
        { url: 'https://shop.example/', description: 'x'.repeat(201) },
        { events: [] },
      ].map((body) => w.a.client.call('POST', '/v1/webhook-endpoints', body)),
    refused(422),
  ],
  [
    'A22',
    'payment details with typing errors, of a card, too long, with control characters',
    (w) =>
      [
        { method: 'iban', holder: 'A', iban: 'DE88370400440532013000' },
        { method: 'iban', holder: 'A', iban: '4111111111111111' },
        { method: 'iban', holder: 'A', iban: 'DE89370400440532013000', bic: 'DEUTDEF' },
        { method: 'iban', holder: 'A\u0007', iban: 'DE89370400440532013000' },
        { method: 'iban', holder: 'A', iban: 'X'.repeat(5000) },
        { method: 'paypal', email: 'anna' },
        { method: 'ach', holder: 'A', routing_number: '021000021', account_number: '4111111111111111', account_type: 'checking' },
        { method: 'card', number: '4111111111111111' },
      ].map((body) => w.me.call('PUT', '/v1/me/payment-details', body)),
    refused(422, {
      check: both(problem, (answers, w) => {
        for (const { text } of answers)
          assert.ok(!/4111111111111111|37040044/.test(text + w.server.log()), text);
      }),
    }),
  ],
  [
    'A14',
    'targets that leave the storefront',
    each(
      [
        'javascript:alert(1)',
        'data:text/html,x',
        'http://shop.example',
        'https://shop@evil.test',
        '//evil.test',
        '/\\evil.test',
        '\\\\evil.test',
        'products/x',
        '',
        '/a b',
        '/a\r\nb',
        '/é',
        '/a/../b',
        '/%2e%2e/b',
        '/a#b',
        `/${'a'.repeat(8192)}`,
        5,
        null,
      ],
      (w, target) => w.a.client.call('PATCH', `/v1/links/${w.a.link.id}`, { target }),
    ),
    refused(422),
  ],
  [
    'A14',
    'storefronts that are none',
    each(
      [
        'javascript:alert(1)',
        'http://shop.example.com',
        'https://shop@evil.test',
        'https://shop.example.com:8443',
        'https://shop.example.com/path',
        'https://10.0.0.1',
        'https://[::1]',
        'https://shöp.example',
        'https://localhost.',
        'https://',
        '',
      ],
      (w, storefront_url) => w.a.client.call('POST', '/v1/stores', { ...w.newStore, storefront_url }),
    ),
    refused(422),
  ],
  [
    'A18',
    'times and days of a back-fill and of the completeness meter',
    (w) => [
      ...['tomorrow', '2999-01-01', '1969-01-01', '', '2026-02-30', '2026-10-01T00:00:00', "2026-10-01' OR 1"].map((from) =>
        w.a.client.call('POST', `/v1/stores/${w.a.store.id}/backfill`, { from }),
      ),
      w.a.client.call('POST', `/v1/stores/${w.a.store.id}/backfill`, { from: 1700000000000 }),
      w.a.client.call('POST', `/v1/stores/${w.a.store.id}/backfill`, { to: '2026-01-01' }),
      ...['from=yesterday', 'to=0', 'from=2026-11-02&to=2026-11-01', 'limit=5', 'from=2026-11-01&from=2026-11-01'].map((query) =>
        w.a.client.call('GET', `/v1/stores/${w.a.store.id}/completeness?${query}`),
      ),
    ],
    refused(422),
  ],
  [
    'A14',
    'stores on GoAffPro that are none',
    (w) =>
      [
        { storefront_url: 'javascript:alert(1)' },
        { storefront_url: 'https://10.0.0.1' },
        { access_token: '' },
        { access_token: 'a\r\nb' },
        { access_token: 7 },
        { ref_parameter: 'a=b&c' },
        { ref_parameter: 'click_id' },
        { orders_from: 'store_1' },
        { orders_from: w.b.store.id },
        { client_secret: 's' },
        { status: 'connected' },
      ].map((bad) =>
        w.a.client.call('POST', '/v1/stores', {
          ...{ platform: 'goaffpro', storefront_url: 'https://gap.casa.example', access_token: 't' },
          ...bad,
        }),
      ),
    refused(422),
  ],
  [
    'A15',
    'slugs that are reserved or taken',
    each(
      [
        (w) => w.a.link.slug,
        (w) => w.a.link.slug.toUpperCase(),
        (w) => w.b.onGo.slug,
        () => 'api',
        () => 'API',
        () => 'v1',
        () => 'webhooks',
      ],
      (w, of) => w.a.client.call('POST', `/v1/deals/${w.a.deal.id}/links`, { slug: of(w) }),
    ),
    { status: 409, check: problem },
  ],
  [
    'A15',
    'slugs that are none',
    each(['.well-known', '', '-a', 'a b', 'ä', 'a/b', 'a\u202e', 'a'.repeat(65), 5, null], (w, slug) =>
      w.a.client.call('POST', `/v1/deals/${w.a.deal.id}/links`, { slug }),
    ),
    refused(422),
  ],
  [
    'A15',
    'a code that is taken',
    each(['ANNA10', 'anna10', ' Anna10 '], (w, code) =>
      w.a.client.call('POST', `/v1/deals/${w.other.deal.id}/codes`, { code, create_in_store: false }),
    ),
    refused(409),
  ],
  [
    'A17',
    'limits, cursors and parameters that are none',
    each(
      [
        'limit=-1',
        'limit=0',
        'limit=201',
        'limit=1000000000',
        'limit=x',
        'limit=1&limit=2',
        'cursor=x',
        "cursor=';DROP TABLE orders",
        'cursor=%00',
        'cursor=',
        'sort=;DROP',
        'brand_id=x',
        'deal_id=5',
        'creator_id=x',
      ],
      (w, query) => w.a.client.call('GET', `/v1/orders?${query}`),
    ),
    refused(422),
  ],
  [
    'A18',
    'dates that are none',
    each(
      [
        'from=2026-02-30',
        'from=2026-13-01',
        'from=yesterday',
        'from=2026-02-02&to=2026-02-01',
        'to=1e9',
        'from=',
        'from=2026-1-1',
      ],
      (w, query) => w.a.client.call('GET', `/v1/deals/${w.a.deal.id}/performance?${query}`),
    ),
    refused(422),
  ],
  [
    'A20',
    'paths that are none',
    each(
      [
        '/v1',
        '/v1/',
        '/v1/nothing',
        '/v1/deals/',
        '/v1/deals/x',
        '/v1/deals/5',
        '/v1/deals/%00',
        '/v2/brand',
        '/V1/brand',
        '/v1/brand/',
        '/v1//brand',
        '/.git/config',
        '/admin',
      ],
      (w, path) => w.a.client.call('GET', path),
    ),
    refused(404),
  ],
  [
    'A20',
    'methods that are none',
    (w) =>
      [
        ['DELETE', '/v1/brand'],
        ['PUT', '/v1/brand'],
        ['GET', '/v1/brands'],
        ['POST', '/healthz'],
        ['DELETE', `/v1/deals/${w.a.deal.id}`],
        ['PATCH', '/v1/orders'],
      ].map(([method, path]) => w.a.client.call(method, path)),
    refused(405, {
      check: both(problem, (all) =>
        all.forEach(({ headers }) => assert.match(headers.get('allow') ?? '', /^(GET|POST)/)),
      ),
    }),
  ],
  [
    'A20',
    'an address of 10 KB',
    (w) => w.a.client.call('GET', `/v1/orders?external_id=${'1'.repeat(10_240)}`),
    refused(414),
  ],
  [
    'A21',
    'a preflight from another origin',
    (w) =>
      w.anyone.call('OPTIONS', '/v1/brand', undefined, {
        origin: 'https://evil.test',
        'access-control-request-method': 'PATCH',
      }),
    {
      status: [405, 404],
      check: ([{ headers }]) => assert.equal(headers.get('access-control-allow-origin'), null),
    },
  ],
  [
    'A23',
    'a method in a header',
    (w) =>
      w.a.client.call('GET', `/v1/deals/${w.a.deal.id}`, undefined, {
        'x-http-method-override': 'DELETE',
        'x-method': 'PATCH',
      }),
    200,
  ],
];
