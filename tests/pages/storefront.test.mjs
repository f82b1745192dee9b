// The storefront snippet in real Chromium: from a creator's link to the order's attribute.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { root } from '../../scripts/lib/shell.mjs';
import { minified, PLACES } from '../../scripts/snippet.mjs';
import { eventually, programme, sleep, whose } from '../workerd/support/client.mjs';
import { order } from '../workerd/support/shopify.mjs';
import { withBrowser } from './support/browser.mjs';
import { startShop } from './support/storefront.mjs';

let server, browser, shop, casa, snippet;
withBrowser(async (...both) => {
  [server, browser] = both;
  shop = await startShop();
  casa = await programme(server, { storefront: shop.origin, startsAt: '2026-01-01T00:00:00Z' });
  snippet = await casa.client.get(`/v1/stores/${casa.store.id}/snippet`);
});
after(() => {
  shop?.close();
});
beforeEach(() => Object.assign(shop, { head: snippet.html, privacy: 'open', policy: undefined, requests: [], orders: [] }));

const ATTRIBUTE = '_tributary_click';
const go = () => `${server.origin}/go/${casa.link.slug}`;
const clickIn = (page) => new URL(page.url()).searchParams.get('click_id');
const attributes = (page) => page.evaluate(async () => (await (await fetch('/cart.js')).json()).attributes);
const kept = async (context) => (await context.cookies(shop.origin)).find(({ name }) => name === ATTRIBUTE)?.value;
/** What the snippet tells, once Shopify's API is there. */
const told = async (page, what = 'clickId') => {
  await page.waitForFunction(() => !window.Shopify || window.Shopify.customerPrivacy);
  return page.evaluate((what) => window.tributary[what](), what);
};
const writes = () => shop.requests.filter((line) => line === 'POST /cart/update.js').length;
const has = (page, value) =>
  eventually(`the cart has ${value}`, async () => (await attributes(page))[ATTRIBUTE] === value, { timeout: 5000, every: 40 });
const consent = (page, marketing) =>
  page.evaluate((marketing) => window.Shopify.customerPrivacy.setTrackingConsent({ marketing }, () => {}), marketing);

/** The same click at another time: the snippet can't check signatures, only the product does. */
function dated(clickId, time) {
  const bytes = Buffer.from(clickId, 'base64url');
  bytes.writeUIntBE(time, 18, 6);
  return bytes.toString('base64url');
}

/** A shopper, who fails the test by anything that goes wrong in her browser, or a request to a third party. */
async function shopper(work, { init } = {}) {
  const context = await browser.newContext();
  if (init) await context.addInitScript(init);
  const page = await context.newPage();
  const wrong = [];
  page.on('pageerror', (error) => wrong.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && wrong.push(message.text()));
  page.on('request', (request) => {
    const { origin, pathname } = new URL(request.url());
    const ours = origin === server.origin && /^\/(go|snippet)\//.test(pathname);
    if (origin !== shop.origin && !ours) wrong.push(request.url());
  });
  try {
    await work({ page, context, wrong });
    assert.deepEqual(wrong.filter((text) => !/favicon/.test(text)), []);
  } finally {
    await context.close();
  }
}

test('what is served is made of the source, fits, and is the asset of the extension', async () => {
  const code = minified();
  assert.ok(Buffer.byteLength(code) < 2048, `${code.length} bytes`);
  for (const place of PLACES) assert.equal(readFileSync(join(root, place), 'utf8'), code, `${place}: npm run snippet`);
  const answer = await fetch(snippet.url);
  assert.equal(await answer.text(), code);
  assert.equal(answer.headers.get('access-control-allow-origin'), '*');
  assert.equal(answer.headers.get('cross-origin-resource-policy'), 'cross-origin');
  assert.equal(answer.headers.get('cache-control'), 'public, max-age=31536000, immutable');
  assert.equal(snippet.version, 1);
  assert.ok(snippet.html.includes(snippet.url) && snippet.html.includes(snippet.integrity));
  const changed = await casa.client.patch('/v1/brand', { attribution: { window_days: 14, clicks: 'first' } });
  assert.equal(changed.attribution.clicks, 'first');
  const { html } = await casa.client.get(`/v1/stores/${casa.store.id}/snippet`);
  assert.match(html, / defer data-days="14" data-first="1"><\/script>$/);
  await casa.client.patch('/v1/brand', { attribution: { window_days: 30, clicks: 'last' } });
});

test('the extension has the layout that Shopify documents', () => {
  const folder = join(root, 'storefront/extensions/tributary-click');
  assert.deepEqual(readdirSync(folder).sort(), ['assets', 'blocks', 'locales', 'shopify.extension.toml']);
  const block = readFileSync(join(folder, 'blocks/tributary-click.liquid'), 'utf8');
  assert.ok(block.includes("'tributary-click.js' | asset_url"));
  const schema = JSON.parse(/{% schema %}(.*){% endschema %}/s.exec(block)[1]);
  assert.equal(schema.target, 'head');
  const words = JSON.parse(readFileSync(join(folder, 'locales/en.default.schema.json'), 'utf8'));
  const labels = JSON.stringify(schema).match(/t:[\w.]+/g);
  for (const label of labels) {
    const text = label.slice(2).split('.').reduce((at, name) => at?.[name], words);
    assert.equal(typeof text, 'string', label);
  }
  assert.ok(words.name.length <= 25);
  for (const { type, min, max, step } of schema.settings.filter(({ type }) => type === 'range')) {
    assert.ok((max - min) % step === 0 && (max - min) / step <= 100, type);
  }
  for (const { id } of schema.settings) assert.ok(block.includes(`block.settings.${id}`), id);
});

test('link, product page, cart, checkout, order, deal', () =>
  shopper(async ({ page, context }) => {
    await page.goto(go());
    const clickId = clickIn(page);
    await has(page, clickId);
    assert.equal(await kept(context), clickId);
    assert.equal(await told(page), clickId);
    await page.click('#quick');
    await eventually('it is written again after an addition', () => writes() >= 2);
    // A later visit, without anything in the address.
    await page.goto(`${shop.origin}/products/other`);
    assert.equal(await told(page), clickId);
    await page.click('text=Check out');
    await page.waitForURL('**/thank-you');
    assert.deepEqual(shop.orders[0].attributes, { gift: 'yes', [ATTRIBUTE]: clickId }, 'and nothing else changed');

    const body = order({ clicks: [shop.orders[0].attributes[ATTRIBUTE]] });
    assert.equal((await casa.store.deliver(body)).status, 200);
    assert.equal((await whose(casa, body.id)).order.deal_id, casa.deal.id);

    // A new cart, the same browser: an addition by a form leads to the cart.
    await page.click('text=Add >> nth=0');
    await page.waitForURL('**/cart');
    await has(page, undefined);
    await page.click('text=Check out');
    await page.waitForURL('**/thank-you');
    assert.equal(shop.cartForm[`attributes[${ATTRIBUTE}]`], clickId, 'sent with the form itself');
    assert.equal(shop.orders[1].attributes[ATTRIBUTE], clickId);
    // And by a plain link to the checkout.
    await page.click('#quick');
    await has(page, clickId);
    const before = writes();
    await page.click('text=Go to checkout');
    await page.waitForURL('**/thank-you');
    await eventually('written again before the checkout', () => writes() > before);
    assert.equal(shop.orders[2].attributes[ATTRIBUTE], clickId);
  }));

test('visitors without a click leave no trace', () =>
  shopper(async ({ page, context }) => {
    await page.goto(`${shop.origin}/products/other?utm_source=x&click_id=somebody-elses&gclid=1`);
    await page.click('#quick');
    await page.click('text=Check out');
    await page.waitForURL('**/thank-you');
    await sleep(200);
    assert.equal(writes(), 0);
    assert.equal(await kept(context), undefined);
    assert.equal(await told(page), null);
    assert.equal(await page.evaluate(() => sessionStorage.length + localStorage.length), 0);
    // A bare ref is kept as such, and is no click.
    await page.goto(`${shop.origin}/?ref=anna`);
    assert.equal(await told(page), null);
    await page.goto(`${shop.origin}/products/other`);
    assert.equal(await told(page, 'ref'), 'anna');
    assert.equal(writes(), 0);
  }));

test('nothing before consent; given later it counts; withdrawn it is forgotten', () =>
  shopper(async ({ page, context }) => {
    shop.privacy = 'asks';
    await page.goto(go());
    const clickId = clickIn(page);
    await page.waitForFunction(() => window.Shopify.customerPrivacy);
    await consent(page, false);
    await page.click('#quick');
    await sleep(200);
    const nothing = async () => {
      assert.equal(await kept(context), undefined);
      assert.equal(await told(page), null);
      const stored = await page.evaluate(() => [document.cookie, ...Object.values(sessionStorage), ...Object.values(localStorage)]);
      assert.doesNotMatch(stored.join(), /A[\w-]{61}/);
      assert.equal((await attributes(page))[ATTRIBUTE], undefined);
    };
    await nothing();
    assert.equal(writes(), 0);

    await consent(page, true);
    await has(page, clickId);
    assert.equal(await kept(context), clickId);
    await page.goto(`${shop.origin}/products/other`);
    assert.equal(await told(page), clickId);
    assert.equal(await kept(context), clickId, 'it is not lost while the API is loaded');

    await consent(page, false);
    await has(page, undefined);
    await nothing();
    assert.equal((await attributes(page)).gift, 'yes');
    // What was forgotten doesn't come back with a later consent.
    await consent(page, true);
    await page.click('#quick');
    await sleep(200);
    await nothing();
  }));

test('consent withdrawn in another tab is noticed, the cart is emptied of it', () =>
  shopper(async ({ page, context }) => {
    await page.goto(go());
    await has(page, clickIn(page));
    const other = await context.newPage();
    await other.goto(`${shop.origin}/privacy-settings`);
    await other.waitForFunction(() => window.Shopify.customerPrivacy);
    await consent(other, false);
    await has(other, undefined);
    assert.equal(await kept(context), undefined);

    // Withdrawn where the snippet wasn't: the next page that it is on does the same.
    await consent(other, true);
    await page.goto(go());
    await has(page, clickIn(page));
    await context.addCookies([{ name: 'consent', value: 'no', url: shop.origin }]);
    const later = await context.newPage();
    await later.goto(shop.origin);
    await has(later, undefined);
    assert.equal(await kept(context), undefined);
  }));

test('without Shopify’s API nothing is kept; analytics suffices where the shop says so', () =>
  shopper(async ({ page, context }) => {
    shop.privacy = 'fails';
    await page.goto(go());
    await sleep(200);
    assert.equal(await kept(context), undefined);
    assert.equal(writes(), 0);
    shop.privacy = 'asks';
    shop.head = snippet.html.replace(' defer', ' defer data-purpose="analyticsProcessing"');
    await page.goto(go());
    await has(page, clickIn(page));
  }));

test('where nothing can be stored, the visit itself counts, and nothing is thrown', async () => {
  const init = () => {
    const forbidden = () => {
      throw new DOMException('forbidden', 'SecurityError');
    };
    Object.defineProperty(Document.prototype, 'cookie', { get: forbidden, set: forbidden });
    for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(window, name, { get: forbidden });
  };
  shop.privacy = null;
  shop.head = snippet.html.replace(' defer', ' defer data-cart="/cart/update.js"');
  await shopper(
    async ({ page }) => {
      await page.goto(go());
      await has(page, clickIn(page));
      assert.equal(await told(page), clickIn(page));
      await page.goto(`${shop.origin}/products/other`);
      assert.equal(await told(page), null);
    },
    { init },
  );
});

test('a later click replaces, nothing else does', () =>
  shopper(async ({ page, context }) => {
    await page.goto(go());
    const first = clickIn(page);
    await has(page, first);
    await page.goto(go());
    const second = clickIn(page);
    assert.notEqual(first, second);
    await has(page, second);
    for (const query of ['ref=bella', 'click_id=from-another-network', `click_id=${first}`, `click_id=${second}x`, 'click_id=']) {
      await page.goto(`${shop.origin}/?${query}`);
      assert.equal(await told(page), second, query);
    }
    assert.equal(await kept(context), second);
    assert.equal((await attributes(page))[ATTRIBUTE], second);

    shop.head = snippet.html.replace(' defer', ' defer data-first="1"');
    await page.goto(go());
    assert.equal(await told(page), second, 'the first, where the brand says so');
  }));

test('an old click is none, and a kept one ends with its window', () =>
  shopper(async ({ page, context }) => {
    await page.goto(go());
    const clickId = clickIn(page);
    await has(page, clickId);
    const days = (n) => Date.now() - n * 86_400_000;
    await context.clearCookies();
    await page.evaluate(() => sessionStorage.clear());
    await page.goto(`${shop.origin}/?click_id=${dated(clickId, days(31))}`);
    assert.equal(await told(page), null);
    assert.equal(await kept(context), undefined);
    const young = dated(clickId, days(29));
    await page.goto(`${shop.origin}/?click_id=${young}`);
    assert.equal(await told(page), young);
    const [{ expires }] = (await context.cookies(shop.origin)).filter(({ name }) => name === ATTRIBUTE);
    assert.ok(Math.abs(expires * 1000 - Date.now() - 86_400_000) < 60_000, 'from the click on, not from the visit');
    // A kept one that its window has left behind: the brand shortened it.
    shop.head = snippet.html.replace(' defer', ' defer data-days="7"');
    await page.goto(shop.origin);
    assert.equal(await told(page), null);
    await has(page, undefined);
  }));

test('back and forward write again, and a second copy on the page does nothing', () =>
  shopper(async ({ page }) => {
    shop.head = snippet.html + snippet.html;
    await page.goto(go());
    await has(page, clickIn(page));
    assert.equal(writes(), 1);
    await page.evaluate(() => window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
    await eventually('written again', () => writes() === 2);
  }));

test('a shop’s policy lets it in by its hash, and a file that was changed is refused', () =>
  shopper(async ({ page, context, wrong }) => {
    shop.policy = `default-src 'none'; script-src 'self' '${snippet.integrity}'; connect-src 'self'; form-action 'self'`;
    await page.goto(go());
    await has(page, clickIn(page));
    assert.deepEqual(wrong.filter((text) => !/favicon|default-src/.test(text)), []);
    shop.policy = undefined;
    await context.clearCookies();
    await context.route('**/snippet/**', async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: `${await response.text()};window.evil=1` });
    });
    await page.goto(go());
    await sleep(200);
    assert.equal(await page.evaluate(() => window.evil ?? window.tributary), undefined);
    assert.equal(await kept(context), undefined);
    assert.match(wrong.join(), /integrity/);
    wrong.length = 0;
  }));

test('on any other site it tells the server, by word, by cookie and by form', () =>
  shopper(async ({ page, context }) => {
    shop.privacy = null;
    await page.goto(go());
    const clickId = clickIn(page);
    assert.equal(await told(page), clickId);
    assert.equal(await kept(context), clickId);
    await sleep(200);
    assert.equal(writes(), 0, 'there is no cart of Shopify’s');
    await page.click('text=Order');
    await page.waitForURL('**/elsewhere');
    assert.equal(shop.posted[ATTRIBUTE], clickId);

    shop.head = snippet.html.replace(' defer', ' defer data-consent');
    await context.clearCookies();
    await page.goto(go());
    const later = clickIn(page);
    assert.equal(await told(page), null);
    assert.equal(await kept(context), undefined);
    await page.click('text=Order');
    await page.waitForURL('**/elsewhere');
    assert.equal(shop.posted[ATTRIBUTE], '');
    await page.goto(`${shop.origin}/?click_id=${later}`);
    await page.evaluate(() => window.tributary.consent(true));
    assert.equal(await told(page), later);
    assert.equal(await kept(context), later);
    await page.goto(shop.origin);
    assert.equal(await kept(context), later, 'asked again, not forgotten');
    await page.evaluate(() => window.tributary.consent(false));
    assert.equal(await kept(context), undefined);
    assert.equal(await told(page), null);
  }));
