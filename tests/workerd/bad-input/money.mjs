// A: terms, fees, payouts.
import { order } from '../support/shopify.mjs';
import { each, refused } from './common.mjs';
import { pay, terms, usd } from './calls.mjs';

export const money = [
  [
    'A18',
    'days of follow-ups and gifts that are none',
    (w) =>
      ['2026-02-30', '2026-1-1', '+14:00', '', '9999-01-01', 20000].flatMap((day) => [
        w.a.client.call('POST', `/v1/deals/${w.a.deal.id}/follow-ups`, { text: 'x', due_on: day }),
        pay(w, `/v1/deals/${w.a.deal.id}/costs`, { product: usd('1.00'), on: day }),
      ]),
    refused(422),
  ],
  [
    'A19',
    'collections of rates that are none',
    (w) =>
      [
        'bedding',
        [],
        {},
        { id: 'x' },
        { id: 841 },
        { id: '9223372036854775808' },
        { id: '841', handle: 'bedding' },
        { handle: '' },
        { collection_id: w.a.deal.id },
        { handle: 'bedding', store_id: 'x' },
        { handle: 'bedding', title: 'Bedding' },
      ].flatMap((collection) => [
        terms(w, {
          commission_percent: '10',
          rates: [{ commission_percent: '20', collection }],
        }),
      ]),
    refused(422),
  ],
  [
    'A9',
    'fees and adjustments that are no amount',
    (w) =>
      ['0.00', '-1.00', '90071992547409.93', '0.001', '1e3', 'NaN', '', ' 1', '1,00'].map((amount) =>
        pay(w, `/v1/deals/${w.a.deal.id}/fees`, { amount: usd(amount) }),
      ),
    refused(422),
  ],
  [
    'A9',
    'fees in half a yen, in no currency, as a number; adjustments of nothing or without a reason',
    (w) => [
      pay(w, `/v1/deals/${w.a.deal.id}/fees`, { amount: { amount: '1.5', currency: 'JPY' } }),
      pay(w, `/v1/deals/${w.a.deal.id}/fees`, { amount: { amount: '1.00', currency: 'XXX' } }),
      pay(w, `/v1/deals/${w.a.deal.id}/fees`, { amount: { amount: 1, currency: 'USD' } }),
      pay(w, `/v1/creators/${w.a.creator.id}/adjustments`, { amount: usd('0.00'), reason: 'x' }),
      pay(w, `/v1/creators/${w.a.creator.id}/adjustments`, { amount: usd('1.00') }),
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
      ].map((more) => pay(w, `/v1/deals/${w.a.deal.id}/fees`, { amount: usd('1.00'), ...more })),
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
        pay(w, `${payout}/approval`),
        pay(w, `${payout}/sending`),
        pay(w, `${payout}/lines/${line}/retry`),
        pay(w, `${payout}/lines/${line}/settlement`, { outcome: 'settled' }),
        pay(w, `/v1/deals/${w.a.deal.id}/fees/${fee}/cancellation`),
      ];
    },
    refused(404),
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
      pay(w, '/v1/payouts', { currency: 'USD', creator_ids: [w.a.creator.id] }),
      pay(w, '/v1/payouts', { currency: 'EUR' }),
      pay(w, '/v1/payouts', { currency: 'USD' }),
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
        () => pay(w, `/v1/deals/${w.a.deal.id}/fees`, { amount: usd('1.00') }, 'taken'),
        () => pay(w, `/v1/deals/${w.a.deal.id}/fees`, { amount: usd('2.00') }, 'taken'),
        () => pay(w, '/v1/payouts', { currency: 'USD' }, 'taken'),
      ),
    { status: [201, 422], changes: ['fees', 'entries', 'balances', 'audit', 'idempotency'] },
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
    'A12',
    'terms that start before an order that is decided',
    (w) => terms(w, { commission_percent: '20', starts_at: '2026-01-01T00:00:00Z' }),
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
];
