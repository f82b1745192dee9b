// What many rows ask.
export const json = (method, path, body, headers) => (w) =>
  w.a.client.call(method, typeof path === 'function' ? path(w) : path, body, headers);
export const keyless = (headers) => (w) => w.anyone.call('GET', '/v1/brand', undefined, headers(w));
export const mine = [
  '/v1/brand',
  '/v1/stores',
  '/v1/creators',
  '/v1/campaigns',
  '/v1/deals',
  '/v1/orders',
  '/v1/quarantine',
  '/v1/ledger/verification',
];
export const terms = (w, body) => w.a.client.call('POST', `/v1/deals/${w.a.deal.id}/terms`, body);
export const minimum = (w, payout_minimum) => w.a.client.call('PATCH', '/v1/brand', { payout_minimum });
export const usd = (amount) => ({ amount, currency: 'USD' });
let calls = 0;
export const pay = (w, path, body, key = `key-${calls++}`) =>
  w.a.client.call('POST', path, body, { 'idempotency-key': key });

export const bulk = (w, body) => w.a.client.call('POST', '/v1/bulk-actions', body);
