// npm run screenshots: pictures of the main pages of both sides with the demo programme, in docs/screenshots/.
// SCALE=0.1 is how much of the demo is loaded.
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { launch, mailTo, person } from '../tests/pages/support/browser.mjs';
import { member } from '../tests/pages/support/people.mjs';
import { Client } from '../tests/workerd/support/client.mjs';
import { startServer } from '../tests/workerd/support/server.mjs';
import { loadDemo } from './demo/programme.mjs';
import { build } from './lib/build.mjs';
import { setup } from './lib/setup.mjs';
import { Failure, main, root, say } from './lib/shell.mjs';

const WIDE = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
/** No picture is larger. */
const MOST_BYTES = 150_000;

main(async () => {
  await setup();
  await build('local');
  const folder = join(root, 'docs/screenshots');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const server = await startServer({ variant: 'local' });
  const browser = await launch();
  try {
    const scale = Number(process.env.SCALE || 0.1);
    const options = { origin: server.origin, operatorToken: server.operatorToken, state: server.stateDir, scale };
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
      orders: '/orders',
      why: `/orders/${order.id}`,
      payouts: '/payouts',
      reports: '/reports',
      automations: '/automations',
      stores: '/stores',
      settings: '/settings',
    };
    const owner = await member(browser, server, email);
    for (const [name, path] of Object.entries(brand)) await picture(owner.page, folder, name, home + path);
    await dark(owner.page, folder, 'overview', home);
    await dark(owner.page, folder, 'deal', home + brand.deal);

    const her = await signedIn(browser, server, client, plan.star);
    const mine = { earnings: '', links: '/links', statements: '/statements' };
    for (const [name, path] of Object.entries(mine))
      await picture(her, folder, `creator-${name}`, `/c/${programme.brand.id}${path}`);
  } finally {
    await browser.close();
    await server.stop();
  }
});

/** The creator of a deal at a browser of her own. */
async function signedIn(browser, server, client, deal) {
  const { creator_id } = await client.get(`/v1/deals/${deal.id}`);
  const { email } = await client.get(`/v1/creators/${creator_id}`);
  const { page } = await person(browser, server);
  const { url } = await client.post(`/v1/deals/${deal.id}/invitation`, {});
  await page.goto(url);
  const accept = page.getByRole('button', { name: 'Accept' });
  await accept.waitFor();
  const asked = page.getByLabel('Your e-mail address');
  const address = email ?? 'star@demo.example';
  if (await asked.count()) await asked.fill(address);
  await accept.click();
  await page.waitForURL('**/sign-in/code');
  await page.goto((await mailTo(server, address)).link);
  await page.waitForURL('**/c/*');
  return page;
}

/** A page on a wide screen and on a phone. One that isn't there is left out. */
async function picture(page, folder, name, path) {
  const answer = await page.goto(path, { waitUntil: 'networkidle' });
  if (answer.status() === 404) return say(`${path} is no page: left out`);
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
