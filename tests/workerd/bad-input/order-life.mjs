// What happens to orders after they were placed: refunds, cancellations and disputes in the wrong order,
// disputes that are none, moves and claims that must not be.
import assert from 'node:assert/strict';
import { orderOf } from '../support/client.mjs';
import { dispute, nextId, order, refund } from '../support/shopify.mjs';
import { both, each, problem, refused } from './common.mjs';

let calls = 0;
const money = (w, path, body, key = `life-${calls++}`) =>
  w.a.client.call('POST', path, body, { 'idempotency-key': key });
const inTurn =
  (...payloads) =>
  (w) =>
    w.inTurn(...payloads.map((payload) => () => w.a.store.deliver(payload)));
const earns = (id, state, amount) => async (_, w) => {
  const found = await orderOf(w.a, id);
  assert.deepEqual([found.state, found.commission.amount], [state, amount]);
};
const bought = () => order({ codes: [['ANNA10', '1.00']] });
// Before the deal's terms: what must earn is bought when its row is run.
const [cancelled, late] = [bought(), bought()];
const quarantined = (n, more) => ({ status: 200, quarantined: n, ...more });
const known = async (w) => (await orderOf(w.a, w.known.id)).id;
const move = async (w, body, key) => money(w, `/v1/orders/${await known(w)}/move`, body, key);
const disputes = async (w, body) => money(w, `/v1/orders/${await known(w)}/disputes`, body);
const claim = (w, body) => w.me.call('POST', '/v1/me/claims', body);
const nowhere = 'order_01h455vb4pex5vsknk084sn02q';
const noClaim = 'claim_01h455vb4pex5vsknk084sn02q';

export const orderLife = [
  [
    'W13',
    'a refund before its order',
    (w) => {
      w.refunded = bought();
      const back = refund({ orderId: w.refunded.id, lines: [{ line: 1, subtotal: '30.00' }] });
      return inTurn(back, w.refunded)(w);
    },
    {
      status: 200,
      changes: true,
      check: (_, w) => earns(w.refunded.id, 'partially_refunded', '7.00')(_, w),
    },
  ],
  [
    'W13',
    'a cancellation before its order',
    inTurn(
      { ...cancelled, cancelled_at: new Date().toISOString(), updated_at: new Date(Date.now() + 5000).toISOString() },
      cancelled,
    ),
    { status: 200, changes: true, check: earns(cancelled.id, 'cancelled', '0.00') },
  ],
  [
    'W13',
    'a dispute before its order holds it back; its end twice, and its beginning once more',
    (w) => {
      const disputed = (w.disputed = bought());
      const told = { id: nextId(), orderId: disputed.id };
      const send = (more) => () => w.a.store.deliver(more.line_items ? more : dispute({ ...told, ...more }));
      return w.inTurn(
        send({}),
        send(disputed),
        async () => {
          await earns(disputed.id, 'disputed', '0.00')([], w);
          return { status: 200, text: '', headers: new Headers() };
        },
        ...[{ status: 'won' }, { status: 'won' }, {}, { status: 'under_review' }].map(send),
      );
    },
    { status: 200, changes: true, check: (_, w) => earns(w.disputed.id, 'paid', '10.00')(_, w) },
  ],
  [
    'W15',
    'disputes of no order, and inquiries: they hold nothing back',
    (w) =>
      [
        { orderId: null },
        { orderId: w.known.id, type: 'inquiry' },
        { orderId: w.known.id, type: 'inquiry', status: 'lost' },
      ].map((more) => w.a.store.deliver(dispute(more))),
    { status: 200, check: (_, w) => earns(w.known.id, 'partially_refunded', '10.00')(_, w) },
  ],
  [
    'W9',
    'a dispute sent as an order: the body decides',
    (w) => w.a.store.deliver(dispute({ orderId: late.id }), { topic: 'orders/create' }),
    { status: 200, changes: ['orders'], check: earns(late.id, 'disputed', '0.00') },
  ],
  [
    'W16',
    'disputes that stand nowhere, or at no time',
    (w) =>
      [
        ...['vanished', '', null, 5].map((status) => ({ status })),
        ...[null, '', 'soon', '2026-02-30T00:00:00Z', 5].map((initiated_at) => ({ more: { initiated_at } })),
        { status: 'won', more: { finalized_on: 'soon' } },
      ].map((more) => w.a.store.deliver(dispute({ orderId: w.known.id, ...more }))),
    quarantined(10),
  ],
  [
    'W18',
    'disputes with ids that are none, or doubled',
    (w) => [
      ...[0, -1, '5', 1.5, null].map((id) => w.a.store.deliver(dispute({ orderId: w.known.id, more: { id } }))),
      ...[0, -1, '5', 1.5].map((orderId) => w.a.store.deliver(dispute({ orderId }))),
      w.a.store.deliver(JSON.stringify(dispute({ orderId: w.known.id })).replace(/^\{/, '{"status":"won",')),
    ],
    quarantined(10),
  ],
  [
    'W27',
    'an order placed after its deal had ended',
    async (w) => {
      const { deal, code } = await w.a.addDeal({ name: `late${calls++}` });
      await w.a.client.patch(`/v1/deals/${deal.id}`, { state: 'closed' });
      w.afterItsDeal = order({ placedAt: Date.now() + 5000, codes: [[code, '1.00']] });
      return w.a.store.deliver(w.afterItsDeal);
    },
    { status: 200, changes: true, check: (_, w) => earns(w.afterItsDeal.id, 'paid', '0.00')(_, w) },
  ],
  [
    'A5',
    'moves without a deal or a reason, or with more than that',
    each(
      [
        {},
        { reason: 'r' },
        { deal_id: null },
        { deal_id: null, reason: '' },
        { deal_id: null, reason: ' ' },
        { deal_id: null, reason: 'x'.repeat(501) },
        { deal_id: null, reason: 'a\u0000b' },
        { deal_id: null, reason: 5 },
        { deal_id: 5, reason: 'r' },
        { deal_id: 'x', reason: 'r' },
        { deal_id: null, reason: 'r', commission: '1000000' },
        { deal_id: null, reason: 'r', at: '2026-01-01T00:00:00Z' },
      ],
      (w, body) => move(w, body),
    ),
    refused(422),
  ],
  [
    'A4',
    'moves to another brand’s deal; of another brand’s order, or of none',
    (w) => [
      move(w, { deal_id: w.b.deal.id, reason: 'r' }),
      money(w, `/v1/orders/${w.orderOfB}/move`, { deal_id: null, reason: 'r' }),
      money(w, `/v1/orders/${w.orderOfB}/disputes`, { state: 'open' }),
      money(w, `/v1/orders/${nowhere}/move`, { deal_id: null, reason: 'r' }),
      money(w, `/v1/orders/${nowhere}/disputes`, { state: 'open' }),
      money(w, '/v1/orders/x/move', { deal_id: null, reason: 'r' }),
      money(w, `/v1/claims/${noClaim}/decision`, { outcome: 'granted' }),
    ],
    refused([404, 422]),
  ],
  [
    'A10',
    'a move to where it is; of what is no order yet',
    async (w) => {
      const young = (await orderOf(w.a, late.id)).id;
      return [
        move(w, { deal_id: w.a.deal.id, reason: 'r' }),
        money(w, `/v1/orders/${young}/move`, { deal_id: w.a.deal.id, reason: 'r' }),
        money(w, `/v1/orders/${young}/move`, { deal_id: null, reason: 'r' }),
      ];
    },
    refused(409),
  ],
  [
    'A11',
    'moves, disputes and decisions without a key',
    async (w) => [
      w.a.client.call('POST', `/v1/orders/${await known(w)}/move`, { deal_id: null, reason: 'r' }),
      w.a.client.call('POST', `/v1/orders/${await known(w)}/disputes`, { state: 'open' }),
      w.a.client.call('POST', `/v1/claims/${noClaim}/decision`, { outcome: 'granted' }),
      move(w, { deal_id: null, reason: 'r' }, 'x'.repeat(256)),
    ],
    refused(400),
  ],
  [
    'A11',
    'a move under the key of another one',
    (w) =>
      w.inTurn(
        () => move(w, { deal_id: w.other.deal.id, reason: 'to ben' }, 'there-and-back'),
        () => move(w, { deal_id: null, reason: 'to nobody' }, 'there-and-back'),
        () => move(w, { deal_id: w.other.deal.id, reason: 'to ben' }, 'there-and-back'),
        () => move(w, { deal_id: w.a.deal.id, reason: 'and back' }),
      ),
    {
      status: [200, 422],
      changes: true,
      check: both(
        (answers) => assert.deepEqual(answers.map(({ status }) => status), [200, 422, 200, 200]),
        (answers) => assert.equal(answers[2].text, answers[0].text),
        async (_, w) => assert.equal((await orderOf(w.a, w.known.id)).deal_id, w.a.deal.id),
      ),
    },
  ],
  [
    'A5',
    'disputes by hand that stand nowhere',
    each(
      [
        {},
        { state: 'maybe' },
        { state: 'OPEN' },
        { state: null },
        { state: 'open', reason: '' },
        { state: 'open', reason: 'x'.repeat(501) },
        { state: 'won', external_id: 'none' },
        { state: 'open', external_id: 'none' },
        { state: 'open', amount: '1.00' },
      ],
      (w, body) => disputes(w, body),
    ),
    refused(422),
  ],
  [
    'A3',
    'moves, disputes and decisions by a key that may read only; claims by the brand; the list by a creator',
    async (w) => {
      const key = { 'idempotency-key': 'reader' };
      const id = await known(w);
      return [
        w.reader.call('POST', `/v1/orders/${id}/move`, { deal_id: null, reason: 'r' }, key),
        w.reader.call('POST', `/v1/orders/${id}/disputes`, { state: 'open' }, key),
        w.reader.call('POST', `/v1/claims/${noClaim}/decision`, { outcome: 'granted' }, key),
        w.me.call('POST', `/v1/claims/${noClaim}/decision`, { outcome: 'granted' }, key),
        w.me.call('POST', `/v1/orders/${id}/move`, { deal_id: null, reason: 'r' }, key),
        w.a.client.call('POST', '/v1/me/claims', { order_number: '1' }),
        w.me.call('GET', '/v1/claims'),
      ];
    },
    refused(403),
  ],
  [
    'A5',
    'claims of no order',
    each(
      [
        {},
        { order_number: '' },
        { order_number: ' ' },
        { order_number: 1001 },
        { order_number: null },
        { order_number: 'x'.repeat(65) },
        { order_number: 'a\u0000b' },
        { order_number: '1', store_id: 'x' },
        { order_number: '1', deal_id: 'x' },
        { order_number: '1', deal_id: 'deal_01h455vb4pex5vsknk084sn02q' },
        { order_number: '1', note: 'x'.repeat(501) },
        { order_number: '1', creator_id: 'x' },
        { order_number: '1', state: 'granted' },
      ],
      (w, body) => claim(w, body),
    ),
    refused(422),
  ],
  [
    'A4',
    'claims of an order that is another creator’s, of one with strange characters, of none: nobody else shows',
    async (w) => {
      const hers = (await orderOf(w.a, w.known.id)).name;
      w.theirs = order({ name: `#T${calls++}`, codes: [[w.other.code, '1.00']] });
      await w.a.store.send(w.theirs);
      return [hers, w.theirs.name, "' OR 1=1--", '%', '#', '🎉'].map((order_number) => claim(w, { order_number }));
    },
    {
      status: 201,
      changes: true,
      check: (answers, w) => {
        const states = answers.map(({ json }) => [json.state, json.answer.another_creators]);
        assert.deepEqual(states.slice(0, 3), [['hers', null], ['open', 'code'], ['unknown', null]]);
        for (const { text } of answers)
          for (const other of [w.other.code, w.other.creator.id, w.other.deal.id, w.other.email])
            assert.ok(!text.includes(other), text);
      },
    },
  ],
  [
    'A10',
    'a claim of the same order again; a decision of what isn’t open',
    async (w) => {
      const { data } = await w.a.client.get('/v1/claims?state=hers');
      return [
        claim(w, { order_number: w.theirs.name }),
        money(w, `/v1/claims/${data[0].id}/decision`, { outcome: 'granted' }),
        money(w, `/v1/claims/${data[0].id}/decision`, { outcome: 'declined' }),
      ];
    },
    refused(409),
  ],
  [
    'A5',
    'decisions that are none',
    async (w) => {
      const { data } = await w.a.client.get('/v1/claims?state=open');
      return [
        {},
        { outcome: 'maybe' },
        { outcome: null },
        { outcome: 'granted', note: '' },
        { outcome: 'granted', note: 'x'.repeat(501) },
        { outcome: 'granted', deal_id: w.other.deal.id },
        { outcome: 'granted', deal_id: w.b.deal.id },
        { outcome: 'granted', amount: '1.00' },
      ].map((body) => money(w, `/v1/claims/${data[0].id}/decision`, body));
    },
    refused(422),
  ],
  [
    'A17',
    'lists of claims with limits, cursors and states that are none',
    (w) =>
      ['limit=0', 'limit=1e9', 'cursor=x', 'state=any', 'state=', 'sort=id', 'state=open&state=open'].flatMap(
        (query) => [
          w.a.client.call('GET', `/v1/claims?${query}`),
          w.me.call('GET', `/v1/me/claims?${query.replace(/^state=open.*/, 'creator_id=x')}`),
        ],
      ),
    { status: 422, check: problem },
  ],
];
