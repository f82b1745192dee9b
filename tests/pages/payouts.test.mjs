// Paying creators, as an owner does it in a browser: forty at once, with her passkey; by keyboard; with a second person.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Client, programme, verified } from '../workerd/support/client.mjs';
import { inEveryLook, mailTo, person, withBrowser } from './support/browser.mjs';
import { member } from './support/people.mjs';

let server, browser;
withBrowser((...both) => ([server, browser] = both));

const usd = (amount) => ({ amount, currency: 'USD' });

/** A brand that owes `count` creators something, and its owner at a browser. */
async function owing(count, settings = {}) {
  const casa = await programme(server, { settings: { hold_days: 0, ...settings } });
  const { client, campaign, mark } = casa;
  const anyone = new Client(server);
  const add = async (at) => {
    const name = `Creator ${String(at).padStart(2, '0')}`;
    const creator = await client.post('/v1/creators', { name, handle: `@c${at}-${mark}` });
    const deal = await client.post('/v1/deals', { creator_id: creator.id, campaign_id: campaign.id });
    const fee = { amount: usd(`${10 + at}.50`) };
    await client.call('POST', `/v1/deals/${deal.id}/fees`, fee, { 'idempotency-key': `fee-${at}` });
    const { url } = await client.post(`/v1/deals/${deal.id}/invitation`, {});
    const { access_token } = await anyone.post('/v1/invitations/acceptance', { token: url.split('#')[1] });
    const details = { method: 'iban', holder: name, iban: 'DE89370400440532013000' };
    const put = await anyone.as(access_token).call('PUT', '/v1/me/payment-details', details);
    assert.equal(put.status, 200, put.text);
  };
  for (let at = 0; at < count; at += 8)
    await Promise.all(Array.from({ length: Math.min(8, count - at) }, (_, n) => add(at + n)));
  const owner = await member(browser, server, `owner-${mark}@casa.example`);
  return { ...casa, ...owner, home: `/b/${casa.brand.id}` };
}

/** So that her passkey was shown long ago. */
const stale = () => server.sql('UPDATE sessions SET stepped_up_at_ms = stepped_up_at_ms - 7200000');

const lines = async (casa, id) => (await casa.client.get(`/v1/payouts/${id}`)).lines;
const idOf = (page) => new URL(page.url()).pathname.split('/')[4];

/** How often a passkey is shown from now on. */
function passkeysShown(page) {
  const shown = [];
  page.on('request', (request) => request.url().endsWith('/v1/session/passkey') && shown.push(request.url()));
  return shown;
}

test('forty creators are paid with a handful of clicks, and a passkey where it is dangerous', async () => {
  const casa = await owing(40);
  const { page, home, client } = casa;
  const shown = passkeysShown(page);
  await page.goto(`${home}/payouts`);
  const owed = await client.get('/v1/owed?limit=200');
  assert.equal(owed.totals.payable_creators, 40);
  const stats = await page.locator('.stats data.money').evaluateAll((all) => all.map(({ value }) => value));
  assert.deepEqual(stats, [owed.totals.payable.amount, owed.totals.held_back.amount, owed.totals.pending.amount]);
  const rows = await page.locator('form.card tbody td:nth-of-type(2) data.money').evaluateAll((all) => all.map(({ value }) => value));
  assert.deepEqual(rows, owed.data.map(({ available }) => available.amount));
  await page.getByRole('button', { name: 'Draft for everybody' }).click();
  await page.getByText('Nothing has moved yet').waitFor();
  const id = idOf(page);
  assert.equal((await lines(casa, id)).length, 40);

  await stale();
  await page.reload();
  await page.getByRole('button', { name: 'Approve' }).click();
  await page.getByText('its money has left').waitFor();
  assert.equal(shown.length, 1, 'a passkey was asked for');

  await stale();
  await page.reload();
  const files = [];
  for (const name of ['Payment file', 'File for PayPal']) {
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name }).click()]);
    files.push(readFileSync(await download.path(), 'utf8'));
  }
  assert.equal(shown.length, 2, 'once for both files: the second finds it fresh');
  const [csv] = files;
  assert.equal(csv.trim().split('\n').length, 41);
  assert.ok(csv.includes('DE89370400440532013000'));
  assert.match(page.url(), new RegExp(`/payouts/${id}`));

  // One came back, two are told by what the bank wrote, the others arrived.
  const open = page.locator('tbody input[type=checkbox]');
  assert.equal(await open.count(), 40);
  // Whoever ends a reference with Enter hasn't said that everything arrived.
  const reference = page.getByLabel('Reference of Creator 07’s payment');
  await reference.fill('SEPA-0');
  await reference.press('Enter');
  await page.getByLabel('Choose Creator 07').press('Enter');
  await page.waitForTimeout(300);
  await reference.fill('');
  assert.ok((await lines(casa, id)).every(({ state }) => state === 'in_payout'), 'nothing is settled by Enter');
  await page.getByLabel('Choose Creator 07').check();
  await page.getByLabel('Why it came back').fill('Account closed');
  await page.getByRole('button', { name: 'The chosen came back' }).click();
  await page.getByText('Its money is available again').waitFor();
  const [first, second] = (await lines(casa, id)).filter(({ state }) => state === 'in_payout');
  await page.getByText('Paste the bank’s references').click();
  const table = `payment_reference;bank\n${first.id};SEPA-1\n${second.id};SEPA-2\n`;
  await page.locator('input[type=file]').setInputFiles({ name: 'bank.csv', mimeType: 'text/csv', buffer: Buffer.from(table) });
  await page.waitForFunction(() => document.getElementById('f-pasted').value !== '');
  await page.getByRole('button', { name: 'Note these' }).click();
  await page.getByText('Noted: what arrived.').waitFor();
  await page.getByRole('button', { name: 'All 37 arrived' }).click();
  await page.getByText('39 of 40 payments arrived, 1 came back').waitFor();
  const told = await lines(casa, id);
  assert.equal(told.filter(({ state }) => state === 'settled').length, 39);
  assert.deepEqual(told.filter(({ reference }) => reference).map(({ reference }) => reference).sort(), ['SEPA-1', 'SEPA-2']);
  assert.equal(told.find(({ state }) => state === 'failed').reason, 'Account closed');

  // Paid again as another try; the books are a click away.
  await page.getByRole('button', { name: 'Pay again: Creator 07' }).click();
  await page.getByText('on its way again').waitFor();
  await page.getByRole('link', { name: /^Entries .* about Creator 07/ }).click();
  await page.getByRole('heading', { name: 'Ledger of a payment to Creator 07' }).waitFor();
  assert.equal(await page.locator('tbody tr').count(), 6);
  await page.goto(`${home}/payouts/${id}`);
  await page.getByRole('button', { name: 'All 1 arrived' }).click();
  await page.getByText('40 of 40 payments arrived').waitFor();
  await page.goto(`${home}/payouts`);
  await page.getByText('Nobody is owed anything').waitFor();
  assert.match(await page.locator('#history').locator('../..').textContent(), /40/);
  await verified(casa);
  await casa.done();
});

test('without a passkey at hand nothing is approved, and it is said', async () => {
  const casa = await owing(1);
  const { page, home, client } = casa;
  await page.goto(`${home}/payouts`);
  await page.getByLabel('Choose Creator 00').check();
  await page.getByRole('button', { name: 'Draft for the chosen' }).click();
  await page.getByText('Nothing has moved yet').waitFor();
  await stale();
  await casa.keys.remove();
  await page.reload();
  await page.evaluate(() => (navigator.credentials.get = () => Promise.reject(new DOMException('no', 'NotAllowedError'))));
  await page.getByRole('button', { name: 'Approve' }).click();
  await page.getByText('No passkey came').waitFor();
  assert.equal((await client.get(`/v1/payouts/${idOf(page)}`)).state, 'draft');
  assert.equal(await page.getByRole('button', { name: 'Approve' }).isEnabled(), true);
  await casa.done();
});

test('a second person is told by mail, and approves', async () => {
  const casa = await owing(2);
  const { page, home, client, mark } = casa;
  // Only an owner may say so, with her passkey.
  const headers = { origin: server.origin, 'tributary-brand': casa.brand.id };
  const set = await page.request.patch('/v1/brand', { headers, data: { second_approver_above: usd('5.00') } });
  assert.equal(set.status(), 200);
  const email = `mara-${mark}@casa.example`;
  await client.post('/v1/members', { email, role: 'manager' });
  const mara = await member(browser, server, email);
  await page.goto(`${home}/payouts`);
  await page.getByRole('button', { name: 'Draft for everybody' }).click();
  await page.getByText('It needs two people').waitFor();
  const id = idOf(page);
  await page.getByRole('button', { name: 'Approve' }).click();
  await page.getByText('You approved it').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Approve' }).count(), 0);
  assert.match((await mailTo(server, email)).article, /a payout needs your approval/);
  await mara.page.goto(`${home}/payouts/${id}`);
  await mara.page.getByText('It needs one more').waitFor();
  await mara.page.getByRole('button', { name: 'Approve' }).click();
  await mara.page.getByText('its money has left').waitFor();
  assert.equal((await client.get(`/v1/payouts/${id}`)).state, 'approved');
  await mara.done();
  await casa.done();
});

test('the keyboard is enough to pay', async () => {
  const casa = await owing(2);
  const { page, home, client } = casa;
  const reach = async (name) => {
    for (let steps = 0; steps < 80; steps++) {
      await page.keyboard.press('Tab');
      const found = await page.evaluate(() => {
        const { activeElement: at } = document;
        return [at.getAttribute('aria-label') ?? at.textContent.trim(), getComputedStyle(at).outlineStyle];
      });
      if (found[0] === name) return assert.notEqual(found[1], 'none', `the focus on ${name} is seen`);
    }
    assert.fail(`${name} can't be reached`);
  };
  const press = async (name, key = 'Enter') => {
    await reach(name);
    await Promise.all([page.waitForURL('**done=**'), page.waitForEvent('load'), page.keyboard.press(key)]);
  };
  await page.goto(`${home}/payouts`);
  await reach('Choose Creator 01');
  await page.keyboard.press('Space');
  await page.goto(`${home}/payouts`);
  await press('Draft for everybody');
  const id = idOf(page);
  await stale();
  await page.reload();
  await press('Approve');
  await reach('Choose Creator 00');
  await page.keyboard.press('Space');
  await press('The chosen arrived');
  await press('All 1 arrived');
  assert.deepEqual((await lines(casa, id)).map(({ state }) => state), ['settled', 'settled']);
  assert.equal((await client.get('/v1/owed')).data.length, 0);
  await casa.done();
});

test('each state of the pages is accessible and fits, on a phone too', async () => {
  const casa = await owing(3, { payout_minimum: usd('11.00') });
  const { page, home } = casa;
  const look = (what) => {
    const folder = process.env.LOOK;
    const shot = (size, colours) => page.screenshot({ path: `${folder}/${what}-${size}-${colours}.png`, fullPage: true });
    return inEveryLook(page, what, folder ? { seen: shot } : {});
  };
  await page.goto(`${home}/payouts`);
  await look('owed');
  await page.getByRole('button', { name: 'Draft for everybody' }).click();
  await page.getByText('Nothing has moved yet').waitFor();
  await look('draft');
  await page.getByRole('button', { name: 'Approve' }).click();
  await page.getByText('its money has left').waitFor();
  await page.getByText('Paste the bank’s references').click();
  await look('approved');
  await page.getByLabel('A payment a line').fill('line_x');
  await page.getByRole('button', { name: 'Note these' }).click();
  await page.getByRole('alert').waitFor();
  assert.equal(await page.getByLabel('A payment a line').inputValue(), 'line_x');
  await look('wrong');
  await page.getByRole('link', { name: /^Entries of/ }).first().click();
  await page.getByRole('heading', { name: /^Ledger of a payment/ }).waitFor();
  await look('entries');
  await casa.done();
});
