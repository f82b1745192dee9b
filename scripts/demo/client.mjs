// Requests over a few connections that stay open. Plain node:http: fetch costs several times as much.
import { Agent, request as httpRequest } from 'node:http';
import { Failure } from '../lib/shell.mjs';

/** Calls to `origin`. `now` of a call is the time that a local build plays for it. */
export function client(origin, { connections = 32 } = {}) {
  const { hostname, port } = new URL(origin);
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  // The server listens on IPv4 only, and asking for the name costs time.
  const host = hostname === 'localhost' ? '127.0.0.1' : hostname;
  let sent = 0;

  function send(method, path, { headers = {}, body, now } = {}) {
    sent++;
    const all = { ...headers };
    if (now !== undefined) all['x-tributary-now'] = String(now);
    if (body !== undefined) all['content-length'] = Buffer.byteLength(body);
    return new Promise((resolve, reject) => {
      const outgoing = httpRequest({ host, port, method, path, headers: all, agent }, (incoming) => {
        const chunks = [];
        incoming.on('data', (chunk) => chunks.push(chunk));
        incoming.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({ status: incoming.statusCode, headers: incoming.headers, text });
        });
        incoming.on('error', reject);
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }

  /** A call of the JSON API; anything but success is a failure. */
  async function api(method, path, { token, json, ...more } = {}) {
    const headers = {};
    if (token) headers.authorization = `Bearer ${token}`;
    if (json !== undefined) headers['content-type'] = 'application/json';
    const body = json === undefined ? undefined : JSON.stringify(json);
    const answer = await send(method, path, { headers, body, ...more });
    if (answer.status >= 300) throw new Failure(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.text === '' ? null : JSON.parse(answer.text);
  }

  return { origin, send, api, sent: () => sent, close: () => agent.destroy() };
}

/** Runs `work` for every item, so many at a time, begun in the items' order. */
export async function inParallel(items, width, work) {
  let next = 0;
  const worker = async () => {
    while (next < items.length) await work(items[next], next++);
  };
  await Promise.all(Array.from({ length: width }, worker));
}
