// Automations and templates, as a brand's owner uses them: made from what is ready, written by keyboard, without a script.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startShopify } from '../doubles/shopify/index.mjs';
import { eventually, programme } from '../workerd/support/client.mjs';
import { inEveryLook, person, withBrowser } from './support/browser.mjs';
import { member } from './support/people.mjs';

let server, browser, shopify;
withBrowser(
  (...both) => ([server, browser] = both),
  async () => {
    shopify = await startShopify();
    return { vars: { SHOPIFY_ORIGIN: shopify.origin } };
  },
);
after(() => shopify?.stop());

const HOSTILE = `<script>window.hit=1</script>"><img src=x onerror=hit=1>'`;

/** A brand with a shop that makes codes, a group of them, and its owner at a browser. */
async function brand(options) {
  const casa = await programme(server, { startsAt: '2026-01-01T00:00:00Z' });
  await shopify.control('shops', {
    domain: `casa-${casa.mark}.myshopify.com`,
    clientId: 'app',
    clientSecret: `hush ${casa.mark}`,
    scopes: ['write_discounts', 'read_orders', 'read_products'],
  });
  const discount = { kind: 'percentage', percent: '10' };
  casa.group = await casa.client.post('/v1/affiliate-groups', { name: 'Winter', mode: 'one_discount', discount });
  const owner = await member(browser, server, `owner-${casa.mark}@casa.example`, options);
  return { ...casa, ...owner, home: `/b/${casa.brand.id}` };
}

const id = (page) => new URL(page.url()).pathname.split('/').at(-1);

/** Goes on with the tabulator until something is reached; fails if it isn't. */
async function tabTo(page, locator, backwards = false) {
  for (let presses = 0; presses < 80; presses++) {
    if (await locator.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press(backwards ? 'Shift+Tab' : 'Tab');
  }
  assert.fail(`the keyboard doesn't come to ${locator}`);
}

test('the named automation: made in one click, tried, switched on with another, and it does what it says', async () => {
  const casa = await brand();
  const { page, home, client } = casa;
  const creator = await client.post('/v1/creators', { name: 'Ada Lovelace', handle: `@ada-${casa.mark}`, email: `ada-${casa.mark}@people.example` });
  const deal = await client.post('/v1/deals', { creator_id: creator.id, campaign_id: casa.campaign.id, commission_percent: '10' });
  await page.goto(`${home}/automations`);
  const ready = page.locator('section', { has: page.getByRole('heading', { name: /^Link, code and message/ }) });
  await ready.getByLabel('Codes of the group').selectOption('Winter');
  await ready.getByRole('button', { name: /^Use this/ }).click();
  await page.getByText('It is made, and does nothing yet').waitFor();
  // What it would do is said before it is switched on, for the newest deal.
  assert.match(await page.locator('.wf-steps').textContent(), /Make a link.*Winter.*Send the creator the message/s);
  assert.match(await page.getByLabel('Deal', { exact: true }).textContent(), /Ada Lovelace/);
  await page.getByText('It would begin').waitFor();
  assert.equal((await client.get(`/v1/automations/${id(page)}`)).state, 'disabled');
  assert.deepEqual((await client.get(`/v1/deals/${deal.id}`)).links, []);
  await page.getByRole('button', { name: 'Switch on' }).click();
  await page.getByText('It is on').waitFor();
  const automation = id(page);

  // On the board, by its form.
  await page.goto(`${home}/deals/${deal.id}`);
  await page.getByLabel('Stage', { exact: true }).selectOption('Awaiting Post');
  await page.getByRole('button', { name: 'Move' }).click();
  await page.getByText('Moved.').waitFor();
  await eventually('the run', async () => {
    await server.sql('UPDATE automation_runs SET due_at_ms = 1 WHERE due_at_ms IS NOT NULL');
    await server.triggerCron();
    const { data } = await client.get(`/v1/automations/${automation}/runs`);
    return data[0]?.state === 'done';
  }, { timeout: 60_000, every: 300 });
  const made = await client.get(`/v1/deals/${deal.id}`);
  await page.goto(`${home}/deals/${deal.id}`);
  await page.getByText(made.links[0].url).first().waitFor();
  await page.getByText(made.codes[0].code).first().waitFor();
  await page.goto(`${home}/automations`);
  await page.getByRole('cell', { name: /Done/ }).getByRole('link').click();
  await page.getByRole('link', { name: /^Ada Lovelace/ }).click();
  assert.equal(await page.getByText('Done', { exact: true }).count(), 4);
  await casa.done();
});

test('an automation is written from nothing by the keyboard alone', async () => {
  const casa = await brand();
  const { page, home, client } = casa;
  await page.goto(`${home}/automations`);
  const key = (name) => page.keyboard.press(name);
  await tabTo(page, page.getByRole('link', { name: 'New automation' }));
  await Promise.all([page.waitForURL('**/automations/new'), key('Enter')]);
  await tabTo(page, page.getByLabel('Name', { exact: true }));
  await page.keyboard.type('Quiet for a while');
  const trigger = page.getByLabel('It starts when');
  await tabTo(page, trigger);
  assert.equal(await page.getByLabel('Days without a sale').isVisible(), false);
  await page.keyboard.type('Nothing was');
  assert.equal(await trigger.inputValue(), 'no_sale');
  await tabTo(page, page.getByLabel('Days without a sale'));
  await page.keyboard.type('14');
  await tabTo(page, page.getByLabel('Only if the deal fits'));
  await page.keyboard.type('orders[all] >> 1');
  const add = async (kind) => {
    await tabTo(page, page.getByLabel('Another step'));
    await page.keyboard.type(kind);
    await tabTo(page, page.getByRole('button', { name: 'Add this step' }));
    await Promise.all([page.waitForEvent('load'), key('Enter')]);
  };
  await add('Wait');
  // The keyboard is where the new step is.
  await tabTo(page, page.getByLabel('Days', { exact: true }));
  await page.keyboard.type('1');
  await add('Note');
  await tabTo(page, page.getByLabel('What is to be done'));
  await page.keyboard.type('Ask how it goes');
  await tabTo(page, page.getByLabel('Due after days'));
  await page.keyboard.type('2');
  await tabTo(page, page.getByRole('button', { name: 'Move step 2 up' }), true);
  await Promise.all([page.waitForEvent('load'), key('Enter')]);
  assert.match(await page.locator('.wf-cards h3').first().textContent(), /Note a follow-up/);
  assert.equal(await page.getByRole('button', { name: 'Move step 1 down' }).evaluate((one) => one === document.activeElement), true);
  const save = page.getByRole('button', { name: 'Save' });
  await tabTo(page, save);
  await Promise.all([page.waitForEvent('load'), key('Enter')]);
  // What is wrong is said, and stands at its field.
  const conditions = page.getByLabel('Only if the deal fits');
  assert.equal(await conditions.getAttribute('aria-invalid'), 'true');
  assert.match(await page.getByRole('alert').textContent(), /The condition at character 14/);
  await tabTo(page, conditions);
  await key('Control+A');
  await page.keyboard.type('orders[all] >= 1');
  await tabTo(page, save);
  await Promise.all([page.waitForURL('**done=automation'), key('Enter')]);
  const view = await client.get(`/v1/automations/${id(page)}`);
  assert.deepEqual(view.trigger, { on: 'no_sale', days: 14 });
  assert.deepEqual(view.steps.map((step) => step.do), ['follow_up', 'wait']);
  assert.equal(view.state, 'disabled');
  const on = page.getByRole('button', { name: 'Switch on' });
  await tabTo(page, on);
  await Promise.all([page.waitForURL('**done=switched-on'), key('Enter')]);
  assert.equal((await client.get(`/v1/automations/${id(page)}`)).state, 'enabled');
  await casa.done();
});

test('without a script an automation is written, changed, and removed', async () => {
  const casa = await brand();
  const { client, home } = casa;
  const plain = await person(browser, server, { javaScriptEnabled: false });
  await plain.context.addCookies(await casa.context.cookies());
  const { page } = plain;
  await page.goto(`${home}/automations/new`);
  await page.getByLabel('Name', { exact: true }).fill('Tag');
  await page.getByLabel('It starts when').selectOption('stage_left');
  await page.getByLabel('Stage', { exact: true }).selectOption('Outreach');
  for (const kind of ['add_tags', 'create_link']) {
    await page.getByLabel('Another step').selectOption(kind);
    await page.getByRole('button', { name: 'Add this step' }).click();
  }
  await page.getByLabel('Tags').fill('a, b');
  await page.getByRole('button', { name: 'Move step 2 up' }).click();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('It is made').waitFor();
  const { steps } = await client.get(`/v1/automations/${id(page)}`);
  assert.deepEqual(steps, [{ do: 'create_link' }, { do: 'add_tags', tags: ['a', 'b'] }]);
  await page.getByRole('link', { name: 'Edit' }).click();
  await page.getByRole('button', { name: 'Remove step 1' }).click();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved.').waitFor();
  await page.getByText('Delete this automation').click();
  await page.getByRole('button', { name: 'Delete for good' }).click();
  await page.getByText('Removed.').waitFor();
  assert.deepEqual((await client.get('/v1/automations')).data, []);
  await plain.done();
  await casa.done();
});

test('a message with a field that nobody knows is refused where it stands; one that is empty is said in the preview', async () => {
  const casa = await brand();
  const { page, home, client } = casa;
  await page.goto(`${home}/templates/new`);
  await page.getByLabel('Name', { exact: true }).fill('Hello');
  await page.getByLabel('Subject', { exact: true }).fill('Hi ');
  await page.getByRole('button', { name: 'Insert creator.first_name' }).click();
  assert.equal(await page.getByLabel('Subject', { exact: true }).inputValue(), 'Hi {{creator.first_name}}');
  await page.getByLabel('Text', { exact: true }).fill('Use {{deal.cod}} at ');
  await page.getByRole('button', { name: 'Insert deal.link', exact: true }).click();
  await page.getByRole('button', { name: 'Save' }).click();
  assert.match(await page.getByRole('alert').textContent(), /deal\.cod/);
  assert.equal(await page.getByLabel('Text', { exact: true }).inputValue(), 'Use {{deal.cod}} at {{deal.link}}');
  assert.equal(await page.getByLabel('Text', { exact: true }).getAttribute('aria-invalid'), 'true');
  await page.getByLabel('Text', { exact: true }).fill('Use {{deal.code}} at {{deal.link}}');
  await page.getByRole('button', { name: 'Preview' }).click();
  await page.getByRole('heading', { name: 'As it would be sent' }).waitFor();
  assert.match(await page.locator('.wf-would').textContent(), new RegExp(`Use ANNA10 at .*${casa.link.slug}`));
  assert.equal((await client.get('/v1/message-templates')).data.length, 0);
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved.').waitFor();
  assert.equal((await client.get('/v1/message-templates')).data[0].text, 'Use {{deal.code}} at {{deal.link}}');
  // Of a creator without a code.
  const creator = await client.post('/v1/creators', { name: 'Bea', handle: `@bea-${casa.mark}` });
  const deal = await client.post('/v1/deals', { creator_id: creator.id, campaign_id: casa.campaign.id });
  await page.reload();
  await page.getByLabel('As this deal would get it').selectOption(deal.id);
  await page.getByRole('button', { name: 'Preview' }).click();
  assert.match(await page.getByRole('alert').textContent(), /deal\.code.*which is empty/);
  await casa.done();
});

test('each page is accessible on a phone and a wide screen, in light and dark, and texts are texts', async () => {
  const casa = await brand();
  const { page, home, client } = casa;
  const template = await client.post('/v1/message-templates', { name: HOSTILE, subject: HOSTILE, text: HOSTILE });
  const steps = [
    ['create_link', { target: '/x', apply_code: true }],
    ['assign_code', { affiliate_group_id: casa.group.id }],
    ['message', { template_id: template.id }],
    ['new_terms', { terms: { commission_percent: '12', first_order_only: true } }],
    ['add_tags', { tags: [HOSTILE.slice(0, 30)] }],
    ['move', { stage: 'Posted' }],
    ['assign', { owner_id: null }],
    ['follow_up', { text: HOSTILE, due_in_days: 1 }],
    ['fee', { amount: { amount: '5.00', currency: 'USD' }, note: HOSTILE }],
    ['wait', { days: 1, hours: 2 }],
    ['webhook', { label: HOSTILE }],
    ['invite', {}],
  ].map(([what, more]) => ({ do: what, ...more }));
  const trigger = { on: 'stage_entered', stage: 'Negotiation', campaign_id: casa.campaign.id };
  const conditions = `"${HOSTILE.replaceAll('"', '')}" OR followers > 1`;
  const automation = await client.post('/v1/automations', { name: HOSTILE, trigger, conditions, steps, state: 'disabled' });
  const loud = await client.post('/v1/automations', { name: HOSTILE, trigger, steps: [{ do: 'webhook', label: HOSTILE }] });
  await client.call('POST', `/v1/deals/${casa.deal.id}/move`, { stage: 'Negotiation' });
  const run = await eventually('the run', async () => {
    await server.triggerCron();
    return (await client.get(`/v1/automations/${loud.id}/runs`)).data[0];
  }, { timeout: 60_000, every: 300 });
  const sequence = await client.post('/v1/sequences', { name: HOSTILE, steps: [{ template_id: template.id, delay_days: 2 }] });
  const terms = await client.post('/v1/term-templates', { name: HOSTILE, contract: HOSTILE, terms: { commission_percent: '10' } });
  const empty = ['/automations/new', '/templates/new', '/term-templates/new', '/sequences/new'];
  const paths = [
    '/automations',
    `/automations/${automation.id}`,
    `/automations/${automation.id}/edit`,
    `/automations/${loud.id}/runs`,
    `/automation-runs/${run.id}`,
    '/templates',
    `/templates/${template.id}`,
    `/term-templates/${terms.id}`,
    `/sequences/${sequence.id}`,
  ];
  for (const path of [...paths, ...empty]) {
    assert.equal((await page.goto(home + path)).status(), 200, path);
    assert.equal(await page.evaluate(() => window.hit), undefined, path);
    if (!empty.includes(path)) assert.match(await page.content(), /script&(gt|#62);|onerror=hit/, path);
    assert.equal(await page.locator('main img').count(), 0, path);
    await inEveryLook(page, path);
  }
  // What is saved as it was shown is what it was.
  await page.goto(`${home}/automations/${automation.id}/edit`);
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved.').waitFor();
  const after = await client.get(`/v1/automations/${automation.id}`);
  assert.deepEqual({ ...after, changed_at: '' }, { ...automation, changed_at: '' });
  await casa.done();
});
