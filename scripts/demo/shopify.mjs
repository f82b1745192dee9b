// Webhooks as Shopify sends them, with the fields that matter and those one would miss.
import { createHmac } from 'node:crypto';
import { BRAND } from './words.mjs';

const SHIPPING = 795;
const money = (cents) => (cents / 100).toFixed(2);
const both = (cents) => ({ shop_money: { amount: money(cents), currency_code: BRAND.currency } });
const time = (ms) => new Date(ms).toISOString().replace('.000Z', 'Z');

export const sign = (secret, body) => createHmac('sha256', secret).update(body).digest('base64');

/** The order as it was at `asOf`; embeds the refunds that there were by then. */
export function orderBody(order, asOf) {
  const sum = (of) => order.lines.reduce((total, line) => total + of(line), 0);
  const discount = sum((line) => line.discount);
  const subtotal = sum((line) => line.price * line.quantity) - discount;
  const tax = sum((line) => line.tax);
  const refunds = order.refunds.filter((refund) => refund.at <= asOf);
  const cancelled = order.cancelledAt <= asOf;
  const named = [...order.codes, ...(order.automatic === null ? [] : [order.automatic])];
  return {
    id: order.id,
    name: `#${order.number}`,
    order_number: order.number,
    created_at: time(order.placedAt),
    updated_at: time(asOf),
    cancelled_at: cancelled ? time(order.cancelledAt) : null,
    cancel_reason: cancelled ? 'customer' : null,
    currency: BRAND.currency,
    financial_status: status(order, refunds, cancelled, asOf),
    test: order.test,
    taxes_included: false,
    email: order.email,
    landing_site: landingSite(order),
    note_attributes: attributes(order),
    discount_codes: named.map((code) => ({ code, amount: money(discount), type: 'percentage' })),
    discount_applications: [
      ...order.codes.map((code) => application({ type: 'discount_code', code })),
      ...(order.automatic === null ? [] : [application({ type: 'automatic', title: order.automatic })]),
    ],
    subtotal_price: money(subtotal),
    total_discounts: money(discount),
    total_tax: money(tax),
    total_price: money(subtotal + tax + SHIPPING),
    total_price_set: both(subtotal + tax + SHIPPING),
    line_items: order.lines.map(lineItem),
    shipping_lines: [{ id: order.id * 8 + 6, title: 'Standard', price: money(SHIPPING) }],
    refunds: refunds.map((refund) => refundBody(order, refund)),
  };
}

function status(order, refunds, cancelled, asOf) {
  const paid = order.paidAt <= asOf;
  if (cancelled) return paid ? 'refunded' : 'voided';
  if (refunds.length === 0) return paid ? 'paid' : 'pending';
  const back = refunds.flatMap((refund) => refund.lines).reduce((units, line) => units + line.quantity, 0);
  const all = order.lines.reduce((units, line) => units + line.quantity, 0);
  return back === all ? 'refunded' : 'partially_refunded';
}

const application = (more) => ({
  value: '10.0',
  value_type: 'percentage',
  target_type: 'line_item',
  ...more,
});

function lineItem(line) {
  return {
    id: line.id,
    product_id: line.giftCard ? 7_000_000_001 : 7_100_000_000 + line.title.length * 1000 + (line.price % 997),
    title: line.title,
    quantity: line.quantity,
    price: money(line.price),
    price_set: both(line.price),
    gift_card: line.giftCard === true,
    total_discount: '0.00',
    discount_allocations: line.discount
      ? [{ amount: money(line.discount), amount_set: both(line.discount), discount_application_index: 0 }]
      : [],
    tax_lines: line.tax
      ? [{ title: 'Sales tax', rate: 0.08, price: money(line.tax), price_set: both(line.tax) }]
      : [],
  };
}

/** The last click is in the cart's attribute, where the shop's theme has the snippet. */
function attributes(order) {
  const [last] = order.clicks;
  if (!last || landsOnly(order)) return [];
  return [{ name: '_tributary_click', value: clickId(order, last) }];
}

/** The page that the visit began with: that of an earlier click, if there was one. */
function landingSite(order) {
  const page = order.lines[0].handle ? `/products/${order.lines[0].handle}` : '/';
  const [last, earlier] = order.clicks;
  const click = earlier ?? (order.number % 3 > 0 ? last : undefined);
  if (click) return `${page}?ref=${click.link.slug}&click_id=${clickId(order, click)}`;
  return order.ref ? `${page}?ref=${order.ref.slug}` : page;
}

const landsOnly = (order) => order.clicks.length === 1 && order.number % 3 === 1;

function clickId(order, click) {
  if (!order.forged) return click.id;
  // One character of the signature is another one.
  return click.id.slice(0, -2) + (click.id.at(-2) === 'A' ? 'B' : 'A') + click.id.at(-1);
}

export function refundBody(order, refund) {
  const lines = refund.lines.reduce((sum, line) => sum + line.subtotal + line.tax, 0);
  const paidBack = lines + refund.amount + refund.shipping;
  return {
    id: refund.id,
    order_id: order.id,
    created_at: time(refund.at),
    note: refund.amount ? 'Goodwill' : null,
    refund_line_items: refund.lines.map(({ line, quantity, subtotal, tax }, index) => ({
      id: refund.id * 8 + index,
      line_item_id: line.id,
      quantity,
      subtotal: subtotal / 100,
      subtotal_set: both(subtotal),
      total_tax: tax / 100,
      total_tax_set: both(tax),
    })),
    refund_shipping_lines: refund.shipping
      ? [{ id: refund.id * 8, subtotal_amount_set: both(refund.shipping), tax_amount_set: both(0) }]
      : [],
    order_adjustments: refund.amount
      ? [
          {
            id: refund.id * 8,
            amount: money(-refund.amount),
            amount_set: both(-refund.amount),
            tax_amount: '0.00',
          },
        ]
      : [],
    transactions: [{ kind: 'refund', status: 'success', amount: money(paidBack), currency: BRAND.currency }],
  };
}
