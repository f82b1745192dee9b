// PayPal's token and Payouts calls on loopback, as far as the product uses them. It keeps what it took,
// so that a test can count what was paid, and goes wrong on demand.
//
// Faults are for the next requests for a payment, one after the other:
//   'lost-before'   not taken, the connection breaks
//   'lost-after'    taken, the connection breaks
//   'hang-after'    taken, no answer until the test ends
//   'late'          taken, answered a second later
//   503             not taken
//   'after-503'     taken, answered 503
//   'refused'       VALIDATION_ERROR
//   'no-funds'      422 INSUFFICIENT_FUNDS
//   'expired'       401: the token isn't good any more
// Shapes by developer.paypal.com/docs/api/payments.payouts-batch/v1.
import { createServer } from 'node:http';

export async function startPaypal({ clientId = 'client', secret = 'hush' } = {}) {
  const batches = new Map();
  const seen = { tokens: 0, payments: 0, asked: 0, bodies: [] };
  const open = new Set();
  let faults = [];
  let status = 'PENDING';
  let issued = 0;
  const tokens = new Set();

  const shown = ({ id, reference, item, status }) => ({
    batch_header: {
      payout_batch_id: id,
      batch_status: status === 'PENDING' ? 'PENDING' : 'SUCCESS',
      sender_batch_header: { sender_batch_id: reference },
    },
    items: [{ payout_item_id: `I${id}`, payout_batch_id: id, transaction_status: status, payout_item: item }],
  });

  function pay(body) {
    const { sender_batch_header: header, items } = JSON.parse(body);
    const reference = header.sender_batch_id;
    const known = batches.get(reference);
    if (known) {
      const link = `${origin}/v1/payments/payouts/${known.id}`;
      const issue = 'Batch with given sender_batch_id already exists';
      // Not as documented: the batch is named by the detail, under `link`.
      const named = [{ href: link, rel: 'self', method: 'GET' }];
      const details = [{ field: 'SENDER_BATCH_ID', location: 'body', issue, link: named }];
      return [400, { name: 'USER_BUSINESS_ERROR', message: 'User business error.', details, links: [] }];
    }
    const batch = { id: `B${batches.size + 1}X`, reference, item: items[0], status };
    batches.set(reference, batch);
    const { items: _, ...created } = shown(batch);
    return [201, created];
  }

  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { pathname } = new URL(request.url, 'http://paypal');
    const answer = (code, json) => {
      response.writeHead(code, { 'content-type': 'application/json' });
      response.end(JSON.stringify(json));
    };
    const authorization = request.headers.authorization ?? '';
    if (pathname === '/v1/oauth2/token') {
      seen.tokens++;
      const good = `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}`;
      if (authorization !== good || body !== 'grant_type=client_credentials')
        return answer(401, { error: 'invalid_client' });
      const token = `A21.${++issued}`;
      tokens.add(token);
      return answer(200, { access_token: token, token_type: 'Bearer', expires_in: 32400 });
    }
    if (!tokens.has(authorization.replace('Bearer ', ''))) return answer(401, { error: 'invalid_token' });
    if (request.method === 'POST' && pathname === '/v1/payments/payouts') {
      seen.payments++;
      seen.bodies.push(body);
      const fault = faults.shift();
      if (fault === 'lost-before') return response.destroy();
      if (fault === 503) return answer(503, { name: 'SERVICE_UNAVAILABLE' });
      if (fault === 'refused') return answer(400, { name: 'VALIDATION_ERROR', message: body });
      if (fault === 'no-funds') return answer(422, { name: 'INSUFFICIENT_FUNDS' });
      if (fault === 'expired') {
        tokens.clear();
        return answer(401, { error: 'invalid_token' });
      }
      const [code, json] = pay(body);
      if (fault === 'lost-after') return response.destroy();
      if (fault === 'after-503') return answer(503, { name: 'INTERNAL_SERVICE_ERROR' });
      if (fault === 'hang-after') return open.add(response);
      if (fault === 'late') await new Promise((resolve) => setTimeout(resolve, 1000));
      return answer(code, json);
    }
    const id = /^\/v1\/payments\/payouts\/([A-Z0-9]+)$/.exec(pathname)?.[1];
    seen.asked++;
    const found = [...batches.values()].find((batch) => batch.id === id);
    return found ? answer(200, shown(found)) : answer(404, { name: 'RESOURCE_NOT_FOUND' });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${server.address().port}`;
  return {
    origin,
    seen,
    batches,
    /** What was paid to each address and didn't come back. */
    paid: () => {
      const back = ['FAILED', 'RETURNED', 'REFUNDED', 'REVERSED'];
      const kept = [...batches.values()].filter(({ status }) => !back.includes(status));
      return kept.map(({ item }) => `${item.receiver} ${item.amount.value} ${item.amount.currency}`);
    },
    fail: (...next) => (faults = next),
    /** What every payment is told to be from now on. */
    settle: (told) => {
      status = told;
      for (const batch of batches.values()) batch.status = told;
    },
    stop: () => {
      for (const response of open) response.destroy();
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
