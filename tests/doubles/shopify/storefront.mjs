// The shop as shoppers see it: pages with the theme's head, the cart's Ajax API, /discount/CODE and a checkout.
import { randomBytes } from 'node:crypto';
import { apply } from './discounts.mjs';
import { escape, fields, html, json, redirect, Refusal } from './http.mjs';
import { place } from './orders.mjs';
import { consentScript } from './privacy.mjs';
import { findProduct } from './products.mjs';
import { plain } from './values.mjs';

const MAX_UNITS = 1000;

/** Answers a request of a shopper. */
export function storefront(shop, request, response, url, body) {
  const visit = visitOf(shop, request, url);
  const call = {
    shop,
    request,
    response,
    url,
    visit,
    given: body === '' ? {} : bodyFields(request, body),
  };
  const { method } = request;
  for (const [verb, path, handler] of ROUTES) {
    const match = verb === method && path.exec(url.pathname);
    if (match) return handler(call, ...match.slice(1).map(decoded));
  }
  return page(call, 404, 'Not found', '<p>There is no such page.</p>');
}

/** Forms have names like `attributes[x]` and `updates[]`: as objects and lists here. */
function bodyFields(request, body) {
  const flat = fields(request, body);
  if (!(request.headers['content-type'] ?? '').includes('form')) return flat;
  const given = {};
  for (const [name, value] of new URLSearchParams(body)) {
    const match = /^(\w+)\[([^\]]*)\](?:\[(\w+)\])?$/.exec(name);
    if (!match) given[name] = value;
    else if (match[2] === '') (given[match[1]] ??= []).push(value);
    else if (match[3]) ((given[match[1]] ??= {})[match[2]] ??= {})[match[3]] = value;
    else (given[match[1]] ??= {})[match[2]] = value;
  }
  return given;
}

/** What was meant, also of what nobody encoded right. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A session: its first page (kept 30 minutes), its cart and its code, told by cookies. */
function visitOf(shop, request, url) {
  const cookies = Object.fromEntries(
    (request.headers.cookie ?? '').split(/;\s*/).map((pair) => {
      const at = pair.indexOf('=');
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
  const token = decoded(cookies.cart ?? '');
  let cart = shop.carts.get(token);
  if (!cart) {
    cart = { token: randomBytes(16).toString('hex'), items: new Map(), attributes: {}, note: null };
    // So many shoppers are enough to remember.
    if (shop.carts.size > 20_000) shop.carts.delete(shop.carts.keys().next().value);
    shop.carts.set(cart.token, cart);
  }
  const isPage = request.method === 'GET' && !/\.(js|json|ico)$|^\/discount\//.test(url.pathname);
  const landing = cookies._landing_page ? decoded(cookies._landing_page) : undefined;
  const first = landing ?? (isPage ? url.pathname + url.search : undefined);
  const referrer = cookies._orig_referrer ? decoded(cookies._orig_referrer) : elsewhere(request);
  const code = cookies.discount_code ? decoded(cookies.discount_code) : undefined;
  return { cart, landing: first, isNew: landing === undefined && first !== undefined, referrer, code };
}

/** Where the shopper came from, if it is another site. */
function elsewhere({ headers }) {
  const { referer, host } = headers;
  return referer && URL.canParse(referer) && new URL(referer).host !== host ? referer : null;
}

function cookiesOf({ visit }, more = []) {
  const set = (name, value, seconds) =>
    `${name}=${encodeURIComponent(value)}; Path=/; Max-Age=${seconds}; SameSite=Lax`;
  const cookies = [set('cart', visit.cart.token, 14 * 86_400), ...more];
  if (visit.isNew) cookies.push(set('_landing_page', visit.landing, 1800));
  if (visit.isNew && visit.referrer) cookies.push(set('_orig_referrer', visit.referrer, 1800));
  return { 'set-cookie': cookies };
}

const leave = (call, location, more) => redirect(call.response, location, cookiesOf(call, more));
const ajax = (call, value) => json(call.response, 200, value, cookiesOf(call));

function page(call, status, title, content) {
  const { shop, visit, response } = call;
  const consent = shop.theme.privacy ? `<script>${consentScript(shop.theme.privacy)}</script>` : '';
  const text = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)} – ${escape(shop.name)}</title>
<script>
window.Shopify = window.Shopify || {};
Shopify.shop = ${JSON.stringify(shop.domain)};
Shopify.currency = { active: ${JSON.stringify(shop.currency)}, rate: '1.0' };
Shopify.routes = { root: '/' };
</script>
${consent}
${shop.theme.head}
</head>
<body>
<header><a href="/">${escape(shop.name)}</a> <a href="/cart">Cart (<span id="count">${units(visit.cart)}</span>)</a></header>
<main>
<h1>${escape(title)}</h1>
${content}
</main>
${shop.theme.body ?? ''}
</body>
</html>
`;
  html(response, status, text, cookiesOf(call));
}

const units = ({ items }) => [...items.values()].reduce((sum, quantity) => sum + quantity, 0);
const shown = (shop, value) => `${plain(value, shop.currency)} ${shop.currency}`;

const productList = (shop, products) =>
  `<ul>${[...products]
    .map(
      (one) =>
        `<li><a href="/products/${escape(one.handle)}">${escape(one.title)}</a> ${shown(shop, one.variant.price)}</li>`,
    )
    .join('\n')}</ul>`;

function home(call) {
  const { shop } = call;
  page(call, 200, 'Welcome', productList(shop, shop.products.values()));
}

function product(call, handle) {
  const { shop } = call;
  const one = [...shop.products.values()].find((each) => each.handle === handle);
  if (!one) return page(call, 404, 'Not found', '<p>There is no such product.</p>');
  page(
    call,
    200,
    one.title,
    `<p>${shown(shop, one.variant.price)}</p>
<form method="post" action="/cart/add">
<input type="hidden" name="id" value="${one.variant.id}">
<label>Quantity <input name="quantity" value="1" inputmode="numeric"></label>
<button name="add">Add to cart</button>
</form>
<form method="post" action="/checkout">
<input type="hidden" name="buy_now" value="${one.variant.id}">
<button name="now">Buy it now</button>
</form>`,
  );
}

function collection(call, handle) {
  const { shop } = call;
  const one = [...shop.collections.values()].find((each) => each.handle === handle);
  if (!one) return page(call, 404, 'Not found', '<p>There is no such collection.</p>');
  page(call, 200, one.title, productList(shop, one.products));
}

/** The lines of a cart as the rules for discounts want them. */
function linesOf(shop, { items }) {
  const lines = [];
  for (const [id, quantity] of items) {
    const found = findProduct(shop, id);
    if (found) lines.push({ product: found, quantity, price: found.variant.price, giftCard: found.giftCard });
  }
  return lines;
}

/** The cart as Shopify's Ajax API shows it: amounts are whole minor units. */
function cartView({ shop, visit }) {
  const { cart, code } = visit;
  const lines = linesOf(shop, cart);
  const { applications } = apply(shop, {
    lines,
    shipping: 0,
    codes: code ? [code] : [],
    customer: null,
    at: shop.clock.now(),
  });
  const total = lines.reduce((sum, { price, quantity }) => sum + price * quantity, 0);
  const off = applications.reduce(
    (sum, one) => sum + [...one.lines.values()].reduce((all, value) => all + value, 0),
    0,
  );
  return {
    token: cart.token,
    note: cart.note,
    attributes: cart.attributes,
    original_total_price: total,
    total_price: total - off,
    total_discount: off,
    total_weight: 0,
    item_count: units(cart),
    items: lines.map(itemView),
    requires_shipping: lines.some(({ giftCard }) => !giftCard),
    currency: shop.currency,
    items_subtotal_price: total - off,
    cart_level_discount_applications: [],
    discount_codes: code ? [{ code, applicable: applications.length > 0 }] : [],
  };
}

const itemView = ({ product: one, quantity, price, giftCard }) => ({
  id: Number(one.variant.id),
  variant_id: Number(one.variant.id),
  product_id: Number(one.id),
  key: `${one.variant.id}:0`,
  quantity,
  title: one.title,
  product_title: one.title,
  handle: one.handle,
  sku: one.variant.sku,
  url: `/products/${one.handle}`,
  price,
  original_price: price,
  line_price: price * quantity,
  final_price: price,
  final_line_price: price * quantity,
  gift_card: giftCard,
  properties: {},
});

const cartJson = (call) => ajax(call, cartView(call));

function variant(shop, id) {
  const found = findProduct(shop, id);
  if (!found) throw new Refusal(404, 'Cannot find variant');
  return found;
}

function quantityOf(given) {
  const quantity = Number(given ?? 1);
  if (!Number.isInteger(quantity) || quantity < 0 || quantity > MAX_UNITS)
    throw new Refusal(422, 'Quantity is invalid');
  return quantity;
}

function add({ shop, visit, given }) {
  const wanted = Array.isArray(given.items) ? given.items : [given];
  const added = wanted.map(({ id, quantity }) => {
    const one = variant(shop, id);
    const more = (visit.cart.items.get(one.variant.id) ?? 0) + quantityOf(quantity);
    visit.cart.items.set(one.variant.id, quantityOf(more));
    return itemView({ product: one, quantity: more, price: one.variant.price, giftCard: one.giftCard });
  });
  merge(visit.cart, given);
  return Array.isArray(given.items) ? { items: added } : added[0];
}

/** Attributes are merged one by one; an empty one is removed. */
function merge(cart, { attributes, note }) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === '' || value === null) delete cart.attributes[name];
    else cart.attributes[name] = String(value);
  }
  if (note !== undefined) cart.note = note === '' ? null : String(note);
}

function update({ shop, visit, given }) {
  const { cart } = visit;
  const { updates } = given;
  const list = Array.isArray(updates)
    ? [...cart.items.keys()].map((id, at) => [id, updates[at]])
    : Object.entries(updates ?? {});
  for (const [id, quantity] of list) if (quantity !== undefined) setUnits(shop, cart, id, quantity);
  merge(cart, given);
}

function change({ shop, visit, given }) {
  const id = given.line
    ? [...visit.cart.items.keys()][Number(given.line) - 1]
    : String(given.id ?? '').split(':')[0];
  setUnits(shop, visit.cart, id, given.quantity);
}

function setUnits(shop, cart, id, given) {
  const one = variant(shop, id);
  const quantity = quantityOf(given);
  if (quantity === 0) cart.items.delete(one.variant.id);
  else cart.items.set(one.variant.id, quantity);
}

function cartPage(call) {
  const { shop, visit } = call;
  const lines = linesOf(shop, visit.cart);
  const rows = lines
    .map(({ product: one, quantity }) => `<li>${quantity} × ${escape(one.title)}</li>`)
    .join('\n');
  const empty = '<p>Your cart is empty.</p>';
  const form = `<ul>${rows}</ul><form method="post" action="/cart"><button name="checkout">Check out</button></form>`;
  page(call, 200, 'Your cart', lines.length > 0 ? form : empty);
}

/** /cart/VARIANT:QUANTITY?discount=CODE&attributes[x]=y: a cart by link. */
function permalink(call, list) {
  const { shop, visit, url } = call;
  visit.cart.items.clear();
  for (const pair of list.split(',')) {
    const [id, quantity] = pair.split(':');
    setUnits(shop, visit.cart, id, quantity);
  }
  for (const [name, value] of url.searchParams) {
    const attribute = /^attributes\[(.+)\]$/.exec(name)?.[1];
    if (attribute) visit.cart.attributes[attribute] = value;
  }
  const code = url.searchParams.get('discount');
  leave(call, '/checkout', code ? [codeCookie(code)] : []);
}

const codeCookie = (code) => `discount_code=${encodeURIComponent(code)}; Path=/; Max-Age=86400; SameSite=Lax`;

/** Remembers the code and leads on, within the shop; whether it is good shows at the checkout. */
function discount(call, code) {
  const to = call.url.searchParams.get('redirect') ?? '/';
  const location = to.startsWith('/') && !to.startsWith('//') && !to.startsWith('/\\') ? to : '/';
  leave(call, location, [codeCookie(code)]);
}

function checkout(call) {
  const { shop, visit } = call;
  if (units(visit.cart) === 0) return page(call, 200, 'Checkout', '<p>Your cart is empty.</p>');
  const view = cartView(call);
  page(
    call,
    200,
    'Checkout',
    `<form method="post" action="/checkout">
<p>Total without shipping: <span id="total">${shown(shop, view.total_price)}</span></p>
<label>E-mail <input name="email" type="email" value="shopper@example.com"></label>
<label>Discount code <input name="discount" value="${escape(visit.code ?? '')}"></label>
<button name="pay">Pay now</button>
</form>`,
  );
}

/** Places the order. "Buy it now" passes the cart by, and with it its attributes. */
function buy(call) {
  const { shop, visit, given } = call;
  const now = given.buy_now ? variant(shop, given.buy_now) : undefined;
  const { cart, code, landing, referrer } = visit;
  const lines = now
    ? [{ product: now.id, quantity: 1 }]
    : linesOf(shop, cart).map(({ product: one, quantity }) => ({ product: one.id, quantity }));
  if (lines.length === 0) return page(call, 422, 'Checkout', '<p>Your cart is empty.</p>');
  const typed = given.discount ?? code;
  const { order, refused } = place(shop, {
    ...{ lines, lenient: true, email: given.email || 'shopper@example.com', paid: given.paid !== '0' },
    ...(typed && { codes: [typed] }),
    ...(landing && { landing_site: landing }),
    ...(referrer && { referring_site: referrer }),
    ...(!now && { note_attributes: cart.attributes, note: cart.note, cart_token: cart.token }),
    test: given.test === '1',
  });
  if (!now) shop.carts.delete(cart.token);
  if (given.json === '1') return ajax(call, { id: order.id, name: `#${order.number}`, refused });
  leave(call, `/checkouts/${order.checkoutToken}/thank-you`);
}

function thanks(call, token) {
  const { shop } = call;
  const order = [...shop.orders.values()].find((one) => one.checkoutToken === token);
  if (!order) return page(call, 404, 'Not found', '<p>There is no such order.</p>');
  const codes = order.applications.map(({ code }) => code).join(', ');
  const used = codes ? `<p>Discount: <span id="codes">${escape(codes)}</span></p>` : '';
  page(
    call,
    200,
    'Thank you',
    `<p>Your order is <span id="order" data-id="${order.id}">#${order.number}</span>.</p>${used}`,
  );
}

const ROUTES = [
  ['GET', /^\/favicon\.ico$/, ({ response }) => void response.writeHead(204).end()],
  ['GET', /^\/$/, home],
  ['GET', /^\/products\/([^/]+)$/, product],
  ['GET', /^\/collections\/([^/]+)$/, collection],
  ['GET', /^\/pages\/([^/]+)$/, (call, name) => page(call, 200, name, `<p>About ${escape(name)}.</p>`)],
  ['GET', /^\/cart$/, cartPage],
  ['GET', /^\/cart\/(\d+:\d+(?:,\d+:\d+)*)$/, permalink],
  ['GET', /^\/cart\.(?:js|json)$/, cartJson],
  ['POST', /^\/cart\/add$/, (call) => (add(call), leave(call, '/cart'))],
  ['POST', /^\/cart\/add\.js$/, (call) => ajax(call, add(call))],
  ['POST', /^\/cart\/update$/, (call) => (update(call), leave(call, '/cart'))],
  ['POST', /^\/cart\/update\.js$/, (call) => ajax(call, (update(call), cartView(call)))],
  ['POST', /^\/cart\/change\.js$/, (call) => ajax(call, (change(call), cartView(call)))],
  ['POST', /^\/cart\/clear\.js$/, (call) => ajax(call, (call.visit.cart.items.clear(), cartView(call)))],
  ['GET', /^\/discount\/([^/]+)$/, discount],
  ['POST', /^\/cart$/, (call) => (update(call), leave(call, '/checkout'))],
  ['GET', /^\/checkout$/, checkout],
  ['POST', /^\/checkout$/, buy],
  ['GET', /^\/checkouts\/([^/]+)\/thank-you$/, thanks],
];
