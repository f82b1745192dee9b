// The demo programme: half a year of a home-decor brand, loaded into a running local server.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readIfThere, say } from '../lib/shell.mjs';
import { load } from './load.mjs';
import { report } from './report.mjs';

/** Where what later commands need is kept: keys, so for the owner's eyes only. */
export const demoFile = (state) => join(state, 'demo.json');

/** Loads the programme, keeps its keys in `state` and answers all that was sent and found. */
export async function loadDemo({ origin, shopify, state, print = say, ...options }) {
  const loaded = await load({ origin, shopify, progress: progress(print), ...options });
  const { plan, programme, creator } = loaded;
  const deal = plan.star;
  const keys = {
    origin,
    /** Of the double in which the demo's shop is; absent where it can't be reached. */
    shopify,
    brand: { id: programme.brand.id, api_key: programme.token },
    store: { id: programme.store.id },
    creator: { ...creator.creator, access_token: creator.access_token, expires_at: creator.expires_at },
    deal: { id: deal.id, code: deal.code, link: { slug: deal.links[0].slug, url: deal.links[0].url } },
  };
  writeFileSync(demoFile(state), `${JSON.stringify(keys, null, 2)}\n`, { mode: 0o600 });
  report(loaded, keys, print);
  return loaded;
}

/** Where the server and its shop are this time: other commands find them there. */
export function moved(state, where) {
  const file = demoFile(state);
  const keys = { ...JSON.parse(readIfThere(file)), ...where };
  writeFileSync(file, `${JSON.stringify(keys, null, 2)}\n`, { mode: 0o600 });
}

/** Tells every few seconds how far it is; on a terminal in one line. */
function progress(print) {
  const terminal = process.stdout.isTTY && print === say;
  const pause = terminal ? 200 : 10_000;
  let next;
  return (done, all) => {
    next ??= Date.now() + pause;
    if (Date.now() < next && done < all) return;
    next = Date.now() + pause;
    const line = `  ${done} of ${all} clicks, deliveries and changes`;
    if (terminal) process.stdout.write(`\r${line}${done === all ? '\n' : ''}`);
    else print(line);
  };
}
