// What a shop's own server must not get through: reports that are none, signatures that are none, orders and
// refunds of others, and link domains and snippets of others.
import { createHmac } from 'node:crypto';
import { click } from '../support/client.mjs';
import { each, problem, refused } from './common.mjs';

const shop = (w) => w.ownShop;
const report = (id, more = {}) => ({ external_id: id, currency: 'USD', amount: '10.00', codes: [{ code: 'ANNA10' }], ...more });
const send = async (w, body, client = w.a.client) => {
  const { id } = shop(w);
  return client.call('POST', '/v1/conversions', typeof body === 'string' ? body : { store_id: id, ...body });
};
const sign = (secret, id, at, body) =>
  `v1,${createHmac('sha256', Buffer.from(secret.slice(6), 'base64')).update(`${id}.${at}.${body}`).digest('base64')}`;

/** A signed report; `change` spoils its headers or its body after it was signed. */
async function signed(w, change = {}, path = '') {
  const { id, signing_secret } = shop(w);
  const at = change.at ?? Math.floor(Date.now() / 1000);
  const body = JSON.stringify(report(change.external ?? 'signed'));
  const headers = {
    'webhook-id': 'm1',
    'webhook-timestamp': String(at),
    'webhook-signature': sign(change.secret ?? signing_secret, 'm1', at, body),
    ...change.headers,
  };
  const target = `/webhooks/custom/${change.store ?? id}/conversions${path}`;
  return w.anyone.call('POST', target, change.body ?? body, headers);
}

export const conversions = [
  [
    'A9',
    'reports that are no orders',
    (w) =>
      [
        { external_id: '' },
        { external_id: 'a b' },
        { external_id: 'ä' },
        { external_id: 'x'.repeat(201) },
        { external_id: 1 },
        { currency: 'usd' },
        { currency: 'JPY', amount: '10.50' },
        { amount: 10 },
        { amount: '-10.00' },
        { amount: '10.001' },
        { amount: '1e3' },
        { amount: '99999999999999999999.00' },
        { amount: null },
        { lines: [] },
        { codes: [{ code: '' }] },
        { click_id: 'x'.repeat(256) },
        { placed_at: '1999-01-01T00:00:00Z' },
        { placed_at: '2999-01-01T00:00:00Z' },
        { updated_at: '2999-01-01T00:00:00Z' },
        { state: 'shipped' },
        { test: 1 },
        { total: '1' },
      ].map((more) => send(w, report('bad', more))),
    refused(422),
  ],
  [
    'A9',
    'a thousand and one lines; lines beyond the books; a refund of more than was bought, of nothing',
    async (w) => {
      const line = { quantity: 1, unit_price: '1.00' };
      const lines = (list) => ({ external_id: 'lines', currency: 'USD', lines: list });
      return [
        await send(w, lines(Array(1001).fill(line))),
        await send(w, lines([{ quantity: 1_000_000, unit_price: '9000000000.00' }])),
        await send(w, lines([{ ...line, id: '2' }, line])),
        await send(w, lines([{ ...line, quantity: -1 }])),
        await send(w, lines([{ ...line, discount: '1.01' }])),
      ];
    },
    refused(422),
  ],
  ['A6', 'reports that are no JSON', async (w) => [await send(w, '{'), await send(w, '[]'), await send(w, '{"a":1,"a":2}')], refused(400)],
  ['A6', 'a report of a megabyte', async (w) => [await send(w, report('x'.repeat(1 << 20)))], refused(413)],
  [
    'A4',
    'reports for another brand’s store, for one of Shopify’s, by keys that may not, by nobody',
    async (w) => {
      const { id } = shop(w);
      const to = (client, store_id) => client.call('POST', '/v1/conversions', { store_id, ...report('theirs') });
      return [
        await to(w.b.client, id),
        await to(w.a.client, w.a.store.id),
        await to(w.reader, id),
        await to(w.me, id),
        await to(w.anyone, id),
        await w.b.client.call('POST', '/v1/conversions/known/refunds', { store_id: id, id: 'r', currency: 'USD', amount: '1' }),
        await w.b.client.call('POST', `/v1/stores/${id}/signing-secret`, {}),
        await w.b.client.call('GET', `/v1/stores/${id}/snippet`),
        await w.reader.call('POST', '/v1/brand/link-domain/check', {}),
      ];
    },
    { status: [401, 403, 404, 409], check: problem },
  ],
  [
    'W1',
    'signed reports with any doubt',
    async (w) => {
      const { signing_secret: secret } = shop(w);
      const at = Math.floor(Date.now() / 1000);
      const theirs = w.ownShopOfB;
      return Promise.all(
        [
          { headers: { 'webhook-signature': '' } },
          { headers: { 'webhook-signature': 'v1,AAAA' } },
          { headers: { 'webhook-timestamp': '' } },
          { headers: { 'webhook-timestamp': String(at + 1) } },
          { headers: { 'webhook-id': 'm2' } },
          { headers: { 'webhook-id': '' } },
          { at: at - 301 },
          { at: at + 400 },
          { secret: `whsec_${Buffer.alloc(32, 7).toString('base64')}` },
          { secret: theirs.signing_secret },
          { store: theirs.id },
          { store: w.a.store.id },
          { store: 'store_01h455vb4pex5vsknk084sn02q' },
          { store: 'x' },
          { body: JSON.stringify(report('signed', { amount: '9999.00' })) },
          { body: '' },
          { headers: { 'webhook-signature': sign(secret, 'm1', at, 'other') } },
        ].map((change) => signed(w, change)),
      );
    },
    refused(401),
  ],
  [
    'W7',
    'the same order 20 times at once by both doors, its refund before and after: one of each',
    async (w) => {
      const { id } = shop(w);
      const back = { store_id: id, id: 'r1', currency: 'USD', amount: '4.00' };
      const refund = () => w.a.client.call('POST', '/v1/conversions/once/refunds', back);
      const body = report('once', { placed_at: new Date().toISOString(), updated_at: new Date().toISOString() });
      const all = await Promise.all([refund(), ...Array.from({ length: 20 }, () => send(w, body)), refund()]);
      const listed = await w.a.client.get('/v1/orders?external_id=once');
      const [{ base, commission }] = listed.data;
      if (base.amount !== '6.00' || commission.amount !== '0.60') throw new Error(JSON.stringify(listed));
      return all;
    },
    { status: [200, 201], changes: true },
  ],
  [
    'W7',
    'a click on a link to the own shop, passed on with the order',
    async (w) => {
      const { id } = shop(w);
      const link = await w.a.client.post(`/v1/deals/${w.a.deal.id}/links`, { store_id: id });
      const clickId = await click(w.server, link);
      return send(w, { external_id: 'clicked', currency: 'USD', amount: '10', click_id: clickId });
    },
    { status: 201, changes: true, body: /"attribution":"link"/ },
  ],
  [
    'A9',
    'refunds that are none',
    (w) =>
      [
        { amount: '0.001' },
        { amount: '-1' },
        { currency: 'EUR', amount: '1' },
        { lines: [{ line_id: 'none', quantity: 1 }] },
        { lines: [{ line_id: '1', quantity: 2 }] },
        { lines: [] },
        {},
      ].map(async (more) => {
        const { id } = shop(w);
        const body = { store_id: id, id: 'bad', currency: 'USD', ...more };
        return w.a.client.call('POST', '/v1/conversions/once/refunds', body);
      }),
    refused(422),
  ],
  [
    'A14',
    'shops of one’s own that are none',
    each(
      [
        { storefront_url: 'javascript:alert(1)' },
        { storefront_url: 'https://10.0.0.1' },
        { storefront_url: 'https://x.example', client_secret: 'mine' },
        { storefront_url: 'https://x.example', name: 'a\u0000' },
      ],
      (w, more) => w.a.client.call('POST', '/v1/stores', { platform: 'custom', ...more }),
    ),
    refused(422),
  ],
];
