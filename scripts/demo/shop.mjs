// The demo's shop: Shopify's double sells what is planned, and tells of it as Shopify does.
import { createHmac } from 'node:crypto';
import { startDouble } from '../lib/shopify.mjs';
import { client, inParallel } from './client.mjs';
import { BRAND, FOREIGN_CODES, PRODUCTS, STORE } from './words.mjs';

const CONNECTIONS = 8;
const NAME = STORE.shop_domain.split('.')[0];
const money = (cents) => (cents / 100).toFixed(2);

export const sign = (secret, body) => createHmac('sha256', secret).update(body).digest('base64');

/**
 * Opens the shop in the double at `origin`; without one in a double of its own, which ends with `close` and which
 * the product therefore can't be connected to.
 */
export async function openShop({ origin, secret, plan }) {
  const own = origin === undefined ? await startDouble(0) : undefined;
  const http = client(origin ?? own.origin, { connections: CONNECTIONS });
  const call = (path, json) => http.api(json === undefined ? 'GET' : 'POST', `/control/${path}`, { json });
  const { storefront } = await call('shops', {
    ...{ domain: STORE.shop_domain, name: BRAND.name, currency: BRAND.currency, timezone: BRAND.timezone },
    ...{ clientId: STORE.client_id, clientSecret: secret, taxRate: 0.08, shipping: '7.95' },
    products: [
      ...PRODUCTS.map(([handle, title, cents]) => ({ handle, title, price: money(cents) })),
      { handle: 'gift-card', title: 'Gift card', price: '50.00', giftCard: true },
    ],
  });
  const codes = [...plan.deals.flatMap(({ code }) => code ?? []), ...FOREIGN_CODES];
  const startsAt = new Date(plan.start).toISOString();
  await inParallel(codes, CONNECTIONS, (code) => call(`${NAME}/discounts`, { code, startsAt }));
  return {
    /** Where shoppers see it: nowhere, if nobody can come. */
    storefront: own ? STORE.storefront_url : storefront.replace(/\/$/, ''),
    isOpen: !own,
    /** Every page of it has this in its head. */
    dress: (head) => call(`${NAME}/theme`, { head }),
    live: (order) => live(call, order, plan.end),
    close: async () => {
      http.close();
      await own?.stop();
    },
  };
}

/** Has the shop sell an order, with all that becomes of it until the end: what it tells of it, in order. */
async function live(call, order, end) {
  const { told, id } = await call(`${NAME}/orders/life`, {
    ...{ number: order.number, created_at: order.placedAt, email: order.email, test: order.test },
    ...{ paid: order.paidAt === order.placedAt, codes: order.codes, lines: order.lines.map(lineOf) },
    ...{ landing_site: landingSite(order), note_attributes: attributes(order) },
    ...(order.automatic !== null && { manual_discount: { title: order.automatic, amount: money(off(order)) } }),
    then: actions(order).filter(({ at }) => at <= end),
  });
  return { id, told };
}

const off = (order) => order.lines.reduce((sum, line) => sum + line.discount, 0);
const lineOf = ({ handle = 'gift-card', quantity }) => ({ product: handle, quantity });

function actions(order) {
  const { paidAt, placedAt, cancelledAt, refunds } = order;
  const refund = ({ at, lines, amount, shipping }) => ({
    ...{ action: 'refund', at, shipping: money(shipping) },
    ...(amount > 0 && { amount: money(amount), note: 'Goodwill' }),
    lines: lines.map(({ line, quantity }) => ({ line: order.lines.indexOf(line), quantity })),
  });
  return [
    ...(paidAt > placedAt ? [{ action: 'pay', at: paidAt }] : []),
    { action: 'cancel', at: cancelledAt },
    ...refunds.map(refund),
  ].sort((a, b) => a.at - b.at);
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
