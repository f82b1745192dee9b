// npm run screenshots: pictures of the main pages of both sides with the demo programme, in docs/screenshots/.
// SCALE=0.3 is how much of the demo is loaded.
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { launch, person } from '../tests/pages/support/browser.mjs';
import { acceptInvitation, member } from '../tests/pages/support/people.mjs';
import { Client } from '../tests/workerd/support/client.mjs';
import { startServer } from '../tests/workerd/support/server.mjs';
import { loadDemo } from './demo/programme.mjs';
import { build } from './lib/build.mjs';
import { setup } from './lib/setup.mjs';
import { startDouble } from './lib/shopify.mjs';
import { Failure, main, root, say } from './lib/shell.mjs';

const WIDE = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
/** No picture is larger, and all together are no more. */
const MOST_BYTES = 150_000;
const MOST_TOGETHER = 2_000_000;
/** Of the demo's deals so many have creators who say how they are paid. */
const PAYABLE = 0.22;

main(async () => {
  await setup();
  await build('local');
  const kept = join(root, 'docs/screenshots');
  mkdirSync(kept, { recursive: true });
  // In the place of the old ones once all are there.
  const folder = mkdtempSync(`${kept}-`);
  const shopify = await startDouble(0, 'shopify');
  const server = await startServer({ variant: 'local', vars: { SHOPIFY_ORIGIN: shopify.origin } });
  const browser = await launch();
  try {
    const scale = Number(process.env.SCALE || 0.3);
    const { origin, operatorToken, stateDir: state } = server;
    const fireCrons = () => server.triggerCron({ cron: 'all' });
    const options = { origin, operatorToken, state, scale, shopify: shopify.origin, payable: PAYABLE, fireCrons };
    const { programme, plan } = await loadDemo(options);
    const operator = new Client(server, server.operatorToken);
    const email = 'owner@demo.example';
    await operator.post(`/v1/brands/${programme.brand.id}/owners`, { email });
    const client = operator.as(programme.token);
    const home = `/b/${programme.brand.id}`;
    const [campaign] = (await client.get('/v1/campaigns')).data;
    const [order] = (await client.get(`/v1/orders?deal_id=${plan.star.id}`)).data;
    const brand = {
      overview: '',
      board: `/campaigns/${campaign.id}`,
      deal: `/deals/${plan.star.id}`,
      creators: '/creators',
      why: `/orders/${order.id}`,
      payouts: '/payouts',
      reports: '/reports/creators?period=90d',
      store: `/stores/${programme.store.id}`,
    };
    const owner = await member(browser, server, email);
    for (const [name, path] of Object.entries(brand)) await picture(owner.page, folder, name, home + path);
    await dark(owner.page, folder, 'overview', home);

    const her = await signedIn(browser, server, client, plan);
    for (const [name, path] of Object.entries({ earnings: '', statements: '/statements' }))
      await picture(her, folder, `creator-${name}`, `/c/${programme.brand.id}${path}`);
    swap(folder, kept);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    await browser.close();
    await server.stop();
    await shopify.stop();
  }
});

/** The new pictures instead of the old, if all of them are light enough. */
function swap(folder, kept) {
  const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  if (bytes > MOST_TOGETHER) throw new Failure(`all pictures have ${bytes} bytes, and ${MOST_TOGETHER} is the most`);
  rmSync(kept, { recursive: true });
  renameSync(folder, kept);
  say(`${Math.round(bytes / 1000)} kB in docs/screenshots`);
}

/** A creator who has something to be paid and whom nobody invited yet, at a browser of her own. */
async function signedIn(browser, server, client, plan) {
  const others = plan.deals.filter((deal) => deal.active && deal !== plan.star).sort((a, b) => b.weight - a.weight);
  const available = async ({ creator }) => Number((await client.get(`/v1/creators/${creator.id}/balances`)).data[0]?.available);
  for (const deal of others.slice(Math.ceil(plan.deals.length * PAYABLE))) {
    if (!((await available(deal)) > 0)) continue;
    await client.post(`/v1/deals/${deal.id}/invitation`, {});
    const found = await person(browser, server);
    await acceptInvitation(found, server, deal.creator.email);
    return found.page;
  }
  throw new Failure('nobody in the demo has anything to be paid');
}

/** A page on a wide screen and on a phone. */
async function picture(page, folder, name, path) {
  const answer = await page.goto(path, { waitUntil: 'networkidle' });
  if (answer.status() !== 200) throw new Failure(`${path} answers ${answer.status()}`);
  await shoot(page, folder, name, WIDE);
  await shoot(page, folder, `${name}-phone`, PHONE);
}

async function dark(page, folder, name, path) {
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.goto(path, { waitUntil: 'networkidle' });
  await shoot(page, folder, `${name}-dark`, WIDE);
  await page.emulateMedia({ colorScheme: 'light' });
}

async function shoot(page, folder, name, size) {
  await page.setViewportSize(size);
  const path = join(folder, `${name}.png`);
  let bytes;
  // One that is too large shows less of the page.
  for (let { height } = size; height > 300; height = Math.floor(height * 0.85)) {
    await page.screenshot({ path, clip: { x: 0, y: 0, width: size.width, height } });
    bytes = statSync(path).size;
    if (bytes <= MOST_BYTES) break;
  }
  if (bytes > MOST_BYTES) throw new Failure(`${name}.png has ${bytes} bytes, and ${MOST_BYTES} is the most`);
  say(`docs/screenshots/${name}.png, ${Math.round(bytes / 1000)} kB`);
}
