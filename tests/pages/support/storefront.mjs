// A small shop: a product page, a cart with Shopify's cart calls, a checkout that keeps the cart's attributes.
import { createServer } from 'node:http';

/**
 * `head` stands in every page's head, after Shopify's own script if there is one: `privacy` is what
 * visitors are asked for (`open`: nothing; `asks`: consent; `fails`: its API can't be loaded; null: no
 * shop of Shopify's). `policy` is the pages' Content-Security-Policy.
 */
export async function startShop({ head = '', privacy = 'open', policy } = {}) {
  const carts = new Map();
  const shop = { head, privacy, policy, requests: [], orders: [] };
  const cartOf = (request) => {
    const id = /\bcart=(\w+)/.exec(request.headers.cookie ?? '')?.[1] ?? '';
    if (!carts.has(id)) carts.set(id, { items: [], attributes: { gift: 'yes' } });
    return carts.get(id);
  };
  const change = (cart, attributes) => {
    for (const [name, value] of Object.entries(attributes ?? {})) {
      if (value === '') delete cart.attributes[name];
      else cart.attributes[name] = value;
    }
  };

  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    const { pathname } = new URL(request.url, 'http://shop');
    shop.requests.push(`${request.method} ${pathname}`);
    const cart = cartOf(request);
    const json = (value) => response.setHeader('content-type', 'application/json').end(JSON.stringify(value));
    const form = () => Object.fromEntries(new URLSearchParams(body));
    const go = (location) => response.writeHead(302, { location }).end();
    const order = () => {
      shop.orders.push({ items: [...cart.items], attributes: { ...cart.attributes } });
      carts.delete(/\bcart=(\w+)/.exec(request.headers.cookie ?? '')?.[1] ?? '');
      return go('/thank-you');
    };
    switch (`${request.method} ${pathname}`) {
      case 'GET /cart.js':
        return json(cart);
      case 'POST /cart/update.js':
        change(cart, JSON.parse(body).attributes);
        return json(cart);
      case 'POST /cart/add.js':
        cart.items.push(JSON.parse(body).id);
        return json(cart);
      case 'POST /cart/add':
        cart.items.push(form().id);
        return go('/cart');
      case 'POST /cart': {
        shop.cartForm = form();
        const fields = Object.entries(shop.cartForm).map(([name, value]) => [/^attributes\[(.+)\]$/.exec(name)?.[1], value]);
        change(cart, Object.fromEntries(fields.filter(([name]) => name)));
        return go('/checkout');
      }
      case 'GET /checkout':
        return order();
      case 'GET /shopify.js':
        return response.setHeader('content-type', 'text/javascript').end(shopify(shop.privacy));
      case 'GET /theme.js':
        return response.setHeader('content-type', 'text/javascript').end(THEME);
      case 'POST /elsewhere':
        shop.posted = form();
        return response.setHeader('content-type', 'text/html').end('<h1>Thanks</h1>');
    }
    if (request.method !== 'GET') return response.writeHead(404).end();
    response.setHeader('content-type', 'text/html');
    if (!request.headers.cookie?.includes('cart='))
      response.setHeader('set-cookie', `cart=c${Math.random().toString(36).slice(2)}; path=/; HttpOnly`);
    if (shop.policy) response.setHeader('content-security-policy', shop.policy);
    const own = shop.privacy === null ? '' : '<script src="/shopify.js"></script>';
    response.end(`<!doctype html><title>Shop</title>${own}${shop.head}<script src="/theme.js" defer></script>
      <h1>Blue jeans</h1>
      <form action="/cart/add" method="post"><input name="id" value="7" type="hidden"><button>Add</button></form>
      <button id="quick">Quick add</button>
      <form action="/cart" method="post"><input name="note" type="hidden"><button name="checkout">Check out</button></form>
      <a href="/checkout">Go to checkout</a>
      <form action="/elsewhere" method="post"><input type="hidden" name="_tributary_click"><button>Order</button></form>`);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  shop.origin = `http://127.0.0.1:${server.address().port}`;
  shop.close = () => {
    server.closeAllConnections();
    server.close();
  };
  return shop;
}

/** A theme that adds without leaving the page. */
const THEME = `
document.getElementById('quick').addEventListener('click', () =>
  fetch('/cart/add.js', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"id":"7"}' }));`;

/** Shopify's script, as far as https://shopify.dev/docs/api/customer-privacy tells it. */
const shopify = (privacy) => `
window.Shopify = { shop: 'casa.myshopify.com', routes: { root: '/' } };
window.Shopify.loadFeatures = (features, done) => setTimeout(() => {
  if (${JSON.stringify(privacy)} === 'fails') return done(new Error('blocked'));
  const told = () => /\\bconsent=(\\w+)/.exec(document.cookie)?.[1];
  const allowed = () => ${JSON.stringify(privacy)} === 'open' ? told() !== 'no' : told() === 'yes';
  window.Shopify.customerPrivacy = {
    marketingAllowed: allowed,
    analyticsProcessingAllowed: () => true,
    setTrackingConsent: ({ marketing }, collected) => {
      document.cookie = 'consent=' + (marketing ? 'yes' : 'no') + ';path=/';
      const detail = { marketingAllowed: marketing };
      document.dispatchEvent(new CustomEvent('visitorConsentCollected', { detail }));
      collected();
    },
  };
  done();
}, 30);`;
