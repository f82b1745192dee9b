// Signed Shopify orders of 8 KB, as their documentation shows them.
import { createHmac } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { code, LINKS, SECRET } from './seed.mjs';

const addr = { first_name: 'Ada', last_name: 'Example', company: null, address1: '1 Example Street', address2: 'Flat 2', city: 'Berlin', zip: '10115', province: 'Berlin', province_code: 'BE', country: 'Germany', country_code: 'DE', country_name: 'Germany', phone: '+491700000000', name: 'Ada Example', latitude: 52.53, longitude: 13.38 };
const money = (a) => ({ shop_money: { amount: a, currency_code: 'EUR' }, presentment_money: { amount: a, currency_code: 'EUR' } });
const item = (i) => ({ id: 14000000000000 + i, admin_graphql_api_id: `gid://shopify/LineItem/${14000000000000 + i}`, current_quantity: 1, fulfillable_quantity: 1, fulfillment_service: 'manual', fulfillment_status: null, gift_card: false, grams: 250, name: `Linen shirt - ${i} / M`, price: '39.90', price_set: money('39.90'), product_exists: true, product_id: 8000000000000 + i, properties: [], quantity: 1, requires_shipping: true, sku: `LS-${i}-M`, taxable: true, title: 'Linen shirt', total_discount: '0.00', total_discount_set: money('0.00'), variant_id: 45000000000000 + i, variant_inventory_management: 'shopify', variant_title: `${i} / M`, vendor: 'Example', tax_lines: [{ channel_liable: false, price: '6.37', price_set: money('6.37'), rate: 0.19, title: 'MwSt' }], duties: [], discount_allocations: [{ amount: '3.99', amount_set: money('3.99'), discount_application_index: 0 }] });

const placed = new Date().toISOString();

/** An order of today, whole; `@@ID` and `@@CODE` stand for what differs. */
const order = { id: 7000000000, admin_graphql_api_id: 'gid://shopify/Order/0', app_id: 580111, browser_ip: '203.0.113.7', buyer_accepts_marketing: true, cart_token: 'hWN2t0000000000000000000000000000', checkout_id: 36000000000000, client_details: { accept_language: 'de-DE', browser_height: null, browser_ip: '203.0.113.7', session_hash: null, user_agent: 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15' }, confirmation_number: 'XQ1Z2Y3W4', confirmed: true, contact_email: 'ada@example.com', created_at: placed, currency: 'EUR', current_subtotal_price: '107.73', current_subtotal_price_set: money('107.73'), current_total_discounts: '11.97', current_total_price: '112.63', current_total_price_set: money('112.63'), current_total_tax: '17.20', customer_locale: 'de', discount_applications: [{ target_type: 'line_item', type: 'discount_code', value: '10.0', value_type: 'percentage', allocation_method: 'across', target_selection: 'all', code: '@@CODE' }], discount_codes: [{ code: '@@CODE', amount: '11.97', type: 'percentage' }], email: 'ada@example.com', estimated_taxes: false, financial_status: 'paid', fulfillment_status: null, landing_site: '/products/linen-shirt?utm_source=instagram&ref=@@CODE', name: '#1001', note: null, note_attributes: [{ name: 'ref', value: '@@CODE' }], number: 1, order_number: 1001, order_status_url: 'https://shop.example.com/1/orders/a/authenticate?key=b', payment_gateway_names: ['shopify_payments'], phone: null, presentment_currency: 'EUR', processed_at: placed, referring_site: 'https://www.instagram.com/', source_name: 'web', subtotal_price: '107.73', subtotal_price_set: money('107.73'), tags: '', tax_lines: [{ price: '17.20', rate: 0.19, title: 'MwSt', price_set: money('17.20') }], taxes_included: true, test: false, token: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', total_discounts: '11.97', total_line_items_price: '119.70', total_price: '112.63', total_price_set: money('112.63'), total_shipping_price_set: money('4.90'), total_tax: '17.20', total_weight: 750, updated_at: placed, billing_address: addr, shipping_address: addr, customer: { id: 6000000000000, email: 'ada@example.com', first_name: 'Ada', last_name: 'Example', state: 'enabled', verified_email: true, tags: '', currency: 'EUR', default_address: addr, admin_graphql_api_id: 'gid://shopify/Customer/1' }, fulfillments: [], line_items: [item(1), item(2), item(3)], payment_terms: null, refunds: [], shipping_lines: [{ id: 5000000000000, carrier_identifier: null, code: 'Standard', discounted_price: '4.90', price: '4.90', price_set: money('4.90'), source: 'shopify', title: 'Standard', tax_lines: [], discount_allocations: [] }] };

const template = JSON.stringify(order).replace('"id":7000000000', '"id":@@ID');
const FIRST_ID = 7_000_000_000;

export const sign = (body) => createHmac('sha256', SECRET).update(body).digest('base64');

/** Order number `n` as a body; `code` may be one that nobody has, `changes` are made to its fields. */
export function body(n, discount = code(n * 7919), changes = {}) {
  const text = template.replace('@@ID', String(FIRST_ID + n)).replaceAll('@@CODE', discount);
  return Object.keys(changes).length === 0 ? text : JSON.stringify({ ...JSON.parse(text), ...changes });
}

/** Writes orders 0 to `count` for the load generators, with `codes` different codes; answers the folder. */
export function writeOrders(folder, count, codes = LINKS) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'body.json'), template);
  const used = (n) => code((n * 7919) % codes);
  const line = (n) => `${FIRST_ID + n} ${used(n)} ${sign(body(n, used(n)))}`;
  writeFileSync(join(folder, 'orders.txt'), Array.from({ length: count }, (_, n) => line(n)).join('\n') + '\n');
  return folder;
}
