// npm start: installs what is missing, builds, migrates, serves, and loads the demo programme once.
// Environment: PORT, OPERATOR_TOKEN, STATE_DIR, DEMO=0, PUBLIC_ORIGIN, SHOPIFY_ORIGIN, GOAFFPRO_ORIGIN.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { demoFile, loadDemo, moved } from './demo/programme.mjs';
import { STORE } from './demo/words.mjs';
import { build } from './lib/build.mjs';
import { secrets } from './lib/secrets.mjs';
import { setup } from './lib/setup.mjs';
import { Failure, killRunning, main, readIfThere, root, say } from './lib/shell.mjs';
import { startDouble } from './lib/shopify.mjs';
import { freePort, serve } from './lib/workerd.mjs';

const PASSED_ON = ['OPERATOR_TOKEN', 'PUBLIC_ORIGIN', 'SHOPIFY_ORIGIN', 'GOAFFPRO_ORIGIN'];

let server;
let shopify;
let goaffpro;
let stopping = false;

async function stop() {
  if (stopping) return;
  stopping = true;
  killRunning();
  await server?.stop();
  await Promise.all([shopify?.stop(), goaffpro?.stop()]);
  process.exit(0);
}
// npm that is killed outright tells its scripts nothing.
const parent = process.ppid;
if (process.env.npm_lifecycle_event) setInterval(() => process.ppid === parent || stop(), 500).unref();

main(async () => {
  const started = Date.now();
  try {
    await start();
  } catch (error) {
    // What was interrupted fails, and that is no news.
    if (stopping) return new Promise(() => {});
    throw error;
  }
  say(`ready http://localhost:${server.port}`);
  process.stderr.write(`started in ${((Date.now() - started) / 1000).toFixed(1)} s; Ctrl-C stops it\n`);
  server.hold();
  const how = await server.exited;
  if (!stopping) throw new Failure(`workerd ended unexpectedly (${how}).`);
}, stop);

async function start() {
  const port = Number(process.env.PORT || 8787);
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw new Failure(`PORT is no port: ${process.env.PORT}`);
  await freePort(port);
  await setup();
  const worker = await build('local');

  const state = resolve(process.env.STATE_DIR || join(root, '.state'));
  mkdirSync(state, { recursive: true });
  // Written before anything else is, so that a half loaded demo is known as one.
  const marker = join(state, 'demo');
  const demo = wantsDemo(state, marker);
  if (demo) {
    writeFileSync(marker, 'loading');
    rmSync(shopFile(state), { force: true });
  }
  const given = Object.fromEntries(
    Object.entries(process.env).filter(([name, value]) => PASSED_ON.includes(name) && value),
  );
  const vars = secrets(join(root, '.dev.vars'), given);
  // Without a real shop to talk to there is a double of one, next door.
  if (!vars.SHOPIFY_ORIGIN) shopify = await double('shopify', port + 1, shopFile(state));
  if (shopify) vars.SHOPIFY_ORIGIN = shopify.origin;
  if (!vars.GOAFFPRO_ORIGIN) goaffpro = await double('goaffpro', port + 2);
  if (goaffpro) vars.GOAFFPRO_ORIGIN = goaffpro.origin;

  server = await serve({ build: worker, state, port, vars });
  if (shopify) say(`a double of Shopify stands in for shops: ${storefront()}`);
  if (goaffpro) say(`a double of GoAffPro stands in for it, any token opens it: ${goaffpro.origin}`);
  if (server.applied.length > 0) say(`applied migrations: ${server.applied.join(', ')}`);
  if (!demo) {
    if (!existsSync(demoFile(state))) return;
    moved(state, { origin: server.origin, shopify: shopify?.origin });
    return say(`the demo programme is loaded; its keys are in ${demoFile(state)}`);
  }
  say('loading the demo programme, half a year of it, in about a minute (DEMO=0 starts empty) …');
  const fireCrons = () => server.control('/cron', { cron: 'all' });
  const where = { origin: server.origin, shopify: shopify?.origin, state };
  await loadDemo({ ...where, operatorToken: vars.OPERATOR_TOKEN, fireCrons });
  writeFileSync(marker, 'loaded');
}

/** A platform's double, on that port if it is free; the server does without it where there is no Node to run it. */
async function double(platform, port, file) {
  try {
    const started = await startDouble(await freePort(port).catch(() => freePort()), platform, file);
    started.exited.then(
      () => stopping || say(`the double of ${platform} has ended: it can no longer be reached`),
    );
    return started;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    say(`${platform} can't be reached: ${error.message}`);
    return undefined;
  }
}

/** Where the demo's shop is to be seen. */
function storefront() {
  const { port } = new URL(shopify.origin);
  return `http://${STORE.shop_domain.split('.')[0]}.localhost:${port}/`;
}

/** Where the shops of Shopify's double are kept. */
const shopFile = (state) => join(state, 'shopify');

/** Whether the demo programme is to be loaded: into a new state, unless DEMO=0. */
function wantsDemo(state, marker) {
  const data = join(state, 'v3');
  if (readIfThere(marker) === 'loading') {
    say('the demo programme was not loaded to its end: starting again with an empty state');
    rmSync(data, { recursive: true, force: true });
    rmSync(marker);
    rmSync(demoFile(state), { force: true });
  }
  return !existsSync(data) && process.env.DEMO !== '0';
}
