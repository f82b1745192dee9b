// Every address that answers a page, for tests that walk them all. A new route in src/web/pages/mod.rs needs its line
// here: every-page.test.mjs fails without.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../../scripts/lib/shell.mjs';

/**
 * Pages of a brand, by route: what stands for `{id}`, by its name in the data that the walk has, or '' where there is
 * no such part; with a query where the page needs one.
 */
export const BRAND = {
  '/b/{brand}': '',
  '/b/{brand}/campaigns': '',
  '/b/{brand}/campaigns/{id}': 'campaign',
  '/b/{brand}/campaigns/{id}/edit': 'campaign',
  '/b/{brand}/creators/new': '',
  '/b/{brand}/creators/duplicates': '',
  '/b/{brand}/imports': '',
  '/b/{brand}/deals': '',
  '/b/{brand}/deals/{id}': 'deal',
  '/b/{brand}/orders': '',
  '/b/{brand}/orders/{id}': 'order',
  '/b/{brand}/payouts': '',
  '/b/{brand}/payouts/{id}': 'payout',
  '/b/{brand}/payouts/{id}/entries': 'payout?line={line}',
  '/b/{brand}/creators': '',
  '/b/{brand}/creators/{id}': 'creator',
  '/b/{brand}/deals/{id}/message': 'deal',
  '/b/{brand}/claims': '',
  '/b/{brand}/bulk': '',
  '/b/{brand}/bulk/jobs': '',
  '/b/{brand}/automations': '',
  '/b/{brand}/automations/new': '',
  '/b/{brand}/templates': '',
  '/b/{brand}/templates/new': '',
  '/b/{brand}/term-templates/new': '',
  '/b/{brand}/sequences/new': '',
  '/b/{brand}/reports': '',
  '/b/{brand}/reports/creators': '',
  '/b/{brand}/reports/campaigns': '',
  '/b/{brand}/reports/stages': '',
  '/b/{brand}/reports/sources': '',
  '/b/{brand}/reports/cohorts': '',
  '/b/{brand}/reports/posts': '',
  '/b/{brand}/reports/what-if': '',
  '/b/{brand}/stores': '',
  '/b/{brand}/stores/new': '',
  '/b/{brand}/stores/quarantine': '',
  '/b/{brand}/stores/codes': '',
  '/b/{brand}/stores/groups': '',
  '/b/{brand}/stores/groups/new': '',
  '/b/{brand}/settings': '',
  '/b/{brand}/settings/domain': '',
  '/b/{brand}/settings/rules': '',
  '/b/{brand}/settings/members': '',
  '/b/{brand}/settings/keys': '',
  '/b/{brand}/settings/webhooks': '',
  '/b/{brand}/settings/audit': '',
  '/b/{brand}/settings/data': '',
};

/** Pages of a creator, where `{id}` is the brand. */
export const CREATOR = {
  '/c': '',
  '/c/{id}': 'brand',
  '/c/{id}/links': 'brand',
  '/c/{id}/orders': 'brand',
  '/c/{id}/posts': 'brand',
  '/c/{id}/statements': 'brand',
  '/c/{id}/payouts': 'brand',
  '/c/{id}/payment': 'brand',
  '/c/{id}/claims': 'brand',
  '/c/{id}/terms': 'brand',
};

/** Not walked, and where they are looked at instead. */
export const ELSEWHERE = {
  '/assets/{id}': 'no page: safety.test.mjs',
  '/snippet/{id}/{name}': 'no page: storefront.test.mjs',
  '/': 'leads on: sign-in.test.mjs',
  '/sign-in': 'look.test.mjs',
  '/sign-in/link': 'look.test.mjs',
  '/sign-in/code': 'look.test.mjs',
  '/sign-in/passkey': 'look.test.mjs',
  '/invitation': 'look.test.mjs',
  '/account': 'look.test.mjs',
  '/privacy': 'look.test.mjs',
  '/mailbox': 'look.test.mjs',
  '/mailbox/{id}': 'leads on: sign-in.test.mjs',
  '/unsubscribe/{id}': 'api/outreach/',
  '/connect/shopify/callback': 'leads on: api/connecting.rs',
  '/connect/shopify/done': 'api/connecting.rs',
  '/b/{brand}/settings/audit/file': 'a file',
  '/b/{brand}/settings/data/books': 'a file',
  '/b/{brand}/bulk/{id}': 'bulk.test.mjs',
  '/b/{brand}/bulk/{id}/file': 'a file: api/pages_bulk.rs',
  '/b/{brand}/automations/{id}': 'workflows.test.mjs',
  '/b/{brand}/automations/{id}/edit': 'workflows.test.mjs',
  '/b/{brand}/automations/{id}/runs': 'workflows.test.mjs',
  '/b/{brand}/automation-runs/{id}': 'workflows.test.mjs',
  '/b/{brand}/templates/{id}': 'workflows.test.mjs',
  '/b/{brand}/term-templates/{id}': 'workflows.test.mjs',
  '/b/{brand}/sequences/{id}': 'workflows.test.mjs',
  '/b/{brand}/stores/groups/{id}': 'stores.test.mjs',
  '/b/{brand}/stores/{id}': 'stores.test.mjs',
  '/b/{brand}/stores/{id}/snippet': 'stores.test.mjs',
  '/b/{brand}/stores/{id}/affiliates': 'stores.test.mjs',
  '/b/{brand}/stores/{id}/comparison': 'stores.test.mjs',
  '/b/{brand}/settings/webhooks/{id}': 'settings.test.mjs',
  '/c/{id}/links/{link_id}/qr': 'a picture: creator.test.mjs',
  '/c/{id}/statements/{month}/file': 'a file: api/creator_pages.rs',
};

/** The routes that answer GET, as the router has them. */
export function routed() {
  const text = readFileSync(join(root, 'src/web/pages/mod.rs'), 'utf8');
  const table = /^routes! \{$(.*?)^\}$/ms.exec(text)[1];
  return [...table.matchAll(/"([^"]+)" => \{([^}]*)\}/g)].filter(([, , how]) => /\bget:/.test(how)).map(([, path]) => path);
}

/** A route's address with this data: `{ brand, deal, … }`, each with its id, or an id. */
export function address(route, stands, data) {
  const id = (name) => data[name].id ?? data[name];
  const [name, query] = stands.split('?');
  const path = route.replace('{brand}', () => id('brand')).replace('{id}', () => id(name));
  return query ? `${path}?${query.replace(/\{(\w+)\}/g, (_, what) => id(what))}` : path;
}
