// Orders and what happens to them. Amounts are minor units of the shop's currency; ids are texts. Webhook bodies
// (bodies.mjs) and the GraphQL view (resolvers/orders.mjs) are both made from what is kept here.
import { randomBytes } from 'node:crypto';
import { apply, use } from './discounts.mjs';
import { Refusal } from './http.mjs';
import { disputeBody, editBody, orderBody, refundBody } from './bodies.mjs';
import { findProduct } from './products.mjs';
import { divide, exponent, minor, newId, number } from './values.mjs';

/**
 * Places an order. `spec`: lines [{ product (id, handle, SKU), quantity, price?, title?, gift_card?, tip? }],
 * code or codes, email, paid, test, created_at, landing_site, referring_site, note_attributes, currency
 * (presentment) with rate, shipping, tip, tags, source_name, manual_discount { title, amount }, customer: null, number.
 */
export function place(shop, spec) {
  const at = timeOf(shop, spec.created_at);
  const money = (amount) => amountOf(amount, shop.currency);
  const customer = spec.customer === null ? null : shop.customer(spec.email);
  const lines = (spec.lines ?? [{ product: [...shop.products.keys()][0], quantity: 1 }]).map((line) =>
    newLine(shop, line),
  );
  const shipping = money(spec.shipping ?? (spec.lines?.length === 0 ? '0' : shop.shippingPrice));
  const codes = [spec.codes ?? [], spec.code ?? []].flat();
  const usedAt = spec.created_at ? at : shop.clock.now();
  const { applications, refused } = apply(shop, { lines, shipping, codes, customer, at: usedAt });
  // Who orders by control names codes that are there; a checkout just doesn't apply others.
  if (refused.length > 0 && !spec.lenient)
    throw new Refusal(422, refused.map((one) => `${one.code}: ${one.reason}`).join('; '));
  if (spec.manual_discount) applications.push(manual(spec.manual_discount, lines, money));
  use(applications, customer);

  const order = {
    id: newId(),
    number: numbered(shop, spec.number),
    ...{
      createdAt: at,
      updatedAt: at,
      processedAt: at,
      cancelledAt: null,
      cancelReason: null,
      deleted: false,
    },
    ...{ test: spec.test ?? false, taxesIncluded: shop.taxesIncluded, currency: shop.currency },
    presentment: {
      currency: spec.currency ?? shop.currency,
      rate: spec.currency && spec.currency !== shop.currency ? (spec.rate ?? 1) : 1,
    },
    ...{ email: spec.email ?? null, customer, customerIndex: null },
    ...{ landingSite: spec.landing_site ?? null, referringSite: spec.referring_site ?? null },
    noteAttributes: attributes(spec.note_attributes),
    ...{ sourceName: spec.source_name ?? 'web', tags: spec.tags ?? [], note: spec.note ?? null },
    ...{ token: hex(), cartToken: spec.cart_token ?? hex(), checkoutToken: spec.checkout_token ?? hex() },
    confirmationNumber: hex(5).slice(0, 9).toUpperCase(),
    applications: applications.map(({ found, lines: _, shipping: __, ...application }) => application),
    lines,
    shipping: { id: newId(), title: 'Standard', price: shipping, allocations: [] },
    tip: money(spec.tip ?? '0'),
    ...{ paid: 0, voided: false, edited: false, refunds: [], disputes: [], journey: {} },
  };
  applications.forEach((application, index) => {
    for (const [line, amount] of application.lines) line.allocations.push({ index, amount });
    if (application.shipping > 0) order.shipping.allocations.push({ index, amount: application.shipping });
  });
  for (const line of lines) line.tax = taxOf(order, net(line), line.taxRate);
  order.originalTotal = totals(order).total;
  if (spec.paid ?? true) order.paid = order.originalTotal;
  // Test orders are none of a customer's.
  if (customer && !order.test) order.customerIndex = ++customer.orders;
  shop.orders.set(order.id, order);
  shop.touch(order, at);
  tell(shop, order, 'orders/create');
  if (order.paid > 0) tell(shop, order, 'orders/paid');
  tell(shop, order, 'orders/updated');
  return { order, refused };
}

/** The number that was asked for, or the next one. */
function numbered(shop, wanted = shop.nextOrder) {
  shop.nextOrder = Math.max(shop.nextOrder, wanted + 1);
  return wanted;
}

export function pay(shop, order, { at } = {}) {
  order.paid = totals(order).total;
  changed(shop, order, at, 'orders/paid');
}

/** `lines` [{ line, quantity }], or `all`; `shipping` true or an amount; `amount` is what is paid back if it differs. */
export function refund(shop, order, spec = {}) {
  const at = timeOf(shop, spec.at);
  const money = (amount) => amountOf(amount, shop.currency);
  const before = totals(order);
  const wanted = spec.all
    ? order.lines
        .filter((line) => line.currentQuantity > 0)
        .map((line) => ({ line: line.id, quantity: line.currentQuantity }))
    : (spec.lines ?? []);
  const lines = wanted.map(({ line: name, quantity = 1 }) => {
    const line = lineOf(order, name);
    if (!(quantity > 0 && quantity <= line.currentQuantity))
      throw new Refusal(422, `${quantity} of ${name} can't be refunded`);
    const left = line.currentQuantity - quantity;
    const subtotal =
      part(net(line), line.currentQuantity, line.quantity) - part(net(line), left, line.quantity);
    const tax = part(line.tax, line.currentQuantity, line.quantity) - part(line.tax, left, line.quantity);
    line.currentQuantity = left;
    return { id: newId(), line, quantity, subtotal, tax };
  });
  const shipping = spec.shipping === true || spec.all ? before.shippingLeft : money(spec.shipping ?? '0');
  if (shipping > before.shippingLeft) throw new Refusal(422, 'more shipping than was paid');
  const named =
    lines.reduce((sum, line) => sum + line.subtotal + (order.taxesIncluded ? 0 : line.tax), 0) + shipping;
  const paid = spec.amount === undefined ? Math.min(named, order.paid - refunded(order)) : money(spec.amount);
  if (paid > order.paid - refunded(order)) throw new Refusal(422, 'more than was paid');
  const one = {
    id: newId(),
    orderId: order.id,
    createdAt: at,
    note: spec.note ?? null,
    lines,
    shipping,
    amount: paid,
  };
  one.transactionId = newId();
  // Shopify's bodies balance: money that moved = lines + shipping − adjustments.
  one.adjustments =
    named === paid ? [] : [{ id: newId(), amount: named - paid, reason: 'refund_discrepancy' }];
  order.refunds.push(one);
  shop.touch(order, at);
  shop.emit('refunds/create', () => refundBody(shop, order, one), one.id);
  tell(shop, order, 'orders/updated');
  return one;
}

export function cancel(shop, order, { reason = 'customer', refund: back = true, at } = {}) {
  if (order.cancelledAt) throw new Refusal(422, 'it is cancelled already');
  if (back && order.paid > 0 && refunded(order) < order.paid) refund(shop, order, { all: true, at });
  if (order.paid === 0) order.voided = true;
  for (const line of order.lines) line.currentQuantity = 0;
  order.cancelledAt = timeOf(shop, at);
  order.cancelReason = reason;
  changed(shop, order, at, 'orders/cancelled');
}

/** `add` lines as for place, `remove` [{ line, quantity }]. */
export function edit(shop, order, { add = [], remove = [], at } = {}) {
  const additions = add.map((spec) => {
    const line = newLine(shop, spec);
    line.tax = taxOf(order, net(line), line.taxRate);
    order.lines.push(line);
    return { line, delta: line.quantity };
  });
  const removals = remove.map(({ line: name, quantity = 1 }) => {
    const line = lineOf(order, name);
    if (!(quantity > 0 && quantity <= line.currentQuantity))
      throw new Refusal(422, `${quantity} of ${name} can't be removed`);
    line.currentQuantity -= quantity;
    return { line, delta: quantity };
  });
  order.edited = true;
  shop.touch(order, timeOf(shop, at));
  const body = editBody(shop, order, { id: newId(), at: timeOf(shop, at), additions, removals });
  shop.emit('orders/edited', () => body, order.id);
  tell(shop, order, 'orders/updated');
}

export function destroy(shop, order) {
  order.deleted = true;
  shop.orders.delete(order.id);
  shop.version++;
  shop.emit('orders/delete', () => ({ id: number(order.id) }), order.id);
}

/** Opens a dispute, or changes the one that is open: `status` as in Shopify, in lower case. */
export function dispute(
  shop,
  order,
  { status = 'needs_response', amount, reason = 'fraudulent', type = 'chargeback', at } = {},
) {
  const now = timeOf(shop, at);
  const known = order.disputes.at(-1);
  const value = amount === undefined ? order.paid : amountOf(amount, shop.currency);
  const one = known ?? { id: newId(), order, type, reason, amount: value, initiatedAt: now };
  if (!known) {
    order.disputes.push(one);
    shop.disputes.set(one.id, one);
  }
  one.status = status;
  one.finalizedOn = ['won', 'lost', 'accepted', 'prevented'].includes(status) ? now : null;
  shop.version++;
  shop.emit(known ? 'disputes/update' : 'disputes/create', () => disputeBody(shop, one), one.id);
  return one;
}

/** Tells of an order as it is now. */
export function tell(shop, order, topic) {
  shop.emit(topic, () => orderBody(shop, order), order.id);
}

function changed(shop, order, at, topic) {
  shop.touch(order, timeOf(shop, at));
  tell(shop, order, topic);
  tell(shop, order, 'orders/updated');
}

function newLine(shop, spec) {
  const product =
    spec.product === undefined || spec.product === null ? undefined : findProduct(shop, spec.product);
  if (spec.product && !product) throw new Refusal(422, `no product ${spec.product}`);
  const quantity = spec.quantity ?? 1;
  if (!Number.isInteger(quantity) || quantity < 1)
    throw new Refusal(422, 'a quantity is a whole number from 1');
  if (!product && spec.price === undefined) throw new Refusal(422, 'a line without a product needs a price');
  return {
    id: newId(),
    product,
    title: spec.title ?? product?.title ?? 'Custom item',
    sku: product?.variant.sku ?? null,
    ...{
      quantity,
      currentQuantity: quantity,
      price: spec.price === undefined ? product.variant.price : amountOf(spec.price, shop.currency),
    },
    giftCard: spec.gift_card ?? product?.giftCard ?? false,
    tip: spec.tip ?? false,
    taxRate: spec.tax_rate ?? (product?.giftCard ? 0 : shop.taxRate),
    ...{ tax: 0, allocations: [] },
  };
}

/** Off all that is sold, in proportion: gift cards are money already. */
const manual = ({ title, amount }, lines, money) => {
  const worth = lines.map((line) => (line.giftCard ? 0 : line.price * line.quantity));
  const most = worth.reduce((sum, value) => sum + value, 0);
  const amounts = divide(Math.min(money(amount), most), worth);
  return {
    ...{ type: 'manual', title, valueType: 'fixed_amount', value: amount, codeType: 'fixed_amount' },
    ...{ targetType: 'line_item', targetSelection: 'all', allocationMethod: 'across', shipping: 0 },
    lines: new Map(lines.map((line, at) => [line, amounts[at]]).filter(([, value]) => value > 0)),
  };
};

/** A line by its id or its place. */
function lineOf(order, name) {
  const line = order.lines.find(({ id }) => id === String(name)) ?? order.lines[Number(name ?? 0)];
  if (!line) throw new Refusal(422, `no line ${name}`);
  return line;
}

const off = (allocations) => allocations.reduce((sum, { amount }) => sum + amount, 0);

/** What a line costs after its discounts, all its units. */
export const net = (line) => line.price * line.quantity - off(line.allocations);

/** The part of a line's amount that some of its units make. */
export const part = (amount, units, of) => Number((BigInt(amount) * BigInt(units)) / BigInt(of));

const taxOf = (order, amount, rate) =>
  Math.round(order.taxesIncluded ? amount - amount / (1 + rate) : amount * rate);

export const refunded = (order) => order.refunds.reduce((sum, { amount }) => sum + amount, 0);

/** Everything that is reckoned from an order, in minor units. */
export function totals(order) {
  const sum = (list, of) => list.reduce((total, one) => total + of(one), 0);
  const gross = sum(order.lines, (line) => line.price * line.quantity);
  const subtotal = sum(order.lines, net);
  const tax = sum(order.lines, (line) => line.tax);
  const shippingOff = off(order.shipping.allocations);
  const shipping = order.shipping.price - shippingOff;
  const shippingBack = sum(order.refunds, (one) => one.shipping);
  const now = (of) => sum(order.lines, (line) => part(of(line), line.currentQuantity, line.quantity));
  const currentSubtotal = now(net);
  const currentTax = now((line) => line.tax);
  const beside = (taxes) => order.tip + (order.taxesIncluded ? 0 : taxes);
  return {
    ...{ gross, subtotal, tax, shipping, currentSubtotal, currentTax },
    shippingPrice: order.shipping.price,
    shippingLeft: shipping - shippingBack,
    discounts: gross - subtotal + shippingOff,
    currentDiscounts: now((line) => off(line.allocations)) + (shippingBack >= shipping ? 0 : shippingOff),
    total: subtotal + shipping + beside(tax),
    currentTotal: currentSubtotal + shipping - shippingBack + beside(currentTax),
    refunded: refunded(order),
  };
}

export function financialStatus(order) {
  if (order.voided) return 'voided';
  if (order.paid === 0) return 'pending';
  const back = refunded(order);
  if (back >= order.paid) return 'refunded';
  if (back > 0) return 'partially_refunded';
  return order.paid < totals(order).total && !order.edited ? 'partially_paid' : 'paid';
}

/** An amount of the shop's currency as the buyer saw it. */
export function presented(order, value) {
  const { currency, rate } = order.presentment;
  if (rate === 1) return value;
  return Math.round(value * rate * 10 ** (exponent(currency) - exponent(order.currency)));
}

/** Visits before the order, as the landing page tells them, once they are ready. */
export function journeyOf(shop, order) {
  const { ready, firstVisit, lastVisit } = order.journey;
  const { journeyMs } = shop.settings;
  const isReady = ready ?? (journeyMs !== null && shop.clock.now() >= order.createdAt + journeyMs);
  if (!isReady) return { ready: false };
  const isPage = order.landingSite && URL.canParse(order.landingSite, `https://${shop.domain}`);
  const seen = isPage ? { landingPage: order.landingSite, referrerUrl: order.referringSite } : null;
  const visit = lastVisit === undefined ? seen : lastVisit;
  return { ready: true, firstVisit: firstVisit === undefined ? visit : firstVisit, lastVisit: visit };
}

function attributes(given) {
  if (!given) return [];
  if (Array.isArray(given)) return given.map(({ name, value }) => ({ name, value: String(value ?? '') }));
  return Object.entries(given).map(([name, value]) => ({ name, value: String(value ?? '') }));
}

export function timeOf(shop, given) {
  if (given === undefined || given === null) return Math.floor(shop.clock.now() / 1000) * 1000;
  const ms = typeof given === 'number' ? given : Date.parse(given);
  if (!Number.isFinite(ms)) throw new Refusal(422, `no time: ${given}`);
  return Math.floor(ms / 1000) * 1000;
}

function amountOf(amount, currency) {
  try {
    return minor(amount, currency);
  } catch (error) {
    throw new Refusal(422, error.message);
  }
}

const hex = (bytes = 16) => randomBytes(bytes).toString('hex');
