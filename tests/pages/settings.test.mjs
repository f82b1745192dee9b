// A brand's settings, as its owner changes them: with a passkey where one is asked for, by keyboard, without a script.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { programme } from '../workerd/support/client.mjs';
import { DESKTOP, inEveryLook, person, withBrowser } from './support/browser.mjs';
import { member } from './support/people.mjs';

let server, browser;
withBrowser((...both) => ([server, browser] = both));

const HOSTILE = `<script>window.hit=1</script>"><img src=x onerror=hit=1>{{7*7}}';hit=1//`;

/** A brand, and its owner at a browser. */
async function brand() {
  const casa = await programme(server, { startsAt: '2026-01-01T00:00:00Z' });
  const owner = await member(browser, server, `owner-${casa.mark}@casa.example`);
  return { ...casa, ...owner, home: `/b/${casa.brand.id}/settings` };
}

const said = (page, text) => page.locator('[data-toast]', { hasText: text }).waitFor();

test('every page of settings is accessible on a phone and a wide screen, in light and dark', async () => {
  const casa = await brand();
  const { page, home, client } = casa;
  const made = await client.post('/v1/webhook-endpoints', { url: 'https://hooks.casa.org/in', description: 'Warehouse' });
  await client.post(`/v1/webhook-endpoints/${made.endpoint.id}/test`, {});
  await client.patch('/v1/brand', { link_domain: `go-${casa.mark}.casa.example` });
  const paths = ['', '/domain', '/rules', '/members', '/keys', '/webhooks', `/webhooks/${made.endpoint.id}`, '/audit', '/data'];
  for (const path of [...paths, '/data?check=books', '/audit?from=x']) {
    await page.goto(home + path);
    for (const details of await page.locator('main details').all()) await details.evaluate((one) => (one.open = true));
    const seen = async (size) => {
      const [ways, title] = await Promise.all(['header.side', 'h1'].map((one) => page.locator(one).boundingBox()));
      if (size === 'phone') assert.ok(title.y >= ways.height, `${path}: the heading is below the navigation`);
    };
    await inEveryLook(page, path, { seen });
  }
  await casa.done();
});

test('the brand is changed; who comes second is told, and loses nothing', async () => {
  const casa = await brand();
  const { page, home, client } = casa;
  await page.goto(home);
  await page.getByLabel('Name', { exact: true }).fill(HOSTILE);
  await page.getByLabel(/^Least payout/).fill('25.00');
  await page.getByLabel('Creators may make links themselves').check();
  await client.patch('/v1/brand', { hold_days: 21 });
  await page.getByRole('button', { name: 'Save the brand' }).click();
  await page.getByText('Somebody changed this meanwhile').waitFor();
  assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), HOSTILE);
  await page.getByRole('button', { name: 'Save the brand' }).click();
  await said(page, 'Saved.');
  const now = await client.get('/v1/brand');
  assert.deepEqual([now.name, now.payout_minimum.amount, now.creators_make_links, now.hold_days], [HOSTILE, '25.00', true, 21]);
  for (const path of ['', '/rules', '/audit', '/keys']) {
    await page.goto(home + path);
    assert.equal(await page.evaluate(() => window.hit), undefined, path);
    assert.ok((await page.textContent('body')).includes(HOSTILE), path);
  }
  await page.goto(home);
  await page.getByLabel('Messages a day, at most').fill('0x');
  await page.getByRole('button', { name: 'Save when messages go out' }).click();
  await page.getByRole('alert').waitFor();
  await page.getByLabel('Messages a day, at most').fill('70');
  await page.getByRole('button', { name: 'Save when messages go out' }).click();
  await said(page, 'Saved.');
  await casa.done();
});

test('rules explain themselves while they are typed, with a script and without', async () => {
  const casa = await brand();
  const { page, home, client } = casa;
  await page.goto(`${home}/rules`);
  const meaning = page.locator('#meaning');
  await page.getByLabel('A click counts for, days').fill('7');
  await meaning.getByText('up to 7 days after a click').waitFor();
  await page.getByLabel('Money is held for, days').fill('14');
  await meaning.getByText('available 14 days after').waitFor();
  await page.getByLabel('A click on').fill('2026-11-01');
  await page.getByLabel('An order on').fill('2026-11-09');
  await meaning.getByText('too late').waitFor();
  assert.ok(!page.url().includes('?'), 'nothing of it is in the address');
  await page.getByRole('button', { name: 'Save the rules' }).click();
  await said(page, 'Saved.');
  const { attribution, hold_days } = await client.get('/v1/brand');
  assert.deepEqual([attribution.window_days, hold_days], [7, 14]);

  const plain = await person(browser, server, { ...DESKTOP, javaScriptEnabled: false });
  await plain.context.addCookies(await casa.context.cookies());
  await plain.page.goto(`${home}/rules`);
  await plain.page.getByLabel('A click counts for, days').fill('9');
  await plain.page.getByRole('button', { name: 'Show what this means' }).click();
  await plain.page.getByText('up to 9 days after a click').waitFor();
  assert.equal((await client.get('/v1/brand')).attribution.window_days, 7);
  await plain.page.getByRole('button', { name: 'Save the rules' }).click();
  await plain.page.getByText('Saved.', { exact: true }).waitFor();
  assert.equal((await client.get('/v1/brand')).attribution.window_days, 9);
  await plain.done();
  await casa.done();
});

test('a link domain is set, with its record to copy, and the one before goes on', async () => {
  const casa = await brand();
  const { page, home, client } = casa;
  await casa.context.grantPermissions(['clipboard-read', 'clipboard-write']);
  for (const host of [`go-${casa.mark}.casa.example`, `new-${casa.mark}.casa.example`]) {
    await page.goto(`${home}/domain`);
    await page.getByRole('textbox', { name: 'Host' }).fill(host);
    await page.getByRole('button', { name: 'Set the domain' }).click();
    await said(page, 'Saved.');
  }
  await page.getByText('From before').waitFor();
  const { records } = await client.get('/v1/brand/link-domain');
  await page.getByRole('button', { name: 'Copy the value' }).first().click();
  await page.getByText('Copied.').waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), records[0].value);
  await casa.done();
});

test('a member is invited by keyboard, changed and removed; the last owner stays', async () => {
  const casa = await brand();
  const { page, home, client } = casa;
  const email = `mila-${casa.mark}@casa.example`;
  await page.goto(`${home}/members`);
  await page.getByLabel('E-mail address').focus();
  await page.keyboard.type(email);
  await page.keyboard.press('Tab');
  await page.keyboard.type('Manager');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await said(page, 'The invitation is sent.');
  const team = async () => (await client.get('/v1/members')).data;
  assert.equal((await team()).find((one) => one.email === email).role, 'manager');
  const hers = page.locator('tr', { hasText: email });
  await hers.getByRole('combobox').selectOption('viewer');
  await hers.getByRole('button', { name: /^Change the role/ }).click();
  await said(page, 'The role is changed');
  const mine = page.locator('tr', { hasText: 'you' }).first();
  await mine.getByRole('combobox').selectOption('viewer');
  await mine.getByRole('button', { name: /^Change the role/ }).click();
  await page.getByRole('alert').waitFor();
  await hers.locator('summary').click();
  await hers.getByRole('button', { name: /^Yes, remove/ }).click();
  await said(page, 'Removed.');
  assert.equal((await team()).length, 1);
  await casa.done();
});

test('a key and a webhook are made, each secret shown once; a key is revoked', async () => {
  const casa = await brand();
  const { page, home, client } = casa;
  await casa.context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.goto(`${home}/keys`);
  await page.getByLabel('What it is for').fill(HOSTILE);
  await page.getByRole('button', { name: 'Make the key' }).click();
  await page.getByRole('button', { name: 'Copy the key' }).click();
  await page.getByText('Copied.').waitFor();
  const key = await page.evaluate(() => navigator.clipboard.readText());
  const ask = async () => (await fetch(`${server.origin}/v1/brand`, { headers: { authorization: `Bearer ${key}` } })).status;
  assert.equal(await ask(), 200);
  await page.goto(`${home}/keys`);
  assert.ok(!(await page.content()).includes(key));
  assert.equal(await page.evaluate(() => window.hit), undefined);
  const row = page.locator('tr', { hasText: 'window.hit' });
  await row.locator('summary').click();
  await row.getByRole('button', { name: /^Yes, revoke/ }).click();
  await said(page, 'The key is revoked.');
  assert.equal(await ask(), 401);

  await page.goto(`${home}/webhooks`);
  await page.getByLabel('Address').fill('https://hooks.casa.org/in');
  await page.getByLabel('What it is for').fill(HOSTILE);
  await page.getByRole('button', { name: 'Add the endpoint' }).click();
  await page.getByText('Its secret is shown only now.').waitFor();
  await page.getByRole('region', { name: 'Endpoints' }).getByRole('link').click();
  await page.getByRole('button', { name: 'Send a test' }).click();
  await said(page, 'A test event is on its way.');
  await page.getByRole('button', { name: /^Send again: webhook.test/ }).first().click();
  await said(page, 'The event is sent again.');
  await page.getByRole('button', { name: 'Make a new secret' }).click();
  await page.getByText('The new secret is shown only now.').waitFor();
  await page.getByRole('button', { name: 'Pause' }).click();
  await said(page, 'The endpoint is paused');
  await page.getByRole('button', { name: 'Go on' }).click();
  await said(page, 'The endpoint goes on');
  assert.equal((await client.get('/v1/webhook-endpoints')).data[0].state, 'active');
  assert.equal(await page.evaluate(() => window.hit), undefined);
  await casa.done();
});

test('a key is made once by a button that is pressed twice', async () => {
  const casa = await brand();
  const { page, home, client } = casa;
  const keys = async () => (await client.get('/v1/keys')).data.filter(({ name }) => name === 'Warehouse');
  await page.goto(`${home}/keys`);
  await page.getByLabel('What it is for').fill('Warehouse');
  // The answer takes its time, as it does far away: what is pressed meanwhile would arrive too.
  await page.route(`${home}/keys`, async (route) => {
    // A browser says this by itself; what is intercepted loses it.
    const headers = { ...(await route.request().allHeaders()), 'sec-fetch-site': 'same-origin' };
    const response = await route.fetch({ headers, maxRedirects: 0 });
    await setTimeout(500);
    await route.fulfill({ response }).catch(() => undefined);
  });
  // By the mouse: a button that is clicked by its name waits for the answer first.
  const button = await page.getByRole('button', { name: 'Make the key' }).boundingBox();
  for (const pause of [200, 0]) {
    await page.mouse.click(button.x + button.width / 2, button.y + button.height / 2);
    await setTimeout(pause);
  }
  await page.getByRole('button', { name: 'Copy the key' }).waitFor();
  await page.unroute(`${home}/keys`);
  assert.equal((await keys()).length, 1);
  // The page that answers has a form of its own, which goes on at once.
  await page.getByLabel('What it is for').fill('Warehouse');
  await page.getByRole('button', { name: 'Make the key' }).click();
  await page.locator('tr', { hasText: 'Warehouse' }).nth(1).waitFor();
  assert.equal((await keys()).length, 2);
  await casa.done();
});

test('the audit trail says who did what, and the books are in order', async () => {
  const casa = await brand();
  const { page, home, client } = casa;
  await client.post('/v1/campaigns', { name: HOSTILE });
  await page.goto(`${home}/audit`);
  await page.getByText('made a campaign').first().waitFor();
  await page.locator('li', { hasText: 'made a campaign' }).first().locator('summary').click();
  assert.ok((await page.textContent('main')).includes(HOSTILE));
  assert.equal(await page.evaluate(() => window.hit), undefined);
  await page.getByLabel(/^Action/).fill('member.invite');
  await page.getByRole('button', { name: 'Filter' }).click();
  await page.waitForURL('**action=member.invite**');
  assert.equal(await page.getByText('made a campaign').count(), 0);
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'As CSV' }).click()]);
  assert.equal(file.suggestedFilename(), 'audit.csv');
  await page.goto(`${home}/data`);
  await page.getByRole('link', { name: 'Check the books' }).click();
  await page.getByText('In order').waitFor();
  await casa.done();
});

test('a passkey that isn’t fresh is asked for, and then the form is sent', async () => {
  const casa = await brand();
  const { page, home, client } = casa;
  await page.goto(`${home}/rules`);
  // As if the page had been open for long: the form asks first.
  await page.locator('form[data-step-up]').evaluate((form) => (form.dataset.stepUp = '0'));
  await page.getByLabel('Money is held for, days').fill('3');
  await page.getByRole('button', { name: 'Save the rules' }).click();
  await said(page, 'Saved.');
  assert.equal((await client.get('/v1/brand')).hold_days, 3);
  await casa.done();
});
