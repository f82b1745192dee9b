// Shopify as the product sees it: payloads in the shape of API 2026-07, signed and delivered.
import { createHmac } from 'node:crypto';

let ids = 5_000_000_000_000 + (process.pid % 1000) * 1_000_000_000;
/** An id that nothing else in this run has. */
export const nextId = () => ids++;

const money = (amount, currency) => {
  const one = { amount, currency_code: currency };
  return { shop_money: one, presentment_money: { ...one } };
};
const iso = (time) => new Date(time).toISOString();

/**
 * A web order, paid unless `status` says otherwise. Times are anything Date takes.
 *
 * `lines`: `{ id, price, quantity, discounts: ['10.00'], tax, current, giftCard, tip, product }`.
 * `codes`: `[['ANNA10', '15.00']]`; `manual`: the title of a discount that staff gave by hand.
 * `clicks`: click ids in the cart attribute; `landing`: the first page; `ref` and `landingClick` make one.
 */
export function order({
  id = nextId(),
  placedAt = Date.now(),
  updatedAt = placedAt,
  name = `#${1000 + (id % 9000)}`,
  currency = 'USD',
  presentment = currency,
  status = 'paid',
  cancelledAt = null,
  taxesIncluded = false,
  test = false,
  email = 'shopper@people.example',
  lines = [{ price: '100.00' }],
  shipping = '7.00',
  codes = [],
  manual,
  clicks = [],
  ref,
  landingClick,
  landing = ref || landingClick ? page({ ref, click_id: landingClick }) : null,
  refunds = [],
  more = {},
} = {}) {
  const applications = codes.map(([code, value]) => ({
    target_type: 'line_item',
    type: 'discount_code',
    value,
    value_type: 'fixed_amount',
    allocation_method: 'across',
    target_selection: 'all',
    code,
  }));
  const listed = codes.map(([code, amount]) => ({ code, amount, type: 'fixed_amount' }));
  if (manual) {
    applications.push({ type: 'manual', title: manual, value: '1.00', value_type: 'fixed_amount' });
    listed.push({ code: manual, amount: '1.00', type: 'fixed_amount' });
  }
  return {
    id,
    admin_graphql_api_id: `gid://shopify/Order/${id}`,
    app_id: 580111,
    buyer_accepts_marketing: false,
    cancel_reason: cancelledAt ? 'customer' : null,
    cancelled_at: cancelledAt && iso(cancelledAt),
    cart_token: `cart${id}`,
    checkout_token: `checkout${id}`,
    confirmation_number: `C${id}`,
    confirmed: true,
    contact_email: email,
    created_at: iso(placedAt),
    currency,
    customer: email && { id: 115310627314723950 + 1, email, state: 'disabled', tags: '' },
    customer_locale: 'en',
    discount_applications: applications,
    discount_codes: listed,
    email,
    financial_status: status,
    fulfillment_status: null,
    landing_site: landing,
    landing_site_ref: ref ?? null,
    line_items: lines.map((line, index) => lineItem(line, index, currency)),
    name,
    note: null,
    note_attributes: clicks.map((value) => ({ name: '_tributary_click', value })),
    order_number: 1000 + (id % 9000),
    payment_gateway_names: ['shopify_payments'],
    presentment_currency: presentment,
    processed_at: iso(placedAt),
    referring_site: 'https://www.instagram.com/',
    refunds,
    shipping_lines: [
      { id: id + 7, price: shipping, price_set: money(shipping, currency), title: 'Standard' },
    ],
    source_name: 'web',
    taxes_included: taxesIncluded,
    test,
    token: `token${id}`,
    total_tip_received: '0.00',
    updated_at: iso(updatedAt),
    ...more,
  };
}

const page = (query) =>
  `/products/blue-jeans?${new URLSearchParams(Object.entries(query).filter(([, value]) => value))}`;

function lineItem(line, index, currency) {
  const { id = index + 1, price, quantity = 1, discounts = [], tax, current, product = 632910392 } = line;
  return {
    id,
    admin_graphql_api_id: `gid://shopify/LineItem/${id}`,
    current_quantity: current ?? quantity,
    discount_allocations: discounts.map((amount, application) => ({
      amount,
      amount_set: money(amount, currency),
      discount_application_index: application,
    })),
    fulfillable_quantity: quantity,
    gift_card: line.giftCard ?? false,
    name: line.name ?? 'Blue jeans',
    price,
    price_set: money(price, currency),
    product_exists: true,
    product_id: product,
    quantity,
    requires_shipping: true,
    sku: 'JEANS',
    tax_lines: tax ? [{ price: tax, price_set: money(tax, currency), rate: 0.19, title: 'VAT' }] : [],
    taxable: true,
    title: line.name ?? 'Blue jeans',
    // Zero even when discounted: allocations count.
    total_discount: '0.00',
    total_discount_set: money('0.00', currency),
    variant_id: 808950810,
    ...(line.tip && { tip: { payment_gateway: 'shopify_payments' } }),
  };
}

/** A payment dispute of an order: `status` as Shopify calls it, `type` chargeback or inquiry. */
export function dispute({ id = nextId(), orderId, type = 'chargeback', status = 'needs_response', at = Date.now(), more = {} }) {
  const open = ['needs_response', 'under_review'].includes(status);
  return {
    id,
    order_id: orderId,
    type,
    amount: '11.50',
    currency: 'USD',
    reason: 'fraudulent',
    network_reason_code: '4837',
    status,
    evidence_due_by: iso(at + 86_400_000),
    evidence_sent_on: null,
    finalized_on: open ? null : iso(at),
    initiated_at: iso(at),
    ...more,
  };
}

/**
 * A refund: of `lines` `{ line, quantity, subtotal, tax }`, of `shipping`, or of an `amount` without
 * lines. `shape` 'old' is that of APIs before 2024-10, where shipping is an adjustment with a kind.
 */
export function refund({
  id = nextId(),
  orderId,
  currency = 'USD',
  lines = [],
  shipping,
  amount,
  shape = 'new',
  at = Date.now(),
} = {}) {
  const adjustments = [];
  const adjust = (value, kind, reason) =>
    adjustments.push({
      id: id + 1,
      amount: `-${value}`,
      amount_set: money(`-${value}`, currency),
      order_id: orderId,
      reason,
      refund_id: id,
      tax_amount: '0.00',
      tax_amount_set: money('0.00', currency),
      ...(shape === 'old' && { kind }),
    });
  if (shipping && shape === 'old') adjust(shipping, 'shipping_refund', 'Shipping refund');
  if (amount) adjust(amount, 'refund_discrepancy', 'Refund discrepancy');
  const paid = [
    ...lines.map(({ subtotal, tax = 0 }) => Number(subtotal) + Number(tax)),
    shipping ?? 0,
    amount ?? 0,
  ];
  const total = paid.reduce((sum, part) => sum + Number(part), 0);
  return {
    id,
    admin_graphql_api_id: `gid://shopify/Refund/${id}`,
    created_at: iso(at),
    note: null,
    order_id: orderId,
    processed_at: iso(at),
    restock: true,
    duties: [],
    refund_line_items: lines.map(({ line, quantity = 1, subtotal, tax = '0.00' }, index) => ({
      id: id + 10 + index,
      line_item: { id: line, quantity, price: subtotal },
      line_item_id: line,
      quantity,
      restock_type: 'return',
      // Numbers, where all other amounts are texts.
      subtotal: Number(subtotal),
      subtotal_set: money(subtotal, currency),
      total_tax: Number(tax),
      total_tax_set: money(tax, currency),
    })),
    refund_shipping_lines: shipping
      ? [
          {
            id: id + 5,
            subtotal_amount_set: money(shipping, currency),
            shipping_line: { id: 7, tax_lines: [] },
          },
        ]
      : [],
    order_adjustments: adjustments,
    transactions:
      total > 0
        ? [
            {
              id: id + 2,
              amount: total.toFixed(2),
              currency,
              kind: 'refund',
              status: 'success',
              order_id: orderId,
            },
          ]
        : [],
  };
}

/** `orders/edited`: which units came and went; amounts follow in `orders/updated`. */
export const edited = (orderId, removals = [], additions = []) => ({
  order_edit: {
    id: nextId(),
    app_id: 1,
    created_at: iso(Date.now()),
    order_id: orderId,
    line_items: { additions, removals },
    discounts: { line_item: { additions: [], removals: [] } },
  },
});

/** `orders/delete`. */
export const deleted = (orderId) => ({ id: orderId });

/** The order of the contract's worked example. */
export const workedExample = (more = {}) =>
  order({
    lines: [
      { price: '100.00', discounts: ['10.00'] },
      { price: '25.00', quantity: 2, discounts: ['5.00'] },
    ],
    ...more,
  });

export const sign = (body, secret) => createHmac('sha256', secret).update(body).digest('base64');

/** A connected store, able to deliver. */
export function store(server, { id, webhook_url }, secret) {
  const path = new URL(webhook_url).pathname;
  const self = { id, path, secret, url: server.origin + path };
  /**
   * Delivers a payload (an object, or a body as it is) and answers status and text. `secret` and
   * `signature` forge, `at` is the clock of laptop builds.
   */
  self.deliver = async (payload, { secret = self.secret, signature, headers = {}, at, topic } = {}) => {
    const body =
      typeof payload === 'string' || payload instanceof Uint8Array ? payload : JSON.stringify(payload);
    const mac = signature === undefined ? sign(body, secret) : signature;
    const response = await fetch(self.url, {
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/json',
        ...(mac !== null && { 'x-shopify-hmac-sha256': mac }),
        'x-shopify-topic': topic ?? 'orders/updated',
        'x-shopify-api-version': '2026-07',
        'x-shopify-webhook-id': crypto.randomUUID(),
        ...(at && { 'x-tributary-now': String(at) }),
        ...headers,
      },
    });
    return { status: response.status, text: await response.text(), headers: response.headers };
  };
  /** Delivers and fails unless it is acknowledged. */
  self.send = async (...args) => {
    for (const payload of args) {
      const { status, text } = await self.deliver(payload);
      if (status !== 200) throw new Error(`the delivery was answered ${status} ${text}`);
    }
  };
  return self;
}
