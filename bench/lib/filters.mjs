// A brand's CRM of some size, and what its team asks of it: rows and time of D1 for a page.
import { median } from './load.mjs';

const DAY = 86_400_000;
const NICHES = ['yoga', 'running', 'skin care', 'interior', 'vegan food', 'coffee', 'travel', 'books', 'knitting', 'dogs'];
const STAGES = ['Invited', 'Negotiating', 'Awaiting Post', 'Posted', 'Declined'];
/** The most creators, deals and orders: a hundredth of them is the smallest. */
export const SIZE = { creators: 10_000, deals: 20_000, orders: 1_000_000 };

/**
 * Makes a hundredth of `SIZE` `scale` times. Orders are rows, added up by the schema's own triggers, without entries of
 * the ledger: one deal in twenty sells on 200 days of the last year, the others on 16.
 */
export async function seedCrm(server, scale) {
  const call = async (path, key, body) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const answer = await fetch(server.origin + path, { method: 'POST', headers, body: JSON.stringify(body) });
    if (answer.status !== 201) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  const { brand, api_key: key } = await call('/v1/brands', server.operatorToken, {
    name: 'Bench',
    currency: 'EUR',
    timezone: 'Europe/Berlin',
    homepage_url: 'https://shop.example.com',
    owner_email: 'owner@example.com',
  });
  const { id: store } = await call('/v1/stores', key, {
    platform: 'shopify',
    shop_domain: 'bench.myshopify.com',
    storefront_url: 'https://shop.example.com',
    client_id: 'bench',
    client_secret: 'bench-secret',
  });
  const campaigns = [];
  for (let n = 0; n < 10; n++) {
    const { id } = await call('/v1/campaigns', key, { name: `Campaign ${n}`, stages: STAGES });
    campaigns.push(id);
  }
  const [creators, deals] = [SIZE.creators, SIZE.deals].map((all) => (all / 100) * scale);
  const today = Math.floor(Date.now() / DAY);
  const b = `'${brand.id}'`;
  const id = (prefix, number) => `'${prefix}_' || printf('%026d', ${number})`;
  const one = (list, number) => `('${JSON.stringify(list).replaceAll("'", "''")}' ->> ((${number}) % ${list.length}))`;
  // Spreads numbers, the same each time.
  const spread = (number) => `(((${number}) * 7919 + 104729) % 65537)`;
  const from = (first, count) =>
    `WITH RECURSIVE n(i) AS (SELECT ${first} UNION ALL SELECT i + 1 FROM n WHERE i < ${first + count - 1})`;
  const all = async (count, sql, step = 1000) => {
    for (let first = 0; first < count; first += step) {
      const some = Math.min(step, count - first);
      await server.sql(...sql.map((text) => `${from(first, some)} ${text}`));
    }
  };
  await all(creators, [
    `INSERT INTO creators (brand_id, id, name, handle, handle_key, tags, niche, country, language, followers, engagement_bp, created_at_ms)
       SELECT ${b}, ${id('creator', 'i')}, 'Name' || ${spread('i')} || ' Surname' || (i % 1000), 'handle' || i, 'handle' || i,
         iif(i % 50 = 0, '["vip"]', '[]'), ${one(NICHES, 'i')}, ${one(['DE', 'FR', 'BR', 'US'], 'i')},
         iif(i % 3 = 0, NULL, 'de'), ${spread('i')} * 7, i % 900, 0 FROM n`,
    `INSERT INTO creator_handles (brand_id, creator_id, platform, handle, handle_key)
       SELECT ${b}, ${id('creator', 'i')}, 'tiktok', 'tik' || i, 'tik' || i FROM n`,
  ]);
  await all(deals, [
    `INSERT INTO deals (brand_id, id, creator_id, campaign_id, stage, tags, created_at_ms, contacted_at_ms, kind)
       SELECT ${b}, ${id('deal', 'i')}, ${id('creator', `i % ${creators}`)}, ${one(campaigns, 'i')}, ${one(STAGES, 'i / 10')},
         iif(i % 100 = 1, '["summer"]', '[]'), ${(today - 365) * DAY} + i, ${today * DAY} - ${spread('i')} * 400000,
         iif(i % 5 = 0, 'gifting', 'affiliate') FROM n`,
    `INSERT INTO links (brand_id, id, deal_id, store_id, slug, slug_key, host, target, created_at_ms)
       SELECT ${b}, ${id('link', 'i')}, ${id('deal', 'i')}, '${store}', 'c' || i, 'c' || i, '', '/', 0 FROM n`,
    `INSERT INTO codes (brand_id, code_key, id, deal_id, code, state, created_at_ms)
       SELECT ${b}, 'c' || i, ${id('code', 'i')}, ${id('deal', 'i')}, 'C' || i, 'active', 0 FROM n WHERE i % 2 = 0`,
    `INSERT INTO notes (brand_id, deal_id, id, text, contact, author_kind, author_id, created_at_ms)
       SELECT ${b}, ${id('deal', 'i')}, ${id('note', 'i')}, 'Likes ' || ${one(NICHES, 'i + 3')} || ' and number' || i, 0, 'key', 'k', 0
         FROM n WHERE i % 4 = 0`,
  ]);
  // Two orders on each of these days.
  const days = 'iif(i % 20 = 0, 200, 16)';
  const each = `n CROSS JOIN (WITH RECURSIVE j(j) AS (SELECT 0 UNION ALL SELECT j + 1 FROM j WHERE j < 199) SELECT j FROM j) WHERE j < ${days}`;
  const day = `${today} - (j * (360 / ${days}) + i % 5)`;
  const base = spread('i * 17 + j * 2 + k');
  await all(
    deals,
    [
      // Every hundredth is cancelled. The schema's own triggers add them up per day.
      `INSERT INTO orders (brand_id, id, store_id, external_id, revision, name, placed_at_ms, state, currency, base_minor,
           commission_minor, deal_id, creator_id, available_day, facts, decision, placed_day)
         SELECT ${b}, ${id('order', 'i * 400 + j * 2 + k')}, '${store}', i * 400 + j * 2 + k, 1, '#' || (i * 400 + j * 2 + k),
           (${day}) * ${DAY} + i, iif(${base} % 100 = 0, 'cancelled', 'paid'), iif(i % 10 = 3, 'USD', 'EUR'),
           iif(${base} % 100 = 0, 0, ${base}), iif(${base} % 100 = 0, 0, ${base} / 10), ${id('deal', 'i')},
           ${id('creator', `i % ${creators}`)}, (${day}) + 30, '{}', '{"winner":{"method":"code"}}', ${day}
           FROM (SELECT 0 AS k UNION ALL SELECT 1) CROSS JOIN ${each}`,
      `INSERT INTO click_days (brand_id, link_id, day, shard, deal_id, total, uniques, bot, prefetch, head)
         SELECT ${b}, ${id('link', 'i')}, ${day}, 0, ${id('deal', 'i')}, 20 + ${spread('i + j')} % 100, 20, 0, 0, 0 FROM ${each}`,
    ],
    250,
  );
  const [[{ orders }]] = await server.sql(`SELECT count(*) AS orders FROM orders WHERE brand_id = ${b}`);
  // The minute's job, until it has caught up.
  for (let left = 1; left > 0; ) {
    await server.cron();
    [[{ left }]] = await server.sql('SELECT count(*) AS left FROM totals_to_tell');
  }
  for (let first = 0; first < deals; first += 500) await proven(server, b, [id('deal', first), id('deal', first + 499)]);
  return { key, creators, deals, orders };
}

/** That the totals of these deals are what their orders come to, one by one: all time, and each month of the calendar. */
async function proven(server, brand, [first, last]) {
  const of = `brand_id = ${brand} AND deal_id BETWEEN ${first} AND ${last}`;
  const differ = (period, totals) => `SELECT count(*) AS odd FROM (
    SELECT deal_id, ${period} AS period, currency, sum(state <> 'cancelled') AS orders, sum(base_minor) AS base, sum(commission_minor) AS commission
      FROM orders WHERE ${of} GROUP BY 1, 2, 3 HAVING sum(state <> 'cancelled') > 0) o
    FULL JOIN (SELECT deal_id, period, currency, orders, base_minor AS base, commission_minor AS commission
      FROM deal_totals WHERE ${of} AND ${totals} AND orders > 0) t USING (deal_id, period, currency)
    WHERE (o.orders, o.base, o.commission) IS NOT (t.orders, t.base, t.commission)`;
  const monthOf =
    "CAST(strftime('%Y', placed_day * 86400, 'unixepoch') AS INTEGER) * 12 + CAST(strftime('%m', placed_day * 86400, 'unixepoch') AS INTEGER) - 1";
  for (const sql of [differ('0', 'period = 0'), differ(monthOf, 'period <> 0')]) {
    const [[{ odd }]] = await server.sql(sql);
    if (odd) throw new Error(`${odd} totals aren't what their orders come to`);
  }
}

const month = (ago) => {
  const day = new Date();
  return new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth() - ago, 1)).toISOString().slice(0, 7);
};
const iso = (ago) => new Date(Date.now() - ago * DAY).toISOString().slice(0, 10);
const thirty = (one) => Array.from({ length: 30 }, (_, n) => one(n)).join(' AND ');

/** What is asked: the list, filter and sort; of all time and calendar months first. */
export const KEPT = [
  ['deals', '', '-revenue'],
  ['deals', '', `-commission[${month(2)}]`],
  ['deals', '', '-days_since_last_sale'],
  ['deals', '', 'conversion'],
  ['deals', `revenue[${month(1)}] >= 500 AND NOT has_code`, `-revenue[${month(1)}]`],
  ['deals', 'orders >= 30 AND country = "DE" AND has_link', 'created'],
  ['deals', 'conversion > 5% AND followers >= 100000', '-followers'],
  ['deals', 'revenue_per_commission >= 9 AND stage = "Posted" AND campaign = "Campaign 3"', '-clicks'],
  ['deals', '"yoga"', '-revenue'],
  ['deals', '"yoga" AND tag = "vip"', 'created'],
  ['deals', 'tag = "vip" AND "likes"', '-created'],
  ['deals', '"number4400"', 'name'],
  // Words that every creator has.
  ['deals', '"name"', 'created'],
  ['deals', '"name surname" AND NOT has_code', '-revenue'],
  ['deals', 'NOT "name" OR "likes"', '-followers'],
  ['deals', 'tag = "vip" AND "name"', '-revenue'],
  ['deals', Array.from({ length: 20 }, (_, n) => `("name" OR "surname${n}")`).slice(0, 14).join(' AND '), 'last_contact'],
  ['creators', '"name" AND revenue > 999999999', '-followers'],
  ['deals', 'tag = "vip" AND days_since_last_sale > 2', '-orders'],
  ['deals', 'tag = "summer" OR NOT (country = "BR" OR last_contact >= today-30d)', 'last_contact'],
  ['deals', 'followers > 999999999', '-revenue'],
  ['deals', `revenue[${month(3)}] > 999999999`, '-clicks'],
  ['deals', thirty((n) => `revenue[${month(n % 12)}] >= 0`), '-revenue'],
  ['deals', `NOT (${thirty((n) => `NOT "n${n}" OR NOT tag = "t${n}"`).split(' AND ').slice(0, 15).join(' AND ')})`, 'created'],
  ['creators', 'revenue >= 500 AND country = "DE"', '-followers'],
  ['creators', '"yoga" AND has_code', 'name'],
  ['creators', '"likes" AND tag = "vip" AND NOT has_code', 'created'],
  ['creators', 'followers > 999999999', 'created'],
  ['creators', 'tag = "vip" AND orders >= 10', '-followers'],
];
/** And of free periods. */
export const FREE = [
  ['deals', 'revenue[30d] >= 500', 'created'],
  ['deals', 'revenue[30d] >= 500 AND clicks[90d] > 100', '-followers'],
  ['deals', `revenue[${iso(200)}..${iso(20)}] >= 5000`, '-revenue'],
  ['deals', 'conversion[7d] > 1000000', 'created'],
  ['deals', 'campaign = "Campaign 3" AND stage = "Posted"', '-revenue[30d]'],
  ['deals', 'tag = "vip"', '-conversion[45d]'],
  ['deals', 'followers >= 100000', '-revenue[30d]'],
  ['deals', '', '-revenue[30d]'],
  ['deals', '', `clicks[${iso(100)}..${iso(10)}]`],
  ['creators', 'revenue[30d] >= 500', '-followers'],
];

/** The first pages of a list, as large as they may be asked for: the most rows and time of D1 that one took. */
export async function pages(server, key, [list, filter, sort], { times = 5, most = 4 } = {}) {
  const headers = { authorization: `Bearer ${key}` };
  const query = new URLSearchParams({ sort, limit: 200, ...(filter && { filter }) });
  const cost = { rows: 0, written: 0, ms: 0, found: 0, pages: 0 };
  let cursor = null;
  do {
    if (cursor) query.set('cursor', cursor);
    const took = [];
    for (let time = 0; time < times; time++) {
      await server.d1();
      const answer = await fetch(`${server.origin}/v1/${list}?${query}`, { headers });
      const body = await answer.json();
      const { rows_read, rows_written, ms } = await server.d1();
      if (answer.status === 422) return { refused: body.errors[0].reason, ...cost };
      if (!answer.ok) throw new Error(`${list} ${filter} ${sort}: ${answer.status} ${JSON.stringify(body)}`);
      took.push(ms);
      cost.rows = Math.max(cost.rows, rows_read);
      cost.written = Math.max(cost.written, rows_written);
      if (time === 0) {
        cost.found += body.data.length;
        cursor = body.next_cursor;
      }
    }
    cost.ms = Math.max(cost.ms, median(took));
    cost.pages++;
  } while (cursor && cost.pages < most);
  return cost;
}
