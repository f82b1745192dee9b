// The pages about stores in a browser: connecting, codes, what failed and what came late, for whoever runs a programme.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startGoaffpro } from '../doubles/goaffpro/index.mjs';
import { startShopify } from '../doubles/shopify/index.mjs';
import { eventually, programme } from '../workerd/support/client.mjs';
import { order } from '../workerd/support/shopify.mjs';
import { inEveryLook, mailTo, person, withBrowser } from './support/browser.mjs';
import { member } from './support/people.mjs';

const HOSTILE = `<script>window.hit=1</script>"><img src=x onerror=hit=1>{{7*7}}';hit=1//`;

let server, browser, shopify, goaffpro;
withBrowser(
  (...both) => ([server, browser] = both),
  async () => {
    [shopify, goaffpro] = await Promise.all([startShopify({ open: true }), startGoaffpro()]);
    return { vars: { SHOPIFY_ORIGIN: shopify.origin, GOAFFPRO_ORIGIN: goaffpro.origin } };
  },
);
after(() => Promise.all([shopify?.stop(), goaffpro?.stop()]));

/** A brand and its owner at a browser. */
async function brand(options) {
  const casa = await programme(server, { startsAt: '2026-01-01T00:00:00Z', ...options });
  const owner = await member(browser, server, `owner-${casa.mark}@casa.example`);
  return { ...casa, ...owner, home: `/b/${casa.brand.id}/stores` };
}

/** As if what isn't done yet were due now, until it is so. */
const becomes = (what, check) =>
  eventually(what, async () => {
    const found = await check();
    if (!found) {
      await server.sql("UPDATE outbox SET due_at_ms = 0 WHERE state = 'waiting'");
      await server.triggerCron();
    }
    return found;
  }, { timeout: 60_000, every: 400 });

test('a Shopify store is added, looked at, approved, let go and connected again', async () => {
  const casa = await brand();
  const { page, home, client, mark } = casa;
  await page.goto(home);
  await page.getByRole('link', { name: 'Add a store' }).click();
  await page.getByRole('link', { name: 'Shopify, with an app of your own' }).click();
  await page.getByText('create an app').waitFor();
  await page.getByLabel('The shop’s name').fill('nowhere');
  await page.getByLabel('Links lead to').fill('https://second.example');
  await page.getByLabel('Client id').fill('app-2');
  await page.getByLabel('Client secret').fill('second secret');
  await page.getByRole('button', { name: 'Add the store' }).click();
  await page.getByRole('alert').waitFor();
  assert.match(await page.getByRole('alert').textContent(), /casa\.myshopify\.com/);
  assert.equal(await page.getByLabel('Client secret').inputValue(), '');
  await page.getByLabel('The shop’s name').fill(`second-${mark}.myshopify.com`);
  await page.getByLabel('Client secret').fill('second secret');
  await page.getByRole('button', { name: 'Add the store' }).click();
  await page.waitForURL('**done=added**');
  const found = (await client.get('/v1/stores')).data.find(({ shop_domain }) => shop_domain.startsWith('second'));
  assert.equal(found.status, 'connected');
  await page.getByText('Connected', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Check again' }).click();
  await page.getByRole('heading', { name: 'What the look told' }).waitFor();
  await page.getByText(/Webhooks: \d+ of \d+ registered/).click();
  await page.getByText('orders/create').waitFor();

  await page.getByRole('button', { name: 'Approve in the shop' }).click();
  await page.getByRole('link', { name: /^Go to/ }).waitFor();
  assert.match(await page.getByRole('link', { name: /^Go to/ }).getAttribute('href'), /\/admin\/oauth\/authorize\?/);

  await page.goto(`${home}/${found.id}`);
  await page.getByLabel(/I mean/).check();
  await page.getByRole('button', { name: 'Disconnect' }).click();
  await page.getByText('The store is disconnected.').waitFor();
  assert.equal((await client.get(`/v1/stores/${found.id}`)).status, 'uninstalled');
  await page.getByText('Secret, app, token, storefront').click();
  await page.getByLabel('Client id').fill('app-2');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved.').waitFor();
  await page.getByRole('button', { name: 'Check again' }).click();
  await page.getByText('The shop lets us in').waitFor();
  assert.equal((await client.get(`/v1/stores/${found.id}`)).status, 'connected');
  await casa.done();
});

test('what is missing is told in words', async () => {
  const casa = await brand();
  const { page, home, client, mark, store } = casa;
  await shopify.control('shops', {
    ...{ domain: `casa-${mark}.myshopify.com`, clientId: 'app', clientSecret: `hush ${mark}`, scopes: ['read_orders'] },
  });
  await page.goto(`${home}/${store.id}`);
  await page.getByText('Not tried yet').waitFor();
  await page.getByRole('button', { name: 'Check again' }).click();
  await page.getByText('The shop doesn’t grant').waitFor();
  const { missing_scopes } = await client.get(`/v1/stores/${store.id}`);
  assert.ok(missing_scopes.length > 0);
  for (const scope of missing_scopes) assert.ok((await page.textContent('main')).includes(scope));
  await casa.done();
});

test('a group is set up, gives codes, and says which failed and why', async () => {
  const casa = await brand();
  const { page, home, client, mark } = casa;
  await client.post(`/v1/stores/${casa.store.id}/connection`, {});
  await page.goto(`${home}/groups`);
  await page.getByRole('link', { name: 'New group' }).click();
  await page.getByLabel('Name', { exact: true }).fill(HOSTILE.slice(0, 90));
  await page.getByLabel('Share, %').fill('15');
  await page.getByLabel('Once per customer').check();
  await page.getByRole('button', { name: 'Set the group up' }).click();
  await page.getByText('The affiliate group is set up.').waitFor();
  assert.ok((await page.textContent('h1')).includes('<script>'));
  await page.getByLabel('Creators, one a line').fill('@nobody-at-all');
  await page.getByRole('button', { name: 'Make the codes' }).click();
  await page.getByRole('alert').waitFor();
  assert.equal(await page.getByLabel('Creators, one a line').inputValue(), '@nobody-at-all');
  await page.getByLabel('Creators, one a line').fill(`@anna-${mark}`);
  await page.getByRole('button', { name: 'Make the codes' }).click();
  await page.getByText('The codes are being made.').waitFor();
  const mine = async () => (await client.get('/v1/codes')).data.find(({ affiliate_group_id }) => affiliate_group_id);
  const code = await mine();
  await becomes('the code works', async () => (await mine()).state === 'active');
  await page.reload();
  await page.locator('tbody').getByText('Active').waitFor();

  await server.sql(`UPDATE codes SET state = 'failed', reason = 'the shop has it already <b>', pending = 0 WHERE id = '${code.id}'`);
  await page.goto(home);
  await page.getByText('A code could not be made.').waitFor();
  await page.getByRole('link', { name: 'See why, and try again' }).click();
  await page.getByText('already <b>').waitFor();
  // It was in the shop once: orders may carry it, so its spelling stays.
  assert.equal(await page.getByLabel(`Spelling of ${code.code}`).count(), 0);
  await page.getByRole('button', { name: `Try ${code.code} again` }).press('Enter');
  await page.getByText('The code is made anew.').waitFor();
  await becomes('it works again', async () => (await mine()).state === 'active');
  assert.equal(await page.evaluate(() => window.hit), undefined);
  await casa.done();
});

test('codes are taken over, one and from a file, first what it would do; also without a script', async () => {
  const casa = await brand();
  const { page, home, client, mark } = casa;
  await page.goto(`${home}/codes`);
  const card = page.locator('section', { has: page.getByRole('heading', { name: 'Take a code over' }) });
  await card.getByLabel('Code').fill('SPRING');
  await card.getByLabel('Creator').fill(`@anna-${mark}`);
  await card.getByRole('button').click();
  await page.getByText('Taken over.').waitFor();
  await page.getByRole('link', { name: 'from a file' }).click();
  const csv = `code,creator\nSUMMER,@anna-${mark}\n${HOSTILE.replaceAll('"', '').replaceAll(',', '')},@nobody\n`;
  await page.getByLabel('File', { exact: true }).setInputFiles({ name: 'codes.csv', mimeType: 'text/csv', buffer: Buffer.from(csv) });
  await page.getByRole('button', { name: 'Show what it would do' }).click();
  await page.getByText('1 rows are wrong').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Take it in' }).count(), 0);
  assert.equal(await page.evaluate(() => window.hit), undefined);

  const plain = await person(browser, server, { javaScriptEnabled: false });
  await plain.context.addCookies(await casa.context.cookies());
  await plain.page.goto(`${home}/codes`);
  await plain.page.getByRole('link', { name: 'from a file' }).click();
  await plain.page.getByLabel('Rows').fill(`code,creator\nSUMMER,@anna-${mark}\nAUTUMN,@anna-${mark}\n`);
  await plain.page.getByRole('button', { name: 'Show what it would do' }).click();
  await plain.page.getByRole('button', { name: 'Take it in' }).click();
  await plain.page.waitForURL('**done=taken-over**');
  const codes = (await client.get('/v1/codes')).data.map(({ code }) => code);
  for (const code of ['SPRING', 'SUMMER', 'AUTUMN']) assert.ok(codes.includes(code), code);
  await plain.done();
  await casa.done();
});

test('a delivery that could not be used is seen and tried again, one and all', async () => {
  const casa = await brand();
  const { page, home, client, store } = casa;
  await client.post(`/v1/stores/${store.id}/connection`, {});
  await server.sql(`UPDATE store_access SET state = 'uninstalled' WHERE store_id = '${store.id}'`);
  await new Promise((resolve) => setTimeout(resolve, 300));
  for (let n = 0; n < 3; n++) await store.deliver(order({ lines: [{ price: '10.00' }] }), { topic: 'orders/paid' });
  const aside = await eventually('it is set aside', async () => (await client.get('/v1/quarantine')).data);
  if (aside.length < 3) return casa.done();
  await page.goto(home);
  await page.getByRole('link', { name: 'See why, and try again' }).first().click();
  await page.getByRole('button', { name: /^Try again/ }).first().press('Enter');
  await page.getByText('1 went through').waitFor();
  await page.getByRole('button', { name: 'Try all of this page again' }).click();
  await page.getByText('2 went through').waitFor();
  assert.equal((await client.get('/v1/orders')).data.length, 3);
  await casa.done();
});

test('affiliates of GoAffPro are proposed and confirmed, and its figures stand beside ours', async () => {
  const casa = await brand();
  const { page, home, client, mark, email } = casa;
  await page.goto(`${home}/new?way=goaffpro`);
  await page.getByLabel('Links lead to').fill('https://gap.casa.example');
  await page.getByLabel('Access token').fill('gap-token');
  await page.getByRole('button', { name: 'Add the store' }).click();
  await page.waitForURL('**done=added**');
  await page.getByText('Connected', { exact: true }).waitFor();
  const store = (await client.get('/v1/stores')).data.find(({ platform }) => platform === 'goaffpro');
  goaffpro.state?.affiliates.push({ id: 7, email, name: 'Anna', ref_code: `ref-${mark}`, ref_codes: [], coupon: null, coupons: [], commission: null, status: 'approved' });
  await server.sql(`UPDATE goaffpro_stores SET affiliates_read_at_ms = NULL WHERE store_id = '${store.id}'`).catch(() => {});
  await server.sql(
    `INSERT INTO affiliates (brand_id, store_id, id, name, email_hash, ref_codes, coupons, status, commission, read_at_ms) VALUES ('${casa.brand.id}', '${store.id}', '9', '<b>Nine', '', '["anna10"]', '["${casa.code}"]', 'approved', '', 0)`,
  );
  await page.goto(`${home}/${store.id}/affiliates`);
  await page.getByRole('rowheader', { name: '<b>Nine' }).waitFor();
  const proposed = page.getByRole('button', { name: 'Confirm all proposals of this page' });
  if ((await proposed.count()) > 0) await proposed.click();
  else {
    await page.getByText('Choose').first().click();
    await page.getByLabel(/^Creator of/).first().fill(`@anna-${mark}`);
    await page.getByRole('button', { name: 'Match' }).first().click();
  }
  await page.getByText('Saved.').waitFor();
  assert.equal((await client.get(`/v1/stores/${store.id}/affiliates?state=assigned`)).data.length, 1);
  await page.goto(`${home}/${store.id}/comparison`);
  await page.getByText('No orders here').waitFor();
  await casa.done();
});

test('a secret of a shop’s own server is shown once, after a passkey', async () => {
  const casa = await brand();
  const { page, home, context } = casa;
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.goto(`${home}/new?way=custom`);
  await page.getByLabel('What you call it').fill(HOSTILE.slice(0, 90));
  await page.getByLabel('Links lead to').fill('https://other.example');
  await page.getByRole('button', { name: 'Add the store' }).click();
  await page.getByText('shown this once').waitFor();
  const shown = () => page.locator('#secret').locator('xpath=../..').locator('.code').textContent();
  const secret = await shown();
  assert.match(secret, /^whsec_/);
  await page.getByRole('button', { name: 'Copy the secret' }).click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), secret);
  const { data } = await casa.client.get('/v1/stores');
  const { id } = data.find(({ platform }) => platform === 'custom');
  await page.goto(`${home}/${id}`);
  assert.ok(!(await page.textContent('main')).includes('whsec_'));
  // Later it asks for the passkey anew, and the form goes through.
  await page.locator('form[data-step-up]').first().evaluate((form) => (form.dataset.stepUp = '0'));
  await page.getByRole('button', { name: 'Make a new signing secret' }).click();
  await page.getByText('shown this once').waitFor();
  const second = await shown();
  assert.notEqual(second, secret);
  // On the page that a form led to, too.
  await page.locator('form[data-step-up]').first().evaluate((form) => (form.dataset.stepUp = '0'));
  await page.getByRole('button', { name: 'Make a new signing secret' }).click();
  // The page before says so too: only the secret tells them apart.
  await eventually('the third secret', async () => (await shown()) !== second);
  await page.getByRole('link', { name: 'Storefront snippet' }).click();
  await page.getByRole('button', { name: 'Copy the integrity hash' }).click();
  const { integrity } = await casa.client.get(`/v1/stores/${id}/snippet`);
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), integrity);
  assert.equal(await page.evaluate(() => window.hit), undefined);
  await casa.done();
});

test('every page is accessible on a phone and a wide screen, in light and dark; who only looks has no forms', async () => {
  const casa = await brand();
  const { page, home, client, store } = casa;
  await client.post(`/v1/stores/${store.id}/connection`, {});
  const gap = await client.post('/v1/stores', { platform: 'goaffpro', storefront_url: 'https://gap.casa.example', access_token: 'gap-token' });
  const group = await client.post('/v1/affiliate-groups', { name: 'Autumn', mode: 'one_discount', discount: { kind: 'percentage', percent: '15' } });
  await client.post(`/v1/affiliate-groups/${group.id}/codes`, { deal_ids: [casa.deal.id] });
  const today = Math.floor(Date.now() / 86_400_000);
  for (const [ago, platform, known] of [[5, 40, 40], [4, 10, 10], [3, 25, 22], [2, 31, 31]])
    await server.sql(`INSERT INTO store_days (brand_id, store_id, day, platform, known, missed, compared_at_ms, over) VALUES ('${casa.brand.id}', '${store.id}', ${today - ago}, ${platform}, ${known}, 1, 1, 1) ON CONFLICT DO NOTHING`);
  await server.sql(
    `INSERT INTO affiliates (brand_id, store_id, id, name, email_hash, ref_codes, coupons, status, commission, read_at_ms) VALUES ('${casa.brand.id}', '${gap.id}', '9', 'Nine', '', '["nine"]', '["NINE10"]', 'approved', '10%', 0)`,
  );
  const paths = ['', '/new', '/new?way=app', '/new?way=goaffpro', `/${store.id}`, `/${store.id}/snippet`, `/${gap.id}`, `/${gap.id}/affiliates`, `/${gap.id}/comparison`, '/codes', '/groups', '/groups/new', `/groups/${group.id}`, '/quarantine'];
  for (const path of paths) {
    await page.goto(home + path);
    await inEveryLook(page, path);
  }
  const email = `vera-${casa.mark}@casa.example`;
  await client.post('/v1/members', { email, role: 'viewer' });
  assert.ok((await mailTo(server, email)).link);
  const vera = await member(browser, server, email);
  for (const path of paths) {
    const answer = await vera.page.goto(home + path);
    assert.equal(answer.status(), 200, path);
    assert.equal(await vera.page.locator('main form[method=post]').count(), 0, path);
  }
  await vera.done();
  await casa.done();
});
