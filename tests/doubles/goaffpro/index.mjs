// GoAffPro's admin API on loopback, by its documented shapes with the oddities that were seen: rows are `{}`
// without `fields`, amounts of feeds are texts with six decimals, `coupon` is null, an object or "", dates
// are ISO or what JavaScript prints, orders have no time of change, a bad token gets 403.
//
// Faults are for the next requests whose path begins with `at` (default: any), one after the other:
//   401, 403, 500, 503    that status
//   [429, '7']            429 with `Retry-After: 7`; 429 alone without
//   'reset'               the connection breaks before the answer
//   'truncated'           half of the answer, as if it were whole
//   'broken'              the connection breaks within the answer
//   'stall'               no answer until the test ends
//   'html'                a page with 200
//   'after'               done, then the connection breaks
//   'redirect'            302 to `elsewhere`
//   'huge'                a hundred megabytes
//   'empty'               rows without anything in them
//   'wrong'               a list where an object should be, and numbers for lists
//   'repeat'              the first page again, whatever was asked for
//   'down'                the page from its end to its beginning, newest first
//   'endless'             a full page of new orders, for ever new
//   'shifted'             the page from its third row on
import { createServer } from 'node:http';

const FULL = 250;

/**
 * Starts the double. `open`: it lets in whoever has any token, as on a laptop (main.mjs), where people steer it with
 * POST /control/orders and /control/affiliates.
 */
export async function startGoaffpro({ token = 'gap-token', currency = 'USD', website = '', port = 0, open: lax = false } = {}) {
  const state = {
    token,
    config: { site_id: 5, store_name: 'Casa', default_currency: currency, website },
    orders: [],
    affiliates: [],
    traffic: [],
    transactions: [],
    rewards: [],
    webhooks: [],
    /** Statuses for paths that a plan doesn't have. */
    missing: {},
    elsewhere: 'http://127.0.0.1:9/',
  };
  const seen = { requests: [], tokens: new Set(), creates: 0 };
  const open = new Set();
  let faults = [];
  let endless = 900_000;

  const six = (amount) => (amount === null || amount === undefined ? null : Number(amount).toFixed(6));
  const pick = (row, fields) =>
    Object.fromEntries(fields.filter((name) => name in row).map((name) => [name, row[name]]));
  const rows = (list, query, { as = (row) => row, free = false } = {}) => {
    const fields = query.get('fields')?.split(',') ?? [];
    return list.map((row) => ({ ...(free ? as(row) : pick(as(row), fields)), ...row.raw }));
  };

  const lists = {
    orders(query, fault) {
      const at = (name) => Date.parse(query.get(name) ?? '') || undefined;
      const since = Number(query.get('since_id') ?? 0);
      const limit = Math.min(Number(query.get('limit') ?? 50), FULL);
      if (fault === 'endless') {
        const more = Array.from({ length: limit }, () => ({
          ...{ id: ++endless, affiliate_id: null, number: `#${endless}`, subtotal: '1.000000' },
          ...{ commission: '0.100000', status: 'new', created: new Date(state.now?.() ?? Date.now()).toISOString() },
        }));
        return { orders: rows(more, query) };
      }
      let found = state.orders.filter(
        (order) =>
          (!query.get('id') || String(order.id) === query.get('id')) &&
          (at('created_at_min') === undefined || new Date(order.at).getTime() >= at('created_at_min')) &&
          (at('created_at_max') === undefined || new Date(order.at).getTime() <= at('created_at_max')),
      );
      if (fault !== 'repeat') found = found.filter((order) => order.id > since);
      found.sort((a, b) => a.id - b.id);
      if (fault === 'down') found.reverse();
      if (fault === 'shifted') found = found.slice(2);
      found = found.slice(0, limit);
      const as = ({ at: placed, raw, ...order }) => ({
        ...order,
        created: order.id % 2 ? new Date(placed).toISOString() : String(new Date(placed)),
        subtotal: six(order.subtotal),
        commission: six(order.commission),
      });
      return { orders: rows(found, query, { as }) };
    },
    affiliates(query) {
      const limit = Number(query.get('limit') ?? 50);
      const offset = Number(query.get('offset') ?? 0);
      const found = state.affiliates.filter(
        (one) =>
          (!query.get('email') || one.email === query.get('email')) &&
          (!query.get('ref_code') || one.ref_code === query.get('ref_code')),
      );
      return { affiliates: rows(found.slice(offset, offset + limit), query) };
    },
    traffic(query) {
      const since = Number(query.get('since_id') ?? 0);
      const limit = Math.min(Number(query.get('limit') ?? 50), 1000);
      const found = state.traffic.filter((visit) => visit.id > since).slice(0, limit);
      const as = (visit) => ({ ...visit, ip_address: '203.0.113.77', user_agent: 'Secret/1.0' });
      return { traffic: rows(found, query, { as, free: true }) };
    },
    transactions: (query) => paged('transactions', query),
    rewards: (query) => paged('rewards', query),
    webhooks: () => ({ webhooks: state.webhooks }),
  };
  const paged = (name, query) => {
    const offset = Number(query.get('offset') ?? 0);
    return { [name]: state[name].slice(offset, offset + Number(query.get('limit') ?? 50)) };
  };

  function make(body) {
    seen.creates++;
    const asked = JSON.parse(body);
    if (!asked.email) return [400, { error: 'email is required' }];
    if (state.affiliates.some((one) => one.email === asked.email))
      return [409, { error: 'an affiliate with this email exists' }];
    const id = 1 + Math.max(0, ...state.affiliates.map((one) => one.id));
    const ref_code = asked.ref_code ?? `made-up-${id}`;
    const { email, name, commission = null, status = 'approved', coupon = null } = asked;
    state.affiliates.push({ id, email, name, ref_code, ref_codes: [], coupon, coupons: [], commission, status });
    return [200, { affiliate_id: id }];
  }

  /** An order or an affiliate that somebody makes up; whoever asked to be told is told, as GoAffPro does. */
  async function madeUp(name, body) {
    const list = state[name];
    if (!['orders', 'affiliates'].includes(name)) return [404, { error: 'orders or affiliates' }];
    let told;
    try {
      told = JSON.parse(body || '{}');
    } catch {
      return [400, { error: 'no JSON' }];
    }
    const id = 1 + Math.max(name === 'orders' ? 1000 : 0, ...list.map((one) => one.id));
    const order = { id, number: `#${id}`, affiliate_id: 1, subtotal: 100, commission: 10, status: 'approved', at: Date.now() };
    const person = { id, email: '', name: `Affiliate ${id}`, ref_code: `ref-${id}`, ref_codes: [], coupon: null, coupons: [], commission: null, status: 'approved' };
    const made = { ...(name === 'orders' ? order : person), ...told, id };
    list.push(made);
    if (name === 'orders')
      await Promise.allSettled(state.webhooks.map(({ url }) => fetch(url, { method: 'POST', body: '{}', redirect: 'manual' })));
    return [201, made];
  }

  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const url = new URL(request.url, 'http://goaffpro');
    const path = url.pathname;
    const known = request.headers['x-goaffpro-access-token'];
    seen.requests.push(`${request.method} ${request.url}`);
    seen.tokens.add(known ?? '');
    const answer = (code, json, headers = {}) => {
      response.writeHead(code, { 'content-type': 'application/json', ...headers });
      response.end(typeof json === 'string' ? json : JSON.stringify(json));
    };
    const at = faults.findIndex((fault) => path.startsWith(fault.at));
    const fault = at < 0 ? undefined : faults.splice(at, 1)[0].fault;
    if (fault === 'reset') return response.destroy();
    if (fault === 'stall') return open.add(response);
    if (fault === 'html') return answer(200, '<html>maintenance</html>', { 'content-type': 'text/html' });
    if (fault === 'redirect') return answer(302, '', { location: state.elsewhere });
    if (fault === 'empty') return answer(200, { [path.split('/').pop()]: [{}, {}] });
    if (fault === 'wrong') return answer(200, { [path.split('/').pop()]: 7, orders: 'x' });
    if (fault === 'huge') {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{"orders":[');
      const chunk = `"${'x'.repeat(1024 * 1024)}",`;
      for (let megabytes = 0; megabytes < 100 && !response.destroyed; megabytes++)
        if (!response.write(chunk)) await new Promise((done) => response.once('drain', done).once('close', done));
      return response.end('""]}');
    }
    if (Array.isArray(fault)) return answer(fault[0], { error: 'slow down' }, { 'retry-after': fault[1] });
    if (typeof fault === 'number') return answer(fault, { error: 'fault' });
    const steered = lax && request.method === 'POST' && /^\/control\/([a-z]+)$/.exec(path)?.[1];
    if (steered) return answer(...(await madeUp(steered, body)));
    if (lax ? !known : known !== state.token) return answer(403, { error: 'invalid access token' });
    let told;
    if (path === '/v1/admin/store/config') {
      const keys = url.searchParams.get('keys')?.split(',') ?? [];
      told = [200, pick(state.config, keys)];
    } else {
      const name = /^\/v1\/admin\/([a-z]+)$/.exec(path)?.[1];
      if (state.missing[name]) told = [state.missing[name], 'Bad gateway'];
      else if (request.method === 'POST' && name === 'affiliates') told = make(body);
      else if (request.method === 'POST' && name === 'webhooks') {
        const hook = { id: state.webhooks.length + 1, ...JSON.parse(body) };
        state.webhooks.push(hook);
        told = [200, { id: hook.id }];
      } else if (request.method === 'GET' && lists[name]) told = [200, lists[name](url.searchParams, fault)];
      else told = [404, { error: 'not found' }];
    }
    const text = typeof told[1] === 'string' ? told[1] : JSON.stringify(told[1]);
    if (fault === 'after') return response.destroy();
    if (fault === 'truncated') return answer(told[0], text.slice(0, text.length / 2));
    if (fault === 'broken') {
      response.writeHead(told[0], { 'content-type': 'application/json', 'content-length': text.length });
      response.write(text.slice(0, text.length / 2));
      return setTimeout(() => response.destroy(), 20);
    }
    answer(told[0], text);
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    state,
    seen,
    /** What the next requests meet. */
    fail: (...next) => faults.push(...next.map((fault) => ({ at: '', fault }))),
    /** What the next requests below a path meet. */
    failAt: (at, ...next) => faults.push(...next.map((fault) => ({ at: `/v1/admin/${at}`, fault }))),
    heal: () => (faults = []),
    /** How often a path was asked for. */
    asked: (part) => seen.requests.filter((one) => one.includes(part)).length,
    stop: () => {
      for (const response of open) response.destroy();
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
