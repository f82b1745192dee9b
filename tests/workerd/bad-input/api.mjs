// A: the API.
import assert from 'node:assert/strict';
import { order } from '../support/shopify.mjs';
import { both, each, problem, refused } from './common.mjs';

const json = (method, path, body, headers) => (w) =>
  w.a.client.call(method, typeof path === 'function' ? path(w) : path, body, headers);
const keyless = (headers) => (w) => w.anyone.call('GET', '/v1/brand', undefined, headers(w));
const mine = [
  '/v1/brand',
  '/v1/stores',
  '/v1/creators',
  '/v1/campaigns',
  '/v1/deals',
  '/v1/orders',
  '/v1/quarantine',
  '/v1/ledger/verification',
];
const terms = (w, body) => w.a.client.call('POST', `/v1/deals/${w.a.deal.id}/terms`, body);
const minimum = (w, payout_minimum) => w.a.client.call('PATCH', '/v1/brand', { payout_minimum });
const usd = (amount) => ({ amount, currency: 'USD' });
let calls = 0;
const money = (w, path, body, key = `key-${calls++}`) =>
  w.a.client.call('POST', path, body, { 'idempotency-key': key });

const bulk = (w, body) => w.a.client.call('POST', '/v1/bulk-actions', body);

export const api = [
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
    'A18',
    'days of follow-ups and gifts that are none',
    (w) =>
      ['2026-02-30', '2026-1-1', '+14:00', '', '9999-01-01', 20000].flatMap((day) => [
        w.a.client.call('POST', `/v1/deals/${w.a.deal.id}/follow-ups`, { text: 'x', due_on: day }),
        money(w, `/v1/deals/${w.a.deal.id}/costs`, { product: usd('1.00'), on: day }),
      ]),
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
    'A9',
    'fees and adjustments that are no amount',
    (w) =>
      ['0.00', '-1.00', '90071992547409.93', '0.001', '1e3', 'NaN', '', ' 1', '1,00'].map((amount) =>
        money(w, `/v1/deals/${w.a.deal.id}/fees`, { amount: usd(amount) }),
      ),
    refused(422),
  ],
  [
    'A9',
    'fees in half a yen, in no currency, as a number; adjustments of nothing or without a reason',
    (w) => [
      money(w, `/v1/deals/${w.a.deal.id}/fees`, { amount: { amount: '1.5', currency: 'JPY' } }),
      money(w, `/v1/deals/${w.a.deal.id}/fees`, { amount: { amount: '1.00', currency: 'XXX' } }),
      money(w, `/v1/deals/${w.a.deal.id}/fees`, { amount: { amount: 1, currency: 'USD' } }),
      money(w, `/v1/creators/${w.a.creator.id}/adjustments`, { amount: usd('0.00'), reason: 'x' }),
      money(w, `/v1/creators/${w.a.creator.id}/adjustments`, { amount: usd('1.00') }),
    ],
    refused(422),
  ],
  [
    'A9',
    'fees planned for no day, for a stage that is none',
    (w) =>
      [
        { due_on: '2026-02-30' },
        { due_on: 'tomorrow' },
        { due_on: 1 },
        { due_on: '99999-01-01' },
        { stage: 'Nowhere' },
        { stage: '' },
        { stage: 1 },
        { state: 'posted' },
      ].map((more) => money(w, `/v1/deals/${w.a.deal.id}/fees`, { amount: usd('1.00'), ...more })),
    refused(422),
  ],
  [
    'A9',
    'schedules and amounts for two that are none',
    (w) =>
      [
        { payout_schedule: { day: 0 } },
        { payout_schedule: { day: 29 } },
        { payout_schedule: { day: 5, currencies: [] } },
        { payout_schedule: { day: 5, currencies: ['XXX'] } },
        { payout_minimum: usd('-1.00') },
      ].map((body) => w.a.client.call('PATCH', '/v1/brand', body)),
    refused(422),
  ],
  [
    'A10',
    'money of nobody: approvals, tries, sendings and cancellations of what is not there',
    (w) => {
      const line = `line_${w.a.creator.id.split('_')[1]}`;
      const payout = `/v1/payouts/payout_${w.a.creator.id.split('_')[1]}`;
      const fee = `fee_${w.a.creator.id.split('_')[1]}`;
      return [
        money(w, `${payout}/approval`),
        money(w, `${payout}/sending`),
        money(w, `${payout}/lines/${line}/retry`),
        money(w, `${payout}/lines/${line}/settlement`, { outcome: 'settled' }),
        money(w, `/v1/deals/${w.a.deal.id}/fees/${fee}/cancellation`),
      ];
    },
    refused(404),
  ],
  [
    'A13',
    'changes of what was changed since it was read',
    (w) => [
      json('PATCH', '/v1/brand', { name: 'Stale' }, { 'if-match': '"0123"' })(w),
      json('PATCH', `/v1/deals/${w.a.deal.id}`, { tags: ['stale'] }, { 'if-match': '"0123"' })(w),
      json('PATCH', `/v1/deals/${w.a.deal.id}`, { tags: ['stale'] }, { 'if-match': 'W/"x", ""' })(w),
    ],
    refused(412),
  ],
  [
    'A22',
    'an account at PayPal by a key, and one that is none',
    (w) => [
      w.a.client.call('PUT', '/v1/brand/payout-provider', {
        provider: 'paypal',
        client_id: 'c',
        client_secret: 's',
      }),
      w.a.client.call('PATCH', '/v1/brand', { second_approver_above: usd('1.00') }),
    ],
    refused(403),
  ],
  [
    'A10',
    'payouts of someone without details, of nothing, in another currency',
    (w) => [
      money(w, '/v1/payouts', { currency: 'USD', creator_ids: [w.a.creator.id] }),
      money(w, '/v1/payouts', { currency: 'EUR' }),
      money(w, '/v1/payouts', { currency: 'USD' }),
    ],
    refused(409),
  ],
  [
    'A11',
    'money calls without a key, or with one that is too long or no text',
    (w) =>
      [{}, { 'idempotency-key': '' }, { 'idempotency-key': 'x'.repeat(256) }, { 'idempotency-key': 'a b' }].map(
        (headers) =>
          w.a.client.call('POST', `/v1/deals/${w.a.deal.id}/fees`, { amount: usd('1.00') }, headers),
      ),
    refused(400),
  ],
  [
    'A11',
    'the key of a call, with another body and for another call',
    (w) =>
      w.inTurn(
        () => money(w, `/v1/deals/${w.a.deal.id}/fees`, { amount: usd('1.00') }, 'taken'),
        () => money(w, `/v1/deals/${w.a.deal.id}/fees`, { amount: usd('2.00') }, 'taken'),
        () => money(w, '/v1/payouts', { currency: 'USD' }, 'taken'),
      ),
    { status: [201, 422], changes: ['fees', 'entries', 'balances', 'audit', 'idempotency'] },
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
    'A1',
    'no key, garbage, another kind, another scheme',
    (w) =>
      [
        {},
        { authorization: '' },
        { authorization: 'Bearer' },
        { authorization: 'Bearer ' },
        { authorization: 'Bearer x' },
        { authorization: `Basic ${w.a.key}` },
        { authorization: w.a.key },
        { authorization: `Bearer tbk_${'A'.repeat(43)}` },
        { authorization: `Bearer ${w.a.key}x` },
        { authorization: `Bearer ${w.a.key.slice(0, -1)}` },
        { authorization: `Bearer ${w.a.key.toLowerCase()}` },
        { authorization: `Bearer ${w.a.key}, Bearer ${w.a.key}` },
        { authorization: `Bearer ${'x'.repeat(5000)}` },
      ].map((headers) => w.anyone.call('GET', '/v1/brand', undefined, headers)),
    refused(401),
  ],
  [
    'A1',
    'the operator, who is no brand',
    (w) => [w.anyone.as(w.server.operatorToken).call('GET', '/v1/brand')],
    refused(403),
  ],
  [
    'A1',
    'every call of a brand without a key',
    (w) => mine.map((path) => w.anyone.call('GET', path)),
    refused(401),
  ],
  [
    'A1',
    'a revoked key, and an expired creator’s token',
    (w) => [
      w.a.client.as(w.revoked).call('GET', '/v1/brand'),
      w.a.client.as(w.expiredToken).call('GET', '/v1/me/earnings'),
    ],
    refused(401),
  ],
  [
    'A2',
    'a key in the address: refused, and revoked',
    (w) =>
      w.inTurn(
        () => w.anyone.call('GET', `/v1/brand?api_key=${w.leaked}`),
        () => w.a.client.as(w.leaked).call('GET', '/v1/brand'),
      ),
    {
      status: [400, 401],
      changes: true,
      check: ([first, second]) => assert.deepEqual([first.status, second.status], [400, 401]),
    },
  ],
  [
    'A3',
    'the wrong kind of caller',
    (w) => [
      w.a.client.call('POST', '/v1/brands', {}),
      w.me.call('GET', '/v1/brand'),
      w.me.call('PATCH', '/v1/brand', { name: 'x' }),
      w.me.call('GET', `/v1/creators/${w.a.creator.id}/balances`),
      w.a.client.call('GET', '/v1/me/earnings'),
      w.a.client.call('GET', '/v1/me/orders'),
    ],
    refused(403),
  ],
  [
    'A3',
    'a key without the scope',
    (w) => [
      w.reader.call('PATCH', '/v1/brand', { name: 'x' }),
      w.reader.call('POST', '/v1/creators', { name: 'x', handle: 'x' }),
      w.reader.call('POST', `/v1/deals/${w.a.deal.id}/terms`, { commission_percent: '90' }),
      w.reader.call('POST', '/v1/keys', { name: 'x', scopes: ['admin'] }),
      w.reader.call('GET', '/v1/keys'),
      w.reader.call('GET', '/v1/audit'),
    ],
    refused(403),
  ],
  [
    'A1',
    'an expired key',
    async (w) => {
      await new Promise((resolve) => setTimeout(resolve, 1600));
      return w.a.client.as(w.expired).call('GET', '/v1/brand');
    },
    refused(401),
  ],
  [
    'A4',
    'another brand’s things',
    (w) =>
      [
        `/v1/deals/${w.b.deal.id}`,
        `/v1/deals/${w.b.deal.id}/performance`,
        `/v1/creators/${w.b.creator.id}`,
        `/v1/creators/${w.b.creator.id}/balances`,
        `/v1/campaigns/${w.b.campaign.id}`,
        `/v1/stores/${w.b.store.id}`,
        `/v1/stores/${w.b.store.id}/backfill`,
        `/v1/stores/${w.b.store.id}/completeness`,
        `/v1/links/${w.b.link.id}`,
        `/v1/orders/${w.orderOfB}`,
        `/v1/orders/${w.orderOfB}/attribution`,
      ].map((path) => w.a.client.call('GET', path)),
    refused(404),
  ],
  [
    'A4',
    'changing another brand’s things',
    (w) => [
      w.a.client.call('PATCH', `/v1/deals/${w.b.deal.id}`, { state: 'closed' }),
      w.a.client.call('PATCH', `/v1/links/${w.b.link.id}`, { state: 'closed' }),
      w.a.client.call('PATCH', `/v1/stores/${w.b.store.id}`, { client_secret: 'mine' }),
      w.a.client.call('POST', `/v1/stores/${w.b.store.id}/backfill`, {}),
      w.a.client.call('POST', `/v1/stores/${w.b.store.id}/connection`),
      w.a.client.call('POST', `/v1/stores/${w.b.store.id}/authorization`),
      w.a.client.call('POST', `/v1/deals/${w.b.deal.id}/terms`, { commission_percent: '90' }),
      w.a.client.call('POST', `/v1/deals/${w.b.deal.id}/links`, {}),
      w.a.client.call('POST', `/v1/deals/${w.b.deal.id}/codes`, { code: 'X', create_in_store: false }),
      w.a.client.call('POST', `/v1/affiliate-groups`, { store_id: w.b.store.id, name: 'x', mode: 'one_discount', discount: { kind: 'free_shipping' } }),
      w.a.client.call('POST', `/v1/deals/${w.a.deal.id}/codes`, { discount: { kind: 'free_shipping' }, store_id: w.b.store.id }),
      w.a.client.call('POST', `/v1/deals/${w.b.deal.id}/invitation`),
      w.a.client.call('POST', `/v1/quarantine/${w.quarantineOfB}/replay`),
      w.a.client.call('POST', `/v1/deals/${w.a.deal.id}/links`, { store_id: w.b.store.id }),
      w.a.client.call('POST', '/v1/deals', { creator_id: w.b.creator.id, campaign_id: w.a.campaign.id }),
      w.a.client.call('POST', '/v1/deals', { creator_id: w.a.creator.id, campaign_id: w.b.campaign.id }),
    ],
    refused(404),
  ],
  [
    'A4',
    'another brand’s things as filters and cursors',
    (w) =>
      [
        `deal_id=${w.b.deal.id}`,
        `creator_id=${w.b.creator.id}`,
        `store_id=${w.b.store.id}`,
        `external_id=${w.externalOfB}`,
      ].map((query) => w.a.client.call('GET', `/v1/orders?${query}`)),
    { status: 200, check: (all) => all.forEach(({ json }) => assert.deepEqual(json.data, [])) },
  ],
  [
    'A4',
    'no list shows another brand’s things',
    (w) => mine.map((path) => w.a.client.call('GET', path)),
    {
      status: 200,
      check: (all, w) =>
        all.forEach(({ text }) =>
          assert.ok(
            ![w.b.mark, w.b.brand.id, w.b.deal.id, w.b.creator.id, w.b.store.id].some((mark) =>
              text.includes(mark),
            ),
          ),
        ),
    },
  ],
  [
    'A4',
    'another creator’s token sees its own',
    (w) => w.me.call('GET', '/v1/me/earnings'),
    {
      status: 200,
      check: ([{ text }], w) => assert.ok(!text.includes(w.b.mark) && !text.includes(w.other.deal.id)),
    },
  ],
  [
    'A5',
    'fields that are not for setting',
    (w) => [
      w.a.client.call('PATCH', '/v1/brand', { id: 'brand_x' }),
      w.a.client.call('PATCH', '/v1/brand', { currency: 'EUR' }),
      w.a.client.call('PATCH', '/v1/brand', { brand_id: w.b.brand.id }),
      w.a.client.call('PATCH', `/v1/deals/${w.a.deal.id}`, { balance: '9' }),
      w.a.client.call('PATCH', `/v1/deals/${w.a.deal.id}`, { terms: { commission_percent: '90' } }),
      w.a.client.call('POST', '/v1/creators', { name: 'x', handle: 'x', role: 'owner' }),
      w.a.client.call('POST', '/v1/creators', { name: 'x', handle: 'x', brand_id: w.b.brand.id }),
      w.a.client.call('PATCH', `/v1/stores/${w.a.store.id}`, { client_secret: 's', status: 'paid' }),
      w.a.client.call('PATCH', `/v1/links/${w.a.link.id}`, { slug: 'other' }),
    ],
    refused(422),
  ],
  [
    'A5',
    'stores with what opens nothing, or nothing to change',
    (w) => [
      w.a.client.call('PATCH', `/v1/stores/${w.a.store.id}`, {}),
      w.a.client.call('PATCH', `/v1/stores/${w.a.store.id}`, { access_token: 'two words here' }),
      w.a.client.call('PATCH', `/v1/stores/${w.a.store.id}`, { access_token: 'é'.repeat(20) }),
      w.a.client.call('PATCH', `/v1/stores/${w.a.store.id}`, { access_token: 'x'.repeat(501) }),
      w.a.client.call('PATCH', `/v1/stores/${w.a.store.id}`, { client_id: null }),
      w.a.client.call('PATCH', `/v1/stores/${w.a.store.id}`, { storefront_url: 'javascript:alert(1)' }),
      w.a.client.call('POST', '/v1/stores', { ...w.newStore, client_id: undefined }),
      w.a.client.call('POST', '/v1/stores', { ...w.newStore, access_token: 7 }),
      w.a.client.call('POST', '/v1/stores', { ...w.newStore, shop_domain: 'evil.example/.myshopify.com' }),
      w.a.client.call('POST', `/v1/stores/${w.a.store.id}/authorization`, { optional_scopes: ['write_orders'] }),
      w.a.client.call('POST', `/v1/stores/${w.a.store.id}/authorization`, { optional_scopes: 'read_products' }),
      w.a.client.call('POST', `/v1/stores/${w.a.store.id}/authorization`, { scopes: [] }),
    ],
    refused(422),
  ],
  [
    'A5',
    'approvals that nobody began',
    (w) =>
      [
        '',
        'code=1',
        `code=1&shop=casa.myshopify.com&state=x&timestamp=1&hmac=${'0'.repeat(64)}`,
        `code=1&shop=evil.example&state=x&timestamp=1&hmac=${'0'.repeat(64)}`,
        `code=1&code=2&shop=casa.myshopify.com&state=x&timestamp=1&hmac=${'0'.repeat(64)}`,
        `code=%00&shop=%ff.myshopify.com&state=%F0%9F&timestamp=99999999999999999999&hmac=x`,
        `x=${'y'.repeat(6000)}`,
      ].map((query) =>
        w.anyone.call('GET', `/connect/shopify/callback?${query}`, undefined, { cookie: '__Host-connect=x' }),
      ),
    { status: 400 },
  ],
  [
    'A6',
    'bodies that are no JSON object',
    each(
      [
        '',
        '{',
        '{"name":}',
        '{"name":"x"}x',
        '{"name":"x"}{}',
        '[]',
        '"x"',
        'null',
        '{"name":"x","name":"y"}',
        '{"a":'.repeat(1000) + '1' + '}'.repeat(1000),
        '{"name":"\ud800"}'.replace('\ud800', '\\ud800'),
        '\ufeff{"name":"x"}',
        "{'name':'x'}",
        '{"name":NaN}',
      ],
      (w, body) => w.a.client.call('PATCH', '/v1/brand', body),
    ),
    refused(400),
  ],
  [
    'A6',
    'a body of 2 MB',
    (w) => w.a.client.call('POST', '/v1/creators', { name: 'x'.repeat(2_000_000), handle: 'x' }),
    refused(413),
  ],
  [
    'A7',
    'other content types',
    each(
      [
        'text/plain',
        'application/x-www-form-urlencoded',
        'multipart/form-data; boundary=x',
        'application/xml',
        'application/jsonx',
        '',
      ],
      (w, type) => w.a.client.call('PATCH', '/v1/brand', '{"name":"x"}', { 'content-type': type }),
    ),
    refused(415),
  ],
  [
    'A8',
    'rates that are none',
    each(
      [
        -1,
        '-1',
        '100.01',
        '10%',
        1e309,
        '1e309',
        '10.005',
        null,
        '',
        ' 10',
        '10 ',
        '+10',
        '.5',
        '5.',
        '1,5',
        '0x10',
        'NaN',
        10,
        true,
        ['10'],
        '1'.repeat(500),
        '١٠',
      ],
      (w, commission_percent) => terms(w, { commission_percent }),
    ),
    refused(422),
  ],
  [
    'A8',
    'rates of new deals that are none',
    each(['-1', '100.01', '10.005', 10, null], (w, commission_percent) =>
      w.a.client.call('POST', '/v1/deals', {
        creator_id: w.a.creator.id,
        campaign_id: w.a.campaign.id,
        commission_percent,
      }),
    ),
    refused(422),
  ],
  [
    'A9',
    'amounts that are none',
    each(
      [
        usd('-1'),
        usd('0.001'),
        usd('9007199254740992'),
        usd('9007199254740993.00'),
        usd(5),
        usd(''),
        usd('1e3'),
        usd('NaN'),
        usd('1,00'),
        usd(' 1.00'),
        usd(null),
        { amount: '1.00' },
        { currency: 'USD' },
        { amount: '1.00', currency: 'usd' },
        { amount: '1.00', currency: 'EUR' },
        { amount: '1.00', currency: 'XXX' },
        { amount: '1.5', currency: 'JPY' },
        { ...usd('1.00'), more: 1 },
        '1.00',
        1,
      ],
      minimum,
    ),
    refused(422),
  ],
  [
    'A12',
    'terms that start before an order that is decided',
    (w) => terms(w, { commission_percent: '20', starts_at: '2026-01-01T00:00:00Z' }),
    refused(422),
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
    'A4',
    'affiliates and figures of another brand’s store, and of one that isn’t on GoAffPro',
    (w) =>
      [w.b.store.id, w.a.store.id].flatMap((id) => [
        w.a.client.call('GET', `/v1/stores/${id}/goaffpro`),
        w.a.client.call('PATCH', `/v1/stores/${id}/goaffpro`, { ref_parameter: 'x' }),
        w.a.client.call('GET', `/v1/stores/${id}/affiliates`),
        w.a.client.call('GET', `/v1/stores/${id}/comparison`),
        w.a.client.call('PATCH', `/v1/stores/${id}/comparison/7`, { another_order: true }),
        w.a.client.call('POST', `/v1/stores/${id}/affiliates/7/assignment`, { deal_id: w.a.deal.id }),
        w.a.client.call('DELETE', `/v1/stores/${id}/affiliates/7/assignment`),
        w.a.client.call('POST', `/v1/deals/${w.a.deal.id}/affiliate`, { store_id: id }),
      ]),
    refused(404),
  ],
  [
    'A4',
    'hints of GoAffPro that are forged',
    (w) =>
      [w.a.store.id, `${w.a.store.id}.x`, 'x', `${'x'.repeat(3000)}`, '%00', '..%2f'].map((token) =>
        w.anyone.call('POST', `/webhooks/goaffpro/${token}`, 'x'),
      ),
    refused(404),
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
    'A18',
    'times that are none',
    each(
      [
        '2026-02-30T00:00:00Z',
        '2026-01-01T00:00:00',
        '2026-01-01',
        'now',
        1767225600,
        null,
        '9999-01-01T00:00:00Z',
        '1969-12-31T23:59:59Z',
        '2026-01-01T25:00:00Z',
      ],
      (w, starts_at) => terms(w, { commission_percent: '10', starts_at }),
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
  [
    'A–',
    'texts that attack are refused or kept as text',
    each(
      [
        ['name', ''],
        ['name', ' '],
        ['name', 'a\u0000b'],
        ['name', 'a\nb'],
        ['name', 'x'.repeat(201)],
        ['handle', ''],
        ['email', 'a@b,c@d'],
        ['email', 'a@b\r\nBcc: c@d.example'],
        ['email', 'nobody'],
        ['followers', -1],
        ['followers', 1.5],
        ['followers', '5'],
        ['engagement_percent', 5],
        ['tags', 'x'],
        ['tags', ['']],
      ],
      (w, [field, value]) =>
        w.a.client.call('POST', '/v1/creators', { name: 'x', handle: 'x', [field]: value }),
    ),
    refused(422),
  ],
  [
    'A–',
    'invitations that are none',
    each(['', 'x', `tbi_${'A'.repeat(43)}`], (w, token) =>
      w.anyone.call('POST', '/v1/invitations/acceptance', { token }),
    ),
    refused(404),
  ],
];
