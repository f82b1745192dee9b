// The overview and the reports in a browser: figures equal to the API's, periods, sorting, files, charts with their
// tables, a simulation; for everybody: on a phone, by keyboard, without a script.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { click, programme } from '../workerd/support/client.mjs';
import { order } from '../workerd/support/shopify.mjs';
import { DESKTOP, inEveryLook, person, PHONE, withBrowser } from './support/browser.mjs';
import { member } from './support/people.mjs';

let server, browser, casa;
const HOSTILE = `<script>window.hit=1</script>"><img src=x onerror=hit=1>';`;
const DAY_MS = 86_400_000;
const REPORTS = ['creators', 'campaigns', 'stages', 'sources', 'cohorts', 'posts', 'what-if'];

withBrowser(async (...both) => {
  [server, browser] = both;
  casa = await programme(server, { startsAt: '2026-01-01T00:00:00Z' });
  const { client } = casa;
  const mine = [casa, await casa.addDeal({ name: 'berta' }), await casa.addDeal({ name: 'clara' })];
  const hostile = await client.post('/v1/creators', { name: HOSTILE, handle: `@x${casa.mark}`, niche: HOSTILE });
  const campaign = await client.post('/v1/campaigns', { name: HOSTILE, stages: [HOSTILE, 'Next'] });
  const deal = await client.post('/v1/deals', { creator_id: hostile.id, campaign_id: campaign.id, commission_percent: '15', starts_at: '2026-01-01T00:00:00Z' });
  const code = `X${casa.mark}`.toUpperCase().slice(0, 12);
  await client.post(`/v1/deals/${deal.id}/codes`, { code, create_in_store: false });
  mine.push({ code });
  for (let at = 0; at < 16; at++) {
    const placed = new Date(Date.now() - at * 2 * DAY_MS - 3_600_000).toISOString();
    const body = order({ lines: [{ price: `${100 + at * 13}.50` }], codes: [[mine[at % mine.length].code, '10.00']] });
    await casa.store.deliver({ ...body, created_at: placed, updated_at: placed, processed_at: placed }, { topic: 'orders/paid' });
  }
  await click(server, casa.link);
  const post = { platform: 'blog', url: `https://blog.example/${casa.mark}?a=1&b=2`, published_at: new Date(Date.now() - 9 * DAY_MS).toISOString() };
  await client.post(`/v1/deals/${casa.deal.id}/posts`, { ...post, metrics: { impressions: 12_000 } });
  await client.post(`/v1/deals/${casa.deal.id}/follow-ups`, { text: HOSTILE, due_on: '2026-01-05' });
  Object.assign(casa, await member(browser, server, `owner-${casa.mark}@casa.example`), { home: `/b/${casa.brand.id}` });
});
after(async () => {
  await casa?.done();
});

const worth = (locator) => locator.locator('data').evaluateAll((all) => all.map(({ value }) => value));

/** Simulates another rate. */
async function simulate(page, rate) {
  await page.goto(`${casa.home}/reports/what-if`);
  await page.getByLabel('Commission, %').fill(rate);
  await Promise.all([page.waitForEvent('load'), page.getByRole('button', { name: 'Simulate' }).click()]);
}

test('every report is accessible on a phone and a wide screen, in light and dark', async () => {
  const { page, home } = casa;
  const look = (what) => inEveryLook(page, what);
  for (const path of ['', '?period=7d', ...REPORTS.map((name) => `/reports/${name}?period=all`), '/reports/creators?filter=x', '/reports/creators?from=2020-01-01&to=2020-01-02']) {
    await page.goto(home + path);
    await page.evaluate(() => document.querySelectorAll('details').forEach((details) => (details.open = true)));
    await look(path);
  }
  await simulate(page, '20');
  await look('a simulation');
});

test('charts are drawn from their tables, for the eye, at any size, in light and dark', async () => {
  const { page, home, client } = casa;
  await page.setViewportSize(DESKTOP.viewport);
  await page.emulateMedia({ colorScheme: 'light' });
  await page.goto(home);
  const figure = page.locator('figure[data-chart]').first();
  const { series } = await client.get('/v1/reports/overview');
  assert.equal(await figure.locator('tbody tr').count(), series.length);
  assert.deepEqual(await worth(figure.locator('tbody')), series.flatMap(({ revenue, commission }) => [revenue.amount, commission.amount]));
  const canvas = figure.locator('canvas');
  /** How many pixels of the canvas aren't empty, and of how many colours. */
  const painted = () =>
    canvas.evaluate((element) => {
      const { data } = element.getContext('2d').getImageData(0, 0, element.width, element.height);
      const colours = new Map();
      for (let at = 0; at < data.length; at += 4)
        if (data[at + 3] > 250) colours.set(data.slice(at, at + 3).join(), (colours.get(data.slice(at, at + 3).join()) ?? 0) + 1);
      return [...colours].filter(([, count]) => count > 30).map(([colour]) => colour);
    });
  const light = await painted();
  assert.ok(light.includes('11,102,91'), light.join(' '));
  // What the pointer is at is read as the table says it.
  await canvas.scrollIntoViewIfNeeded();
  const { x, y, width, height } = await canvas.boundingBox();
  await page.mouse.move(x + width * 0.5, y + height * 0.4);
  const legend = figure.locator('.chart-legend');
  await legend.locator('b').first().filter({ hasText: '$' }).waitFor();
  const said = await legend.locator('b').allTextContents();
  const rows = await figure.locator('tbody tr').evaluateAll((all) => all.map((row) => [...row.querySelectorAll('td')].map((cell) => cell.textContent)));
  assert.ok(rows.some((row) => row.join() === said.join()), said.join());
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.waitForFunction((was) => {
    const element = document.querySelector('figure[data-chart] canvas');
    const { data } = element.getContext('2d').getImageData(0, 0, element.width, element.height);
    for (let at = 0; at < data.length; at += 4) if (data.slice(at, at + 3).join() === '111,211,194') return true;
    return was === undefined;
  }, light.join());
  await page.setViewportSize(PHONE.viewport);
  await page.waitForFunction(() => document.querySelector('figure[data-chart] canvas').getBoundingClientRect().width < 345);
  assert.equal(await page.evaluate(() => window.hit), undefined);
  await page.setViewportSize(DESKTOP.viewport);
});

test('figures on the pages are the API’s, over any period', async () => {
  const { page, home, client } = casa;
  const zone = (await client.get('/v1/brand')).timezone;
  const today = new Intl.DateTimeFormat('sv', { timeZone: zone }).format(new Date());
  const from = new Date(Date.parse(today) - 6 * DAY_MS).toISOString().slice(0, 10);
  for (const [shown, asked] of [
    ['period=all', ''],
    ['period=7d', `from=${from}&to=${today}`],
    [`from=2026-01-01&to=${today}`, `from=2026-01-01&to=${today}`],
  ]) {
    const report = await client.get(`/v1/reports/creators?${asked}`);
    await page.goto(`${home}/reports/creators?${shown}`);
    const rows = page.locator('table.report tbody tr');
    assert.equal(await rows.count(), report.data.length);
    for (const [at, { name, figures }] of report.data.entries()) {
      assert.ok((await rows.nth(at).locator('th').textContent()).includes(name));
      const { revenue, orders, clicks, commission, cost, earned_media_value, deals } = figures;
      const told = [revenue.amount, orders, clicks.unique, commission.amount, cost.amount, ...(earned_media_value ? [earned_media_value.amount] : []), deals];
      assert.deepEqual(await worth(rows.nth(at).locator('td')), told.map(String));
      const texts = await rows.nth(at).locator('td').allTextContents();
      for (const [column, value] of [[3, figures.conversion_percent], [5, figures.revenue_per_commission], [7, figures.return_on_spend]])
        assert.ok(texts[column].startsWith(value ?? '–'), `${column}: ${texts[column]}`);
    }
  }
  const overview = await client.get('/v1/reports/overview');
  await page.goto(home);
  const of = (period) => [period.revenue.amount, period.orders, period.clicks.unique, period.commission.amount, period.paid.amount].map(String);
  const [now, was] = [of(overview.period), of(overview.before)];
  assert.deepEqual(await worth(page.locator('#figures')), now.flatMap((value, at) => [value, was[at]]));
});

test('tables are sorted by their heads, by mouse and by keyboard, and narrowed by filters', async () => {
  const { page, home } = casa;
  await page.goto(`${home}/reports/creators?period=all`);
  const revenue = async () => (await page.locator('table.report tbody td:nth-child(2) data').evaluateAll((all) => all.map(({ value }) => Number(value))));
  const falling = await revenue();
  assert.deepEqual(falling, [...falling].sort((a, b) => b - a));
  await page.getByRole('link', { name: 'Revenue', exact: true }).click();
  await page.locator('th[aria-sort=ascending]').waitFor();
  assert.deepEqual(await revenue(), [...falling].reverse());
  await page.getByRole('region').getByRole('link', { name: 'Orders', exact: true }).focus();
  await page.keyboard.press('Enter');
  await page.waitForURL('**sort=-orders**');
  assert.match(page.url(), /period=all/);

  await page.getByLabel('Filter of deals').fill('revenue < 1');
  await page.keyboard.press('Enter');
  await page.getByText('Nobody to compare').waitFor();
  await page.getByLabel('Filter of deals').fill('revenue <');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').waitFor();
  assert.match(await page.getByRole('alert').textContent(), /at character \d+: expected/);
  assert.equal(await page.getByLabel('Filter of deals').inputValue(), 'revenue <');
  await page.goto(`${home}/reports/sources?period=all&sort=-revenue`);
  assert.equal(await page.locator('table.report tbody th').first().textContent().then((text) => text.startsWith('Codes')), true);
});

test('a file has the rows of the page', async () => {
  const { page, home, client } = casa;
  for (const what of REPORTS.slice(0, -1)) {
    await page.goto(`${home}/reports/${what}?period=all`);
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'CSV' }).click()]);
    const text = readFileSync(await file.path(), 'utf8');
    assert.equal(text, (await client.call('GET', `/v1/reports/${what}?format=csv`)).text, what);
    assert.match(file.suggestedFilename(), /\.csv$/);
  }
});

test('a simulation says what the API says, and changes nothing', async () => {
  const { page, client } = casa;
  await simulate(page, '20');
  const inputs = await page.locator('form[action$="/what-if"]').evaluate((form) => Object.fromEntries(new FormData(form)));
  const told = await client.post('/v1/simulations', { changes: { terms: { commission_percent: '20' } }, from: inputs.from, to: inputs.to });
  const rows = page.locator('section[aria-labelledby=who] tbody tr');
  const shown = [];
  for (const row of await rows.all()) shown.push((await worth(row)).join());
  assert.ok(shown.length > 2);
  assert.deepEqual(shown.sort(), told.creators.map(({ before, after, difference }) => [before, after, difference].join()).sort());
  await page.getByText('Tiers: more for who sells more').click();
  await page.getByLabel('Level 1 from').fill('5');
  await Promise.all([page.waitForEvent('load'), page.getByRole('button', { name: 'Simulate' }).click()]);
  await page.getByRole('alert').waitFor();
  assert.equal(await page.getByLabel('Level 1 from').inputValue(), '5');
  assert.ok((await page.locator('.field', { hasText: 'Level 1 from' }).count()) === 1);
});

test('without a script reports are read, sorted and narrowed, and charts are their tables', async () => {
  const plain = await person(browser, server, { javaScriptEnabled: false });
  await plain.context.addCookies(await casa.context.cookies());
  const { page } = plain;
  await page.goto(casa.home);
  await page.getByText('Revenue and commission by day, as a table').click();
  assert.ok(await page.locator('figure tbody td').first().isVisible());
  assert.equal(await page.locator('.chart-place').first().isVisible(), false);
  await page.getByRole('link', { name: '7 days' }).click();
  await page.waitForURL('**period=7d**');
  await page.goto(`${casa.home}/reports/creators`);
  await page.getByLabel('From').fill('2026-01-01');
  await page.getByRole('button', { name: 'Show' }).first().click();
  await page.waitForURL('**from=2026-01-01**');
  await page.getByRole('link', { name: 'Commission', exact: true }).click();
  await page.waitForURL('**sort=-commission**');
  await simulate(page, '12.5');
  await page.getByText('What it would have cost').waitFor();
  await plain.done();
});

test('texts of others are texts in every report', async () => {
  const { page, home } = casa;
  for (const path of ['', ...['creators', 'campaigns', 'stages', 'what-if'].map((name) => `/reports/${name}?period=all`), `/reports/creators?filter=${encodeURIComponent(HOSTILE)}&from=${encodeURIComponent(HOSTILE)}`]) {
    await page.goto(home + path);
    assert.ok((await page.content()).includes('window.hit=1'), path);
    assert.equal(await page.evaluate(() => window.hit), undefined, path);
    assert.equal(await page.locator('main img').count(), 0, path);
  }
  await simulate(page, '20');
  assert.ok((await page.textContent('main')).includes(HOSTILE));
  assert.equal(await page.evaluate(() => window.hit), undefined);
});

test('the first page with its charts weighs less than 150 kB', async () => {
  const fresh = await person(browser, server);
  await fresh.context.addCookies(await casa.context.cookies());
  const urls = new Set();
  fresh.page.on('response', (response) => urls.add(response.url()));
  await fresh.page.goto(casa.home, { waitUntil: 'networkidle' });
  let weight = 0;
  for (const url of urls) weight += gzipSync(await (await fresh.page.request.get(url)).body()).length;
  assert.ok([...urls].some((url) => url.includes('/uplot.')), 'with what draws charts');
  console.log(`${weight} bytes`);
  assert.ok(weight < 90_000, `${weight} bytes`);
  const asked = [];
  fresh.page.on('request', (request) => asked.push(request.url()));
  await fresh.page.goto(`${casa.home}/creators`, { waitUntil: 'networkidle' });
  assert.ok(!asked.some((url) => url.includes('uplot') || url.includes('charts')), 'and nobody else loads that');
  await fresh.done();
});
