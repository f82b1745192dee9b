// A server that is told events, as a brand would run one: it verifies what it gets by the text of
// https://www.standardwebhooks.com with nothing of ours, and fails, stalls or redirects when it is told to.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

/** Whether one of the signatures of a message is that of `secret`, made within five minutes. */
export function verifies(secret, { headers, body }) {
  const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signatures } = headers;
  if (!(Math.abs(Date.now() / 1000 - Number(at)) < 300)) return false;
  return signs(secret, { id, at, body, signatures });
}

export function signs(secret, { id, at, body, signatures }) {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const wanted = createHmac('sha256', key).update(`${id}.${at}.${body}`).digest();
  return signatures
    .split(' ')
    .filter((one) => one.startsWith('v1,'))
    .map((one) => Buffer.from(one.slice(3), 'base64'))
    .some((mac) => mac.length === wanted.length && timingSafeEqual(mac, wanted));
}

/** Listens on a free port of loopback; `answer(request)` tells the status of each, or nothing to stall. */
export async function receiver() {
  const got = [];
  const double = { got, answer: () => 200, headers: {} };
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const message = { path: request.url, headers: request.headers, body, json: JSON.parse(body || 'null') };
    got.push(message);
    const status = await double.answer(message);
    if (!status) return;
    response.writeHead(status, double.headers);
    // More than anybody should read.
    response.end('x'.repeat(200_000));
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  double.origin = `http://127.0.0.1:${server.address().port}`;
  double.stop = () => {
    server.closeAllConnections();
    return new Promise((done) => server.close(done));
  };
  double.types = () => got.map(({ json }) => json.type);
  return double;
}
