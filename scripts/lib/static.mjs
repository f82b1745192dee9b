// Workers Static Assets for local runs: files of a folder, with their content types.
const TYPES = {
  css: 'text/css; charset=utf-8',
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  json: 'application/json',
  svg: 'image/svg+xml',
  woff2: 'font/woff2',
};

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    const type = TYPES[pathname.split('.').at(-1)];
    // The disk service answers a folder with a list of its files.
    if (type === undefined) return new Response(null, { status: 404 });
    const found = await env.DISK.fetch(`http://disk${pathname}`, { method: request.method });
    if (found.status !== 200) return new Response(null, { status: 404 });
    return new Response(found.body, { headers: { 'content-type': type } });
  },
};
