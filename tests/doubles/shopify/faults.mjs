// What goes wrong on demand. A fault is for one request (or `times` of them), of one operation if it names one:
//   'lost-before'   not done, the connection breaks       'throttled'     THROTTLED
//   'lost-after'    done, the connection breaks           'unauthorized'  401
//   'hang-after'    done, no answer until the end         'truncated'     done, half of the JSON
//   'hang'          not done, no answer                   'html'          not done, 200 with a page
//   429, 500, 502, 503, 404, 402, 423, …                 not done, that status (`retryAfter` in seconds)
//   'after-500' …   done, that status                    'internal'      not done, 200 with INTERNAL_SERVER_ERROR
// Operations are named as in the document; 'token' and 'bulk-file' are the two others.

const KNOWN =
  /^(lost-before|lost-after|hang-after|hang|throttled|unauthorized|truncated|html|internal|(after-)?[45]\d\d)$/;

export function addFaults(shop, faults) {
  for (const one of faults) {
    const fault = typeof one === 'object' ? { ...one } : { fault: one };
    fault.fault = String(fault.fault);
    if (!KNOWN.test(fault.fault)) throw new TypeError(`no fault: ${fault.fault}`);
    shop.faults.push({ times: 1, ...fault });
  }
}

/** The fault for a request, which it uses up. */
export function nextFault(shop, operation) {
  const at = shop.faults.findIndex((one) => !one.operation || one.operation === operation);
  if (at < 0) return undefined;
  const fault = shop.faults[at];
  if (--fault.times <= 0) shop.faults.splice(at, 1);
  return fault;
}

/**
 * Answers with a fault. `work` does what was asked for and answers { status, text, headers }; it is called or not
 * as the fault says. `open` keeps what hangs.
 */
export async function answerWith({ fault, retryAfter = 2 }, response, work, open) {
  if (fault === 'lost-before') return response.destroy();
  if (fault === 'hang') return open.add(response);
  if (fault === 'html')
    return send(response, 200, '<!doctype html><title>Oh no</title><p>Something went wrong.', 'text/html');
  if (fault === 'unauthorized') {
    const errors = '[API] Invalid API key or access token (unrecognized login or wrong password)';
    return send(response, 401, JSON.stringify({ errors }));
  }
  if (fault === 'internal') {
    const extensions = { code: 'INTERNAL_SERVER_ERROR', requestId: '0' };
    const message = 'Internal error. Looks like something went wrong on our end.\nRequest ID: 0';
    return send(response, 200, JSON.stringify({ errors: [{ message, extensions }] }));
  }
  if (/^\d/.test(fault)) {
    const headers = ['429', '503'].includes(fault) ? { 'retry-after': retryAfter.toFixed(1) } : {};
    return send(
      response,
      Number(fault),
      JSON.stringify({ errors: WORDS[fault] ?? 'Error' }),
      undefined,
      headers,
    );
  }
  const { text, status, headers } = await work();
  if (fault === 'lost-after') return response.destroy();
  if (fault === 'hang-after') return open.add(response);
  if (fault === 'truncated')
    return send(response, status, text.slice(0, Math.floor(text.length / 2)), undefined, headers);
  return send(
    response,
    Number(fault.replace('after-', '')),
    JSON.stringify({ errors: 'Internal Server Error' }),
  );
}

const WORDS = {
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  423: 'This shop is currently locked',
  429: 'Exceeded 2 calls per second for api client. Reduce request rates to resume uninterrupted service.',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
};

function send(response, status, text, type = 'application/json; charset=utf-8', headers = {}) {
  response.writeHead(status, { 'content-type': type, ...headers });
  response.end(text);
}
