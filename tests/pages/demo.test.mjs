// The jobs of a brand and of a creator, as people do them, in the demo programme: with its shop next door, where a
// shopper buys with a telephone.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { loadDemo } from '../../scripts/demo/programme.mjs';
import { GROUP } from '../../scripts/demo/words.mjs';
import { startDouble } from '../../scripts/lib/shopify.mjs';
import { Client, eventually } from '../workerd/support/client.mjs';
import { startServer } from '../workerd/support/server.mjs';
import { DESKTOP, isAccessible, launch, mailTo, person, PHONE } from './support/browser.mjs';
import { member } from './support/people.mjs';

/** A third of it: 81 deals, 1,200 orders. */
const SCALE = 0.3;
const EMAIL = 'demo-owner@people.example';

let server, shopify, browser, demo, client, owner, pocket, home;
before(async () => {
  shopify = await startDouble(0, 'shopify');
  server = await startServer({ variant: 'canary', vars: { SHOPIFY_ORIGIN: shopify.origin } });
  demo = await loadDemo({
    ...{ origin: server.origin, shopify: shopify.origin, state: server.stateDir, scale: SCALE, payable: 1 },
    ...{ operatorToken: server.operatorToken, fireCrons: () => server.triggerCron({ cron: 'all' }), print: () => {} },
  });
  client = new Client(server, demo.programme.token);
  await new Client(server, server.operatorToken).post(`/v1/brands/${demo.programme.brand.id}/owners`, { email: EMAIL });
  browser = await launch();
  owner = await member(browser, server, EMAIL, { ...DESKTOP, colorScheme: 'light' });
  // And with her telephone, in the dark.
  pocket = await person(browser, server, { ...PHONE, colorScheme: 'dark' });
  await pocket.context.addCookies(await owner.context.cookies());
  home = `/b/${demo.programme.brand.id}`;
});
after(async () => {
  await browser?.close();
  await server?.stop();
  await shopify?.stop();
});

/** Without a mouse. */
const press = async (locator) => {
  await locator.focus();
  await locator.page().keyboard.press('Enter');
};
const dealOf = ({ id }) => client.get(`/v1/deals/${id}`);
const star = () => demo.plan.star;
/** Until what waits for its turn has had it. */
const worked = (what, check) =>
  eventually(what, async () => {
    await server.sql('UPDATE automation_runs SET due_at_ms = 1 WHERE due_at_ms IS NOT NULL');
    await server.triggerCron();
    return check();
  }, { timeout: 60_000, every: 400 });
const discounts = async () => {
  const answer = await fetch(`${shopify.origin}/control/linden-and-loom-demo/discounts`);
  return (await answer.json()).flatMap(({ codes }) => codes.map(({ code }) => code));
};

test('the programme on the overview is what the API says, its shop is connected and complete', async () => {
  const { page } = owner;
  await page.goto(home);
  await isAccessible(page, 'the overview');
  assert.match(await page.locator('body').textContent(), /Linden & Loom/);
  const { store } = demo.programme;
  const { status, missing_scopes } = await client.get(`/v1/stores/${store.id}`);
  assert.deepEqual([status, missing_scopes], ['connected', []]);
  await worked('days that were compared', async () => {
    const days = (await client.get(`/v1/stores/${store.id}/completeness`)).data.filter(({ platform }) => platform > 0);
    // The shop's own day may be yesterday's here: it isn't over, and says nothing of itself yet.
    const over = days.filter(({ percent }) => percent !== null);
    return over.length > 5 && over.length >= days.length - 1 && over.every(({ percent }) => percent === '100');
  });
  await page.goto(`${home}/stores/${store.id}`);
  await page.getByText('Connected', { exact: true }).first().waitFor();
  await isAccessible(page, 'the demo’s store');
});

test('a collaboration is edited in one form: a rate, a code that the shop makes, a link', async () => {
  const { page } = pocket;
  const [other] = demo.plan.deals.filter((deal) => deal.active && deal !== star());
  await page.goto(`${home}/deals/${other.id}`);
  await page.getByText('Edit the collaboration').click();
  await page.getByLabel('Commission, %').fill('17.5');
  const group = page.getByLabel('Where the code comes from');
  const named = await group.locator('option', { hasText: GROUP.name }).textContent();
  await group.selectOption({ label: named });
  await page.getByLabel('Make a link').check();
  await page.getByLabel('Last part of the link').fill('demo-one');
  await page.getByLabel('Where it leads').fill('/products/jute-rug-5x8');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved.').waitFor();
  const made = await worked('the code in the shop', async () => {
    const { codes } = await dealOf(other);
    const [code] = codes.filter(({ affiliate_group_id: of }) => of);
    return code?.state === 'active' && code;
  });
  assert.ok((await discounts()).includes(made.code), made.code);
  const { terms, links } = await dealOf(other);
  assert.equal(terms.commission_percent, '17.5');
  assert.ok(links.some(({ slug }) => slug === 'demo-one'));
});

test('a shopper buys with a telephone in the demo’s shop, and the deal’s page shows it by itself', async () => {
  const deal = star();
  const { page } = owner;
  await page.goto(`${home}/deals/${deal.id}`);
  const figure = page.locator('#figures .stat', { has: page.getByText('Orders', { exact: true }) }).locator('data.count');
  const orders = async () => Number(await figure.getAttribute('value'));
  const before = await orders();
  const told = async () => (await client.get(`/v1/deals/${deal.id}/performance`)).orders;
  assert.equal(before, await told());

  const context = await browser.newContext({ ...PHONE, colorScheme: 'dark' });
  const shop = await context.newPage();
  await shop.goto(deal.links[0].url.replace(/^.*\/go\//, `${server.origin}/go/`));
  const click = new URL(shop.url()).searchParams.get('click_id');
  assert.match(shop.url(), /^http:\/\/linden-and-loom-demo\.localhost:/);
  await shop.goto(new URL('/products/wool-throw-moss', shop.url()).href);
  await shop.getByRole('button', { name: 'Add to cart' }).click();
  await eventually('the cart has the click', () =>
    shop.evaluate(async () => (await (await fetch('/cart.js')).json()).attributes._tributary_click),
  );
  await shop.getByRole('button', { name: 'Check out' }).click();
  await shop.getByLabel('Discount code').fill(deal.code);
  await shop.getByRole('button', { name: 'Pay now' }).click();
  const number = await shop.locator('#order').textContent();
  assert.equal(await shop.locator('#codes').textContent(), deal.code);
  await context.close();

  // Her page asks again by itself.
  await eventually('the order on her page', async () => (await orders()) > before, { timeout: 45_000 });
  assert.equal(await orders(), await told());
  await page.goto(`${home}/orders`);
  const row = page.getByRole('row', { name: new RegExp(`^${number.replace('#', '#?')}`) }).first();
  assert.match(await row.textContent(), new RegExp(deal.creator.name));
  await row.getByRole('link').first().click();
  await page.getByText('The order belongs to').waitFor();
  assert.ok(click.length > 40);
});

test('a card dragged to “Awaiting Post” gets a link, a code of the group and a message with both', async () => {
  const { page } = owner;
  const moved = demo.plan.deals.find(({ stage, campaign }) => stage === 'Negotiation' && campaign !== undefined);
  // A message waits for the window of whoever gets it: whenever this runs, that is now.
  const days = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];
  await client.call('PATCH', '/v1/outreach-settings', { days, from: '00:00', to: '24:00' });
  await page.goto(`${home}/automations`);
  const ready = page.locator('section', { has: page.getByRole('heading', { name: /^Link, code and message/ }) });
  await ready.getByLabel('Codes of the group').selectOption({ label: GROUP.name });
  await ready.getByRole('button', { name: /^Use this/ }).click();
  await page.getByRole('button', { name: 'Switch on' }).click();
  await page.getByText('It is on').waitFor();
  const { campaign_id } = await dealOf(moved);
  await page.goto(`${home}/campaigns/${campaign_id}`);
  await isAccessible(page, 'the board');
  const there = page.waitForURL('**done=moved**');
  await page.locator(`[data-deal="${moved.id}"]`).dragTo(page.locator('[data-stage="Awaiting Post"] ol'));
  await there;
  const deal = await worked('link and code', async () => {
    const found = await dealOf(moved);
    return found.links.length > 0 && found.codes[0]?.state === 'active' && found;
  });
  await page.goto(`${home}/deals/${moved.id}`);
  await page.getByText(deal.links[0].url).first().waitFor();
  await page.getByText(deal.codes[0].code).first().waitFor();
  assert.ok((await discounts()).includes(deal.codes[0].code));
  await worked('the message', async () => (await mailTo(server, moved.creator.email).catch(() => null))?.article.includes(deal.codes[0].code));
});

test('creators above 500 dollars are found, and their rate is raised', async () => {
  const { page } = pocket;
  await page.goto(`${home}/creators`);
  await page.getByLabel('Amount').fill('500');
  await page.getByRole('button', { name: 'Add' }).click();
  await page.getByRole('link', { name: /^Take away: revenue.* >= 500/ }).waitFor();
  await isAccessible(page, 'creators above 500 dollars');
  await page.getByRole('link', { name: /^Their deals that fit/ }).click();
  await page.getByRole('link', { name: 'Change all that fit' }).click();
  await page.getByRole('button', { name: 'Set the commission' }).click();
  await page.getByLabel('Commission, %').fill('18');
  await page.getByRole('button', { name: 'Preview' }).click();
  const button = page.getByRole('button', { name: /^Do it to \d+ deals/ });
  const count = Number(/\d+/.exec(await button.textContent())[0]);
  // A deal that has ended gets no new terms.
  const found = (await client.get('/v1/deals?filter=revenue%20%3E%3D%20500%20AND%20state%20%3D%20open&limit=200')).data;
  assert.equal(count, found.length);
  assert.ok(count > 10, `${count}`);
  await button.click();
  await page.getByText('It has begun').waitFor();
  await worked('the job', async () => (await client.get('/v1/bulk-actions')).data[0]?.state === 'finished');
  for (const deal of found) assert.equal((await dealOf(deal)).terms.commission_percent, '18');
});

test('forty creators are drafted, approved and paid', async () => {
  const { page } = owner;
  const owed = await client.get('/v1/owed?limit=200');
  assert.ok(owed.totals.payable_creators >= 40, `${owed.totals.payable_creators} can be paid`);
  await page.goto(`${home}/payouts`);
  const boxes = page.locator('form.card tbody input[type=checkbox]');
  for (let at = 0; at < 40; at++) await boxes.nth(at).check();
  await page.getByRole('button', { name: 'Draft for the chosen' }).click();
  await page.getByText('Nothing has moved yet').waitFor();
  const id = new URL(page.url()).pathname.split('/')[4];
  const drafted = await client.get(`/v1/payouts/${id}`);
  assert.equal(drafted.lines.length, 40);
  const wanted = new Map(owed.data.map(({ creator_id, available }) => [creator_id, available.amount]));
  for (const { creator_id, amount } of drafted.lines) assert.equal(amount.amount, wanted.get(creator_id));
  await page.getByRole('button', { name: 'Approve' }).click();
  await page.getByText('its money has left').waitFor();
  await page.getByRole('button', { name: 'All 40 arrived' }).click();
  await page.getByText('40 of 40 payments arrived').waitFor();
  const { balances_match, chain_intact } = await client.get('/v1/ledger/verification');
  assert.ok(balances_match && chain_intact);
});

test('a creator is invited, accepts on a small screen, and says where she is paid, by the keyboard alone', async () => {
  const { page } = owner;
  const email = 'new-face@people.example';
  const [{ id: campaign }] = (await client.get('/v1/campaigns')).data;
  const creator = await client.post('/v1/creators', { name: 'New Face', handle: '@new.face', email });
  const deal = await client.post('/v1/deals', { creator_id: creator.id, campaign_id: campaign, commission_percent: '10' });
  await page.goto(`${home}/deals/${deal.id}`);
  await press(page.getByRole('button', { name: 'Invite', exact: true }));
  await page.getByText('She is invited.').waitFor();
  const her = await person(browser, server, { ...PHONE, colorScheme: 'dark' });
  await her.page.goto((await mailTo(server, email)).link);
  await press(her.page.getByRole('button', { name: 'Accept' }));
  await her.page.waitForURL('**/sign-in/code');
  await her.page.goto((await mailTo(server, email)).link);
  await her.page.waitForURL('**/c/*');
  await isAccessible(her.page, 'her earnings');
  await her.page.goto(`/c/${demo.programme.brand.id}/payment`);
  await press(her.page.locator('summary', { hasText: /^PayPal$/ }));
  await her.page.getByLabel('PayPal address').focus();
  await her.page.keyboard.type(email);
  await press(her.page.getByRole('button', { name: 'Save (PayPal)' }));
  await her.page.getByText('Saved. We sent you a mail about it.').waitFor();
  await isAccessible(her.page, 'her payment details');
  await her.done();
  await pocket.done();
  await owner.done();
});
