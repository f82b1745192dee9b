// What the double keeps in a file, so that a shop on a laptop is the same one tomorrow: everything of its shops but what
// is under way (bulk operations, jobs, carts, faults). Node's own format keeps what refers to what.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { deserialize, serialize } from 'node:v8';
import { Shop } from './shop.mjs';
import { ids } from './values.mjs';

/** Of another version of this file nothing is taken over. */
const VERSION = 1;
const UNDER_WAY = ['clock', 'emit', 'bucket', 'creations', 'jobs', 'bulks', 'carts', 'faults', 'log'];

/** Writes all shops to a file, whole or not at all. */
export function keep(double, file) {
  const shops = [...double.shops.values()].map((shop) => {
    const { maximum, rate } = shop.bucket;
    const kept = Object.entries(shop).filter(([name]) => !UNDER_WAY.includes(name));
    return { ...Object.fromEntries(kept), bucket: { maximum, rate } };
  });
  writeFileSync(`${file}.new`, serialize({ version: VERSION, ids: ids.get(), shops }), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** The shops of a file, if it is there and of this version; `make` makes a shop of what is known of it. */
export function restore(double, file) {
  if (!existsSync(file)) return;
  const { version, ids: used, shops } = deserialize(readFileSync(file));
  if (version !== VERSION) return;
  ids.set(used);
  for (const { bucket, ...kept } of shops) {
    const shop = double.adopt(new Shop(double.clock, { domain: kept.domain, products: [], bucket }));
    Object.assign(shop, kept);
    // A property of a map isn't kept with it.
    shop.products.collections = shop.collections;
  }
}
