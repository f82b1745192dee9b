// A board with hundreds of cards: more of a column without another page, cards that came later dragged like the others,
// and what the browser is busy with while somebody drags. Figures are printed, not judged.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, programme } from '../workerd/support/client.mjs';
import { inEveryLook, withBrowser } from './support/browser.mjs';
import { member } from './support/people.mjs';

/** In the first stage more than a page of cards, in the others what a page shows. */
const FIRST = 130;
const OTHERS = 45;

let server, browser;
withBrowser((...both) => ([server, browser] = both));

/** Takes a file in as the import does: previewed, then by its hash. */
async function takeIn({ client, path, rows }) {
  const send = async (query) => {
    const { status, text, json } = await client.call('POST', `${path}?${query}`, rows.join('\n'), { 'content-type': 'text/csv' });
    assert.equal(status, 200, text);
    return json;
  };
  const { hash } = await send('preview=true');
  return send(`hash=${hash}`);
}

test('hundreds of cards: more of a column by htmx, filtered, dragged', async () => {
  const casa = await programme(server, { startsAt: '2026-01-01T00:00:00Z' });
  const { client, campaign, mark } = casa;
  const { stages } = await client.get(`/v1/campaigns/${campaign.id}`);
  const cards = stages.flatMap((stage, at) => Array.from({ length: at === 0 ? FIRST : OTHERS }, (_, n) => ({ stage, handle: `c${at}-${n}-${mark}` })));
  await takeIn({ client, path: '/v1/creators/import', rows: ['handle,tags', ...cards.map(({ handle }, n) => `${handle},${n % 10 ? '' : 'vip'}`)] });
  const deals = cards.map(({ handle, stage }) => `${handle},${campaign.id},${stage},10`);
  const { new: made } = await takeIn({ client, path: '/v1/deals/import', rows: ['creator,campaign_id,stage,commission_percent', ...deals] });
  assert.equal(made, cards.length);

  const owner = await member(browser, server, `owner-${mark}@casa.example`);
  const { page } = owner;
  const board = `/b/${casa.brand.id}/campaigns/${campaign.id}`;
  await page.addInitScript(() => {
    window.busy = [];
    new PerformanceObserver((list) => window.busy.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask', buffered: true });
  });
  const started = Date.now();
  await page.goto(board);
  const loaded = Date.now() - started;
  const all = page.locator('[data-deal]');
  const column = page.locator(`[data-stage="${stages[0]}"]`);
  // With the deal that was there before.
  const total = cards.length + 1;
  assert.equal(await all.count(), total - (FIRST + 1 - 50));

  // The same document all the time: a page that was loaded anew would have forgotten this.
  await page.evaluate(() => (window.same = true));
  await column.locator('[data-more] a').click();
  await eventually('all of the column', async () => (await all.count()) === total);
  assert.equal(await column.locator('[data-more]').count(), 0, 'all are here');
  assert.equal(await page.evaluate(() => window.same), true);
  const ids = await all.evaluateAll((cards) => cards.map((card) => card.dataset.deal));
  assert.equal(new Set(ids).size, ids.length, 'each card once');

  // The last card, which came later, is dragged over all columns into the last.
  await page.evaluate(() => (window.busy = []));
  const last = column.locator('[data-deal]').last();
  const id = await last.getAttribute('data-deal');
  await last.scrollIntoViewIfNeeded();
  await last.hover();
  await page.mouse.down();
  const [from, to] = [await last.boundingBox(), await page.locator(`[data-stage="${stages[1]}"] h2`).boundingBox()];
  for (let step = 1; step <= 30; step++) await page.mouse.move(from.x + ((to.x + 40 - from.x) * step) / 30, from.y + 20, { steps: 2 });
  const busy = await page.evaluate(() => window.busy);
  const there = page.waitForURL('**done=moved**');
  await page.mouse.up();
  await there;
  assert.equal((await client.get(`/v1/deals/${id}`)).stage, stages[1]);
  console.log(`${ids.length} cards: loaded in ${loaded} ms, longest task while dragging ${Math.round(Math.max(0, ...busy))} ms of ${busy.length}`);

  await page.goto(`${board}?filter=${encodeURIComponent('tag = "vip"')}`);
  const fits = cards.filter((_, n) => n % 10 === 0).length;
  assert.equal(await all.count(), fits);
  await inEveryLook(page, 'a board that is narrowed');
  await owner.done();
});
