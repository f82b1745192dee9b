// What deliveries come to, reckoned once more and in another way than the product does it: from the
// payloads, in BigInt, with nothing kept in between.

const EXPONENTS = { JPY: 0, KRW: 0, KWD: 3 };

const minor = (text, currency) => {
  const exponent = EXPONENTS[currency] ?? 2;
  const [whole, fraction = ''] = String(text).split('.');
  if (fraction.slice(exponent).replaceAll('0', '') !== '') throw new Error(`${text} is no ${currency}`);
  return BigInt(whole + fraction.padEnd(exponent, '0').slice(0, exponent));
};

/** Half away from zero. */
const divided = (numerator, denominator) => {
  const twice = 2n * numerator + (numerator < 0n ? -denominator : denominator);
  return twice / (2n * denominator);
};

const RANKS = ['pending', 'partially_paid', 'paid', 'partially_refunded', 'refunded', 'voided'];
const PAID = ['paid', 'partially_refunded', 'refunded'];

const later = (a, b) => {
  const [x, y] = [a, b].map((o) => [Date.parse(o.updated_at), RANKS.indexOf(o.financial_status)]);
  return x[0] - y[0] || x[1] - y[1];
};

/**
 * Base and commission in minor units of one order after all these deliveries of it, whatever their
 * order. `percent` as in its terms.
 */
export function books(deliveries, percent) {
  const snapshots = deliveries.filter((payload) => payload.line_items);
  if (snapshots.length === 0) return { base: 0n, commission: 0n, state: 'unpaid' };
  const snapshot = snapshots.toSorted(later).at(-1);
  const { currency } = snapshot;
  const refunds = new Map();
  for (const payload of deliveries) {
    const told = payload.line_items ? payload.refunds : payload.refund_line_items ? [payload] : [];
    for (const refund of told) refunds.set(refund.id, refund);
  }
  const gone = deliveries.some((p) => p.cancelled_at || Object.keys(p).join() === 'id');
  if (gone || snapshot.financial_status === 'voided') return { base: 0n, commission: 0n, state: 'cancelled' };

  const backLines = [...refunds.values()].flatMap((refund) => refund.refund_line_items);
  let base = 0n;
  // What of gift cards and tips comes back was never in the base.
  const idle = snapshot.line_items.filter((line) => line.gift_card || line.tip);
  for (const line of snapshot.line_items) {
    if (idle.includes(line)) continue;
    const off = line.discount_allocations.reduce((sum, { amount }) => sum + minor(amount, currency), 0n);
    const tax = line.tax_lines.reduce((sum, { price }) => sum + minor(price, currency), 0n);
    const whole =
      minor(line.price, currency) * BigInt(line.quantity) - off - (snapshot.taxes_included ? tax : 0n);
    const back = backLines.filter((l) => l.line_item_id === line.id).reduce((sum, l) => sum + l.quantity, 0);
    const removed = Math.max(0, line.quantity - line.current_quantity - back);
    base += divided(whole * BigInt(line.quantity - removed), BigInt(line.quantity));
  }
  for (const refund of refunds.values()) {
    for (const line of refund.refund_line_items) {
      if (idle.some(({ id }) => id === line.line_item_id)) continue;
      const set = (field) => minor(line[field].shop_money.amount, currency);
      base -= set('subtotal_set') - (snapshot.taxes_included ? set('total_tax_set') : 0n);
    }
    if (refund.refund_line_items.length > 0) continue;
    for (const { amount, kind } of refund.order_adjustments)
      if (kind !== 'shipping_refund') base += minor(amount, currency);
  }
  base = base < 0n ? 0n : base;
  const [whole, fraction = ''] = percent.split('.');
  const points = BigInt(whole) * 100n + BigInt(fraction.padEnd(2, '0'));
  const earning = PAID.includes(snapshot.financial_status) ? base : 0n;
  return { base, commission: divided(earning * points, 10_000n), currency };
}

/** `1350n` as the API writes it. */
export function decimal(value, currency = 'USD') {
  const exponent = EXPONENTS[currency] ?? 2;
  if (exponent === 0) return String(value);
  const digits = String(value < 0n ? -value : value).padStart(exponent + 1, '0');
  return `${value < 0n ? '-' : ''}${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`;
}
