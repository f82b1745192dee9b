// npm run screenshots: pictures of the main pages with the demo programme, in docs/screenshots/.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { launch } from '../tests/pages/support/browser.mjs';
import { member } from '../tests/pages/support/people.mjs';
import { Client } from '../tests/workerd/support/client.mjs';
import { startServer } from '../tests/workerd/support/server.mjs';
import { loadDemo } from './demo/programme.mjs';
import { build } from './lib/build.mjs';
import { setup } from './lib/setup.mjs';
import { main, root, say } from './lib/shell.mjs';

main(async () => {
  await setup();
  await build('local');
  const folder = join(root, 'docs/screenshots');
  mkdirSync(folder, { recursive: true });
  const server = await startServer({ variant: 'local' });
  const browser = await launch();
  try {
    const scale = Number(process.env.SCALE || 0.1);
    const { programme, plan } = await loadDemo({ origin: server.origin, operatorToken: server.operatorToken, state: server.stateDir, scale });
    const operator = new Client(server, server.operatorToken);
    const email = 'owner@demo.example';
    await operator.post(`/v1/brands/${programme.brand.id}/owners`, { email });
    const { page } = await member(browser, server, email);
    const client = operator.as(programme.token);
    const [campaign] = (await client.get('/v1/campaigns')).data;
    const [order] = (await client.get(`/v1/orders?deal_id=${plan.star.id}`)).data;
    const shots = { overview: '', board: `/campaigns/${campaign.id}`, deal: `/deals/${plan.star.id}`, creators: '/creators', orders: '/orders', why: `/orders/${order.id}`, payouts: '/payouts' };
    for (const [name, path] of Object.entries(shots)) {
      await page.goto(`/b/${programme.brand.id}${path}`);
      for (const [look, colorScheme, width, height] of [['', 'light', 1280, 900], ['-dark', 'dark', 1280, 900], ['-phone', 'light', 390, 844]]) {
        await page.setViewportSize({ width, height });
        await page.emulateMedia({ colorScheme });
        await page.screenshot({ path: join(folder, `${name}${look}.png`) });
      }
      say(`docs/screenshots/${name}.png`);
    }
  } finally {
    await browser.close();
    await server.stop();
  }
});
