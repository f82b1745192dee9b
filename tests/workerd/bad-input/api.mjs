// A: the API, whatever it is asked for.
import assert from 'node:assert/strict';
import { each, refused } from './common.mjs';
import { json, mine, terms, minimum, usd } from './calls.mjs';

export const api = [
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
