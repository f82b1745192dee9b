// A programme of some size: the brand and its store over the API, the many over SQL.

export const SECRET = 'bench-secret';
export const LINKS = 10_000;
export const DEALS = 1_000;

export const code = (n) => `C${String(n % LINKS).padStart(5, '0')}`;
export const slug = (n) => code(n).toLowerCase();

/** Makes `LINKS` links and codes of `DEALS` deals; answers the API key, the store and the webhook's path. */
export async function seed(server) {
  const call = async (path, key, body) => {
    const response = await fetch(server.origin + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (response.status !== 201) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  const { brand, api_key } = await call('/v1/brands', server.operatorToken, {
    name: 'Bench',
    currency: 'EUR',
    timezone: 'Europe/Berlin',
    homepage_url: 'https://shop.example.com',
    owner_email: 'owner@example.com',
  });
  const store = await call('/v1/stores', api_key, {
    platform: 'shopify',
    shop_domain: 'bench.myshopify.com',
    storefront_url: 'https://shop.example.com',
    client_id: 'bench',
    client_secret: SECRET,
  });
  const campaign = await call('/v1/campaigns', api_key, { name: 'Bench' });
  const n = (count) => `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${count - 1})`;
  const id = (prefix, number = 'i') => `'${prefix}_' || printf('%026d', ${number})`;
  const deal = id('deal', `i % ${DEALS}`);
  await server.sql(
    `${n(DEALS)} INSERT INTO creators (brand_id, id, name, handle, tags, created_at_ms)
       SELECT '${brand.id}', ${id('creator')}, 'Creator ' || i, 'creator' || i, '[]', 0 FROM n`,
    `${n(DEALS)} INSERT INTO deals (brand_id, id, creator_id, campaign_id, stage, tags, created_at_ms)
       SELECT '${brand.id}', ${id('deal')}, ${id('creator')}, '${campaign.id}', 'Posted', '[]', 0 FROM n`,
    `${n(DEALS)} INSERT INTO terms (brand_id, deal_id, starts_at_ms, version, id, rate_bp, created_at_ms)
       SELECT '${brand.id}', ${id('deal')}, 0, 1, ${id('terms')}, 1000 + i % 10 * 100, 0 FROM n`,
    `${n(LINKS)} INSERT INTO links (brand_id, id, deal_id, store_id, slug, slug_key, host, target, created_at_ms)
       SELECT '${brand.id}', ${id('link')}, ${deal}, '${store.id}', printf('c%05d', i), printf('c%05d', i), '',
         '/products/p-' || i || '?utm_source=instagram&utm_medium=creator', 0 FROM n`,
    `${n(LINKS)} INSERT INTO slugs (brand_id, host, slug_key, link_id)
       SELECT '${brand.id}', '', printf('c%05d', i), ${id('link')} FROM n`,
    `${n(LINKS)} INSERT INTO codes (brand_id, code_key, id, deal_id, code, state, created_at_ms)
       SELECT '${brand.id}', lower(printf('C%05d', i)), ${id('code')}, ${deal}, printf('C%05d', i), 'active', 0 FROM n`,
  );
  return { key: api_key, brand: brand.id, store: store.id, hook: `/webhooks/shopify/${store.id}` };
}

/** The clicks of all deals, as the API tells them. */
export async function countedClicks(server, key) {
  const sums = { total: 0, filtered: 0 };
  const ask = async (number) => {
    const path = `/v1/deals/deal_${String(number).padStart(26, '0')}/performance`;
    const response = await fetch(server.origin + path, { headers: { authorization: `Bearer ${key}` } });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    const { clicks } = await response.json();
    sums.total += clicks.total;
    sums.filtered += clicks.filtered;
  };
  for (let first = 0; first < DEALS; first += 20) {
    await Promise.all(Array.from({ length: Math.min(20, DEALS - first) }, (_, n) => ask(first + n)));
  }
  return sums;
}
