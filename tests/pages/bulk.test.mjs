// Many deals at once: chosen by a filter, looked at, done deal by deal with a bar that shows how far it is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { click, eventually, orderOf, programme } from '../workerd/support/client.mjs';
import { order } from '../workerd/support/shopify.mjs';
import { DESKTOP, inBothColours, person, PHONE, withBrowser } from './support/browser.mjs';
import { member } from './support/people.mjs';

let server, browser;
withBrowser((...both) => ([server, browser] = both));

/** A brand with two deals that sold for more than 500 dollars and one that sold for less, and its owner. */
async function brand(options) {
  const casa = await programme(server, { startsAt: '2026-01-01T00:00:00Z' });
  const deals = [casa, await casa.addDeal({ name: 'bea' }), await casa.addDeal({ name: 'cleo' })];
  for (const [at, price] of ['700.00', '501.00', '80.00'].entries()) {
    const one = order({ clicks: [await click(server, deals[at].link)], lines: [{ price }] });
    await casa.store.deliver(one, { topic: 'orders/paid' });
    await orderOf(casa, one.id);
  }
  const owner = await member(browser, server, `owner-${casa.mark}@casa.example`, options);
  return { ...casa, ...owner, deals: deals.map(({ deal }) => deal.id), home: `/b/${casa.brand.id}` };
}

/** Goes on with the tabulator until something is reached; fails if it isn't. */
async function tabTo(page, locator) {
  for (let presses = 0; presses < 80; presses++) {
    if (await locator.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`the keyboard doesn't come to ${locator}`);
}

const rates = async ({ client, deals }) => {
  const all = await Promise.all(deals.map((id) => client.get(`/v1/deals/${id}`)));
  return all.map(({ terms }) => terms.commission_percent);
};
const over500 = ({ home }) => `${home}/bulk?filter=${encodeURIComponent('revenue > 500')}`;

/** Until the job of this page has ended; the queue may be slow, the minute's run isn't waited for. */
const ended = (casa) =>
  eventually('the job', async () => {
    await server.triggerCron();
    const { data } = await casa.client.get('/v1/bulk-actions');
    return data[0]?.state === 'finished';
  });

test('who sold for more than 500 dollars gets a higher rate, by the keyboard alone', async () => {
  const casa = await brand();
  const { page } = casa;
  await page.goto(over500(casa));
  await page.getByText('All 2 deals that match: revenue > 500').waitFor();
  const press = async (name) => {
    await tabTo(page, page.getByRole('button', { name }));
    await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);
  };
  await press('Set the commission');
  await tabTo(page, page.getByLabel('Commission, %'));
  await page.keyboard.type('120');
  await press('Preview');
  assert.equal(await page.getByLabel('Commission, %').getAttribute('aria-invalid'), 'true');
  await tabTo(page, page.getByLabel('Commission, %'));
  await page.keyboard.press('Control+A');
  await page.keyboard.type('17.5');
  await press('Preview');
  assert.match(await page.getByRole('region', { name: 'What it would do' }).last().textContent(), /anna.*bea|bea.*anna/s);
  assert.deepEqual(await rates(casa), ['10', '10', '10']);
  await press('Do it to 2 deals');
  await page.getByText('It has begun').waitFor();
  await ended(casa);
  // The page sees it by itself.
  await page.getByText('Finished', { exact: true }).waitFor({ timeout: 15_000 });
  assert.equal(await page.getByRole('progressbar').getAttribute('value'), '2');
  assert.equal(await page.locator('#job[hx-get]').count(), 0);
  assert.deepEqual(await rates(casa), ['17.5', '17.5', '10']);
  await casa.done();
});

test('without a script the same, refreshed by a link; each page is accessible on a phone and a wide screen', async () => {
  const casa = await brand();
  const plain = await person(browser, server, { javaScriptEnabled: false });
  await plain.context.addCookies(await casa.context.cookies());
  const { page } = plain;
  await page.goto(over500(casa));
  await page.getByRole('button', { name: 'Set the commission' }).click();
  await page.getByLabel('Commission, %').fill('21');
  await page.getByRole('button', { name: 'Preview' }).click();
  await page.getByRole('button', { name: 'Do it to 2 deals' }).click();
  await page.getByText('It has begun').waitFor();
  const job = page.url().split('?')[0];
  await ended(casa);
  const refresh = page.getByRole('link', { name: 'Refresh' });
  if (await refresh.count()) await refresh.click();
  await page.getByText('Finished', { exact: true }).waitFor();
  assert.deepEqual(await rates(casa), ['21', '21', '10']);
  await plain.done();

  for (const [screen, options] of Object.entries({ phone: PHONE, desktop: DESKTOP })) {
    const look = await person(browser, server, options);
    await look.context.addCookies(await casa.context.cookies());
    for (const at of [`${casa.home}/bulk`, `${over500(casa)}&do=new_terms`, job, `${casa.home}/bulk/jobs`]) {
      await look.page.goto(at);
      await inBothColours(look.page, `${at} on ${screen}`);
    }
    await look.page.goto(`${over500(casa)}&do=add_tags`);
    await look.page.getByRole('textbox', { name: 'Tags' }).fill('best');
    await look.page.getByRole('button', { name: 'Preview' }).click();
    await look.page.getByRole('heading', { name: 'What it would do' }).waitFor();
    await inBothColours(look.page, `a preview on ${screen}`);
    await look.done();
  }
  await casa.done();
});
