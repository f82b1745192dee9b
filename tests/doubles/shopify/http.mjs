// What every part of the double needs of HTTP.

const MAX_BODY = 4 * 1024 * 1024;

export async function readBody(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MAX_BODY) throw new Refusal(413, 'Request entity too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The fields of a JSON or form body, whatever its type says. */
export function fields(request, body) {
  const type = request.headers['content-type'] ?? '';
  if (body === '') return {};
  if (type.includes('form-urlencoded')) return Object.fromEntries(new URLSearchParams(body));
  try {
    const json = JSON.parse(body);
    if (json !== null && typeof json === 'object') return json;
  } catch {
    // Said below.
  }
  throw new Refusal(400, 'The body is neither a JSON object nor a form.');
}

export function json(response, status, value, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers });
  response.end(JSON.stringify(value));
}

export function html(response, status, text, headers = {}) {
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', ...headers });
  response.end(text);
}

export function redirect(response, location, headers = {}) {
  response.writeHead(302, { location, ...headers });
  response.end();
}

export const escape = (text) => String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** What is answered as an error, with its words. */
export class Refusal extends Error {
  constructor(status, words) {
    super(words);
    this.status = status;
  }
}
