// The data centre's cache for local runs: what workerd's Cache API asks, answered from memory.
const LIMIT = 10_000;
const entries = new Map();

export default {
  async fetch(request) {
    if (request.method === 'PUT') return put(request);
    if (request.method === 'PURGE')
      return new Response(null, { status: entries.delete(request.url) ? 200 : 404 });
    const entry = entries.get(request.url);
    if (entry === undefined || entry.expires <= Date.now()) {
      entries.delete(request.url);
      return new Response(null, { status: 504, headers: { 'CF-Cache-Status': 'MISS' } });
    }
    const headers = new Headers(entry.headers);
    headers.set('CF-Cache-Status', 'HIT');
    return new Response(entry.body, { status: entry.status, headers });
  },
};

/** The body of a PUT is the response to keep, as it would stand on the wire. */
async function put(request) {
  const bytes = new Uint8Array(await request.arrayBuffer());
  const wire = new TextDecoder('latin1').decode(bytes);
  const end = wire.indexOf('\r\n\r\n');
  const [status, ...lines] = wire.slice(0, end).split('\r\n');
  const headers = lines.map((line) => [
    line.slice(0, line.indexOf(':')),
    line.slice(line.indexOf(':') + 1).trim(),
  ]);
  const control = new Headers(headers).get('Cache-Control') ?? '';
  const seconds = Number(/(?:s-maxage|max-age)=(\d+)/.exec(control)?.[1] ?? 0);
  if (/no-store|private/.test(control) || seconds === 0) return new Response(null, { status: 413 });
  if (entries.size >= LIMIT) entries.delete(entries.keys().next().value);
  entries.set(request.url, {
    status: Number(status.split(' ')[1]),
    headers,
    body: bytes.slice(end + 4),
    expires: Date.now() + seconds * 1000,
  });
  return new Response(null, { status: 204 });
}
