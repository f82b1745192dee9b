// Cloudflare's custom hostnames on loopback, as far as the product uses them
// (developers.cloudflare.com/api/resources/custom_hostnames). A hostname is pending until it was asked about
// `polls` times, or for ever if `polls` is null; `set` says what is told of it.
//
// Faults are for the next requests, one after the other: 'lost-before' and 'lost-after' break the
// connection before and after it was done, 'hang-after' answers when the double ends; a number is a status.
import { createServer } from 'node:http';

export async function startCloudflare({ zone = '0123456789abcdef0123456789abcdef', token = 'cf-token', polls = null } = {}) {
  const hostnames = new Map();
  const seen = [];
  const open = new Set();
  let faults = [];
  let made = 0;

  const told = (result) => ({ success: true, errors: [], messages: [], result });
  const wrong = (code, message) => ({ success: false, errors: [{ code, message }], messages: [], result: null });
  const fresh = (hostname) => ({
    id: `0d89c70d-ad9f-4843-b99f-${String(++made).padStart(12, '0')}`,
    hostname,
    status: 'pending',
    created_at: new Date().toISOString(),
    ssl: { method: 'http', type: 'dv', status: 'initializing', validation_errors: [], validation_records: [] },
    verification_errors: [
      'None of the A or AAAA records are owned by this account and the pre-generated ownership verification token was not found.',
    ],
    ownership_verification: { type: 'txt', name: `_cf-custom-hostname.${hostname}`, value: '5cc07c04-ea62-4a5a-95f0-419334a875a4' },
  });
  const activate = (one) => Object.assign(one, { status: 'active', verification_errors: [], ssl: { ...one.ssl, status: 'active' } });

  function answer(method, id, query, body) {
    const one = [...hostnames.values()].find((known) => known.id === id);
    if (method === 'GET' && !id) return [200, told([...hostnames.values()].filter(({ hostname }) => hostname.includes(query.get('hostname'))))];
    if (method === 'POST' && !id) {
      if (hostnames.has(body.hostname)) return [409, wrong(1406, 'Duplicate custom hostname found.')];
      hostnames.set(body.hostname, { ...fresh(body.hostname), asked: 0 });
      return [201, told(hostnames.get(body.hostname))];
    }
    if (!one) return [404, wrong(1436, 'The custom hostname was not found.')];
    if (method === 'GET') {
      one.asked += 1;
      if (polls !== null && one.asked >= polls && one.status === 'pending') activate(one);
      return [200, told(one)];
    }
    if (method === 'PATCH') return [200, told(Object.assign(one, { status: 'pending', ssl: { ...one.ssl, status: 'initializing' } }))];
    if (method === 'DELETE') {
      hostnames.delete(one.hostname);
      return [200, { id }];
    }
    return [405, wrong(10000, 'Method not allowed.')];
  }

  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const url = new URL(request.url, 'http://cloudflare');
    const [, at, id] = /^\/zones\/([^/]+)\/custom_hostnames(?:\/([^/]+))?$/.exec(url.pathname) ?? [];
    const send = (status, json) => {
      response.writeHead(status, { 'content-type': 'application/json', ...(status === 429 && { 'retry-after': '1' }) });
      response.end(JSON.stringify(json));
    };
    if (request.headers.authorization !== `Bearer ${token}`) return send(403, wrong(10000, 'Authentication error'));
    if (at !== zone) return send(404, wrong(7003, 'Could not route to this zone.'));
    seen.push(`${request.method} ${id ? 'one' : url.search}`);
    const fault = faults.shift();
    if (fault === 'lost-before') return request.socket.destroy();
    if (typeof fault === 'number') return send(fault, wrong(fault, 'something went wrong'));
    const done = answer(request.method, id, url.searchParams, text && JSON.parse(text));
    if (fault === 'lost-after') return request.socket.destroy();
    if (fault === 'hang-after') return open.add(response);
    send(...done);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    zone,
    token,
    origin: `http://127.0.0.1:${server.address().port}`,
    /** What was asked, since it was last looked at. */
    seen: () => seen.splice(0),
    hosts: () => [...hostnames.keys()],
    activate: (host) => activate(hostnames.get(host)),
    set: (host, more) => Object.assign(hostnames.get(host), more),
    fail: (...next) => (faults = next),
    stop: () => {
      for (const response of open) response.destroy();
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
