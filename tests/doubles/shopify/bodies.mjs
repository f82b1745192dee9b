// Webhook bodies in the shape of API 2026-07 (93 fields of an order), made from the orders that are kept.
import { financialStatus, presented, refunded, totals } from './orders.mjs';
import { gid, local, number, plain, utc } from './values.mjs';

/** What writes one order's amounts. */
function writer(order) {
  const { currency, presentment } = order;
  const text = (value) => plain(value, currency);
  const set = (value) => ({
    shop_money: { amount: text(value), currency_code: currency },
    presentment_money: {
      amount: plain(presented(order, value), presentment.currency),
      currency_code: presentment.currency,
    },
  });
  return { text, set };
}

export function orderBody(shop, order) {
  const { text, set } = writer(order);
  const sums = totals(order);
  const time = (ms) => local(ms, shop.timezone);
  const both = (name, value) => ({ [name]: text(value), [`${name}_set`]: set(value) });
  const outstanding = order.cancelledAt ? 0 : Math.max(0, sums.currentTotal - (order.paid - refunded(order)));
  return {
    id: number(order.id),
    admin_graphql_api_id: gid('Order', order.id),
    app_id: order.sourceName === 'web' ? 580111 : null,
    browser_ip: null,
    buyer_accepts_marketing: false,
    cancel_reason: order.cancelReason,
    cancelled_at: time(order.cancelledAt),
    cart_token: order.cartToken,
    checkout_token: order.checkoutToken,
    client_details: null,
    closed_at: null,
    confirmation_number: order.confirmationNumber,
    confirmed: true,
    contact_email: order.email,
    created_at: time(order.createdAt),
    currency: order.currency,
    current_shipping_price_set: set(sums.shippingLeft),
    ...both('current_subtotal_price', sums.currentSubtotal),
    current_total_additional_fees_set: null,
    ...both('current_total_discounts', sums.currentDiscounts),
    current_total_duties_set: null,
    ...both('current_total_price', sums.currentTotal),
    ...both('current_total_tax', sums.currentTax),
    customer_locale: 'en',
    device_id: null,
    discount_codes: discountCodes(order, text),
    duties_included: false,
    email: order.email ?? '',
    estimated_taxes: false,
    financial_status: financialStatus(order),
    fulfillment_status: null,
    landing_site: order.landingSite,
    landing_site_ref: referral(order.landingSite),
    location_id: null,
    merchant_business_entity_id: 'MTU0ODM4MDAwOQ',
    merchant_of_record_app_id: null,
    name: `#${order.number}`,
    note: order.note,
    note_attributes: order.noteAttributes,
    number: order.number - 1000,
    order_number: order.number,
    order_status_url: `https://${shop.domain}/${shop.id}/orders/${order.token}/authenticate?key=0`,
    original_total_additional_fees_set: null,
    original_total_duties_set: null,
    payment_gateway_names: order.paid > 0 ? ['bogus'] : [],
    phone: null,
    po_number: null,
    presentment_currency: order.presentment.currency,
    processed_at: time(order.processedAt),
    reference: null,
    referring_site: order.referringSite,
    source_identifier: null,
    source_name: order.sourceName,
    source_url: null,
    ...both('subtotal_price', sums.subtotal),
    tags: order.tags.join(', '),
    tax_exempt: false,
    tax_lines: taxLines(sums.tax, rateOf(order), text, set),
    taxes_included: order.taxesIncluded,
    test: order.test,
    token: order.token,
    total_cash_rounding_payment_adjustment_set: set(0),
    total_cash_rounding_refund_adjustment_set: set(0),
    ...both('total_discounts', sums.discounts),
    ...both('total_line_items_price', sums.gross),
    total_outstanding: text(outstanding),
    ...both('total_price', sums.total),
    total_shipping_price_set: set(sums.shippingPrice),
    ...both('total_tax', sums.tax),
    total_tip_received: text(order.tip),
    total_weight: 0,
    updated_at: time(order.updatedAt),
    user_id: null,
    billing_address: null,
    customer: customerBody(shop, order),
    discount_applications: order.applications.map(applicationBody),
    fulfillments: [],
    line_items: order.lines.map((line) => lineBody(line, text, set)),
    payment_terms: null,
    refunds: order.refunds.map((one) => refundBody(shop, order, one)),
    shipping_address: null,
    shipping_lines: order.shipping.price > 0 ? [shippingBody(order, text, set)] : [],
    returns: [],
    line_item_groups: [],
  };
}

/** `ref`, `source` or `r` of a landing page. */
export function referral(landing) {
  if (!landing || !URL.canParse(landing, 'https://shop')) return null;
  const query = new URL(landing, 'https://shop').searchParams;
  return query.get('ref') ?? query.get('source') ?? query.get('r');
}

/** Also a manual discount's title stands here: only its application tells that it is no code. */
function discountCodes(order, text) {
  return order.applications.map(({ type, code, title, codeType, targetType }, index) => {
    const of = [...order.lines, order.shipping].flatMap(({ allocations }) => allocations);
    const amount = of.filter((one) => one.index === index).reduce((sum, one) => sum + one.amount, 0);
    const kind = targetType === 'shipping_line' ? 'shipping' : codeType;
    return { code: type === 'manual' ? title : code, amount: text(amount), type: kind };
  });
}

function applicationBody({
  type,
  code,
  title,
  value,
  valueType,
  targetType,
  targetSelection,
  allocationMethod,
}) {
  return {
    target_type: targetType,
    type,
    value: String(value),
    value_type: valueType,
    allocation_method: allocationMethod,
    target_selection: targetSelection,
    ...(type === 'discount_code' ? { code } : { title, description: title }),
  };
}

const allocationBodies = (allocations, text, set) =>
  allocations.map(({ index, amount }) => ({
    amount: text(amount),
    amount_set: set(amount),
    discount_application_index: index,
  }));

const rateOf = (order) => order.lines.find(({ taxRate }) => taxRate > 0)?.taxRate ?? 0;

function taxLines(tax, rate, text, set) {
  if (tax === 0 && rate === 0) return [];
  return [{ channel_liable: false, price: text(tax), price_set: set(tax), rate, title: 'VAT' }];
}

function lineBody(line, text, set) {
  return {
    id: number(line.id),
    admin_graphql_api_id: gid('LineItem', line.id),
    attributed_staffs: [],
    current_quantity: line.currentQuantity,
    fulfillable_quantity: line.currentQuantity,
    fulfillment_service: 'manual',
    fulfillment_status: null,
    gift_card: line.giftCard,
    grams: 0,
    name: line.title,
    price: text(line.price),
    price_set: set(line.price),
    product_exists: line.product !== undefined,
    product_id: line.product ? number(line.product.id) : null,
    properties: [],
    quantity: line.quantity,
    requires_shipping: !line.giftCard,
    sales_line_item_group_id: null,
    sku: line.sku,
    taxable: line.taxRate > 0,
    title: line.title,
    // Zero even when discounted: the allocations tell.
    total_discount: text(0),
    total_discount_set: set(0),
    variant_id: line.product ? number(line.product.variant.id) : null,
    variant_inventory_management: null,
    variant_title: null,
    vendor: null,
    ...(line.tip && { tip: { payment_gateway: null, payment_method: null } }),
    tax_lines: taxLines(line.tax, line.taxRate, text, set),
    duties: [],
    discount_allocations: allocationBodies(line.allocations, text, set),
  };
}

/** The order's line inside a refund's has less to say. */
function refundedLine(line, text, set) {
  const {
    attributed_staffs: _,
    current_quantity: __,
    sales_line_item_group_id: ___,
    ...rest
  } = lineBody(line, text, set);
  return rest;
}

function shippingBody({ shipping }, text, set) {
  const taken = shipping.allocations.reduce((sum, { amount }) => sum + amount, 0);
  return {
    id: number(shipping.id),
    carrier_identifier: null,
    code: shipping.title,
    current_discounted_price_set: set(shipping.price - taken),
    discounted_price: text(shipping.price - taken),
    discounted_price_set: set(shipping.price - taken),
    is_removed: false,
    phone: null,
    price: text(shipping.price),
    price_set: set(shipping.price),
    requested_fulfillment_service_id: null,
    source: 'shopify',
    title: shipping.title,
    tax_lines: [],
    discount_allocations: allocationBodies(shipping.allocations, text, set),
  };
}

function customerBody(shop, { customer }) {
  if (!customer) return null;
  return {
    id: number(customer.id),
    created_at: local(customer.createdAt, shop.timezone),
    updated_at: local(customer.createdAt, shop.timezone),
    first_name: null,
    last_name: null,
    state: 'disabled',
    note: null,
    verified_email: true,
    multipass_identifier: null,
    tax_exempt: false,
    email: customer.email,
    phone: null,
    currency: shop.currency,
    tax_exemptions: [],
    admin_graphql_api_id: gid('Customer', customer.id),
  };
}

/** Since API 2024-10: adjustments have no kind, and shipping stands in `refund_shipping_lines` only. */
export function refundBody(shop, order, one) {
  const { text, set } = writer(order);
  const time = local(one.createdAt, shop.timezone);
  return {
    id: number(one.id),
    order_id: number(order.id),
    created_at: time,
    note: one.note,
    user_id: null,
    processed_at: time,
    duties: [],
    total_duties_set: set(0),
    return: null,
    refund_shipping_lines: refundShipping(order, one, text, set),
    restock: false,
    admin_graphql_api_id: gid('Refund', one.id),
    order_adjustments: one.adjustments.map(({ id, amount }) => ({
      id: number(id),
      amount: text(amount),
      amount_set: set(amount),
      order_id: number(order.id),
      reason: 'Refund discrepancy',
      refund_id: number(one.id),
      tax_amount: text(0),
      tax_amount_set: set(0),
    })),
    refund_line_items: one.lines.map(({ id, line, quantity, subtotal, tax }) => ({
      id: number(id),
      line_item_id: number(line.id),
      location_id: null,
      quantity,
      restock_type: 'no_restock',
      // These two are JSON numbers, where all other amounts are texts.
      subtotal: JSON.rawJSON(text(subtotal)),
      subtotal_set: set(subtotal),
      total_tax: JSON.rawJSON(text(tax)),
      total_tax_set: set(tax),
      line_item: refundedLine(line, text, set),
    })),
    transactions: one.amount === 0 ? [] : [transactionBody(shop, order, one)],
  };
}

function refundShipping(order, one, text, set) {
  if (one.shipping === 0) return [];
  const { shipping } = order;
  const line = {
    id: number(shipping.id),
    title: shipping.title,
    price: text(shipping.price),
    price_set: set(shipping.price),
  };
  const amounts = { subtotal_amount_set: set(one.shipping), tax_amount_set: set(0) };
  return [{ id: number(shipping.id), ...amounts, shipping_line: { ...line, tax_lines: [] } }];
}

function transactionBody(shop, order, one) {
  const time = local(one.createdAt, shop.timezone);
  const { currency } = order.presentment;
  return {
    id: number(one.transactionId),
    admin_graphql_api_id: gid('OrderTransaction', one.transactionId),
    amount: plain(presented(order, one.amount), currency),
    authorization: null,
    created_at: time,
    currency,
    device_id: null,
    error_code: null,
    gateway: 'bogus',
    kind: 'refund',
    location_id: null,
    message: 'Bogus Gateway: Forced success',
    order_id: number(order.id),
    parent_id: null,
    payment_id: `${order.checkoutToken}.2`,
    processed_at: time,
    receipt: {},
    source_name: order.sourceName,
    status: 'success',
    test: order.test,
    // Not as elsewhere: `currency`, not `currency_code`.
    total_unsettled_set: {
      presentment_money: { amount: plain(0, currency), currency },
      shop_money: { amount: plain(0, order.currency), currency: order.currency },
    },
    user_id: null,
  };
}

/** Tells only what moved: whoever wants the order must ask for it. */
export function editBody(shop, order, { id, at, additions, removals }) {
  const moved = ({ line, delta }) => ({ id: number(line.id), delta });
  const none = { additions: [], removals: [] };
  return {
    order_edit: {
      id: number(id),
      app_id: null,
      created_at: local(at, shop.timezone),
      committed_at: local(at, shop.timezone),
      notify_customer: false,
      order_id: number(order.id),
      staff_note: '',
      user_id: null,
      line_items: { additions: additions.map(moved), removals: removals.map(moved) },
      discounts: { line_item: none },
      shipping_lines: none,
    },
  };
}

export function disputeBody(shop, one) {
  const time = (ms) => local(ms, shop.timezone);
  return {
    id: number(one.id),
    order_id: number(one.order.id),
    type: one.type,
    amount: plain(one.amount, shop.currency),
    currency: shop.currency,
    reason: one.reason,
    network_reason_code: '4837',
    status: one.status,
    evidence_due_by: time(one.initiatedAt + 7 * 86_400_000),
    evidence_sent_on: null,
    finalized_on: time(one.finalizedOn),
    initiated_at: time(one.initiatedAt),
  };
}

/** `app/uninstalled`: the shop; its `domain` may be null. */
export function shopBody(shop) {
  return {
    id: number(shop.id),
    name: shop.name,
    email: `hello@${shop.domain}`,
    domain: null,
    country: 'DE',
    created_at: local(shop.createdAt, shop.timezone),
    updated_at: local(shop.clock.now(), shop.timezone),
    country_code: 'DE',
    currency: shop.currency,
    timezone: `(GMT) ${shop.timezone}`,
    iana_timezone: shop.timezone,
    money_format: '{{amount}}',
    taxes_included: shop.taxesIncluded,
    plan_display_name: shop.plan.display,
    plan_name: shop.plan.name,
    myshopify_domain: shop.domain,
    has_storefront: true,
    enabled_presentment_currencies: [shop.currency],
  };
}

export const scopesBody = (shop, previous, current) => ({
  id: JSON.rawJSON('580111'),
  shop_id: gid('Shop', shop.id),
  previous,
  current,
  updated_at: local(shop.clock.now(), shop.timezone),
});

/** The compliance topics. */
export function complianceBody(shop, topic, { customer, orders = [], requestId = 9999 } = {}) {
  const base = { shop_id: number(shop.id), shop_domain: shop.domain };
  if (topic === 'shop/redact') return base;
  const who = { id: number(customer?.id ?? '1'), ...(customer?.email && { email: customer.email }) };
  const ids = orders.map((order) => number(order.id));
  if (topic === 'customers/redact') return { ...base, customer: who, orders_to_redact: ids };
  return { ...base, customer: who, orders_requested: ids, data_request: { id: requestId } };
}

/** As `collections/update` tells it: nothing of its products. */
export const collectionBody = ({ id, handle, title, updatedAt }) => ({
  id: number(id),
  handle,
  title,
  updated_at: utc(updatedAt),
  body_html: null,
  published_at: utc(updatedAt),
  sort_order: 'best-selling',
  template_suffix: null,
  published_scope: 'web',
  admin_graphql_api_id: gid('Collection', id),
});

/** As `products/update` tells it, in short. */
export const productBody = (shop, { id, handle, title, createdAt, variant }) => ({
  admin_graphql_api_id: gid('Product', id),
  body_html: null,
  created_at: utc(createdAt),
  handle,
  id: number(id),
  product_type: '',
  published_at: utc(createdAt),
  template_suffix: null,
  title,
  updated_at: utc(shop.clock.now()),
  vendor: shop.name,
  status: 'active',
  published_scope: 'web',
  tags: '',
  variants: [
    { admin_graphql_api_id: gid('ProductVariant', variant.id), id: number(variant.id), product_id: number(id), sku: variant.sku },
  ],
  options: [],
  images: [],
  image: null,
});
