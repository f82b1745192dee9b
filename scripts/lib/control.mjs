// Runs in workerd beside the product, in local runs only: lets the scripts reach D1 and fire crons.
export default {
  async fetch(request, env) {
    if (request.headers.get('authorization') !== `Bearer ${env.TOKEN}`) {
      return Response.json({ error: 'unauthorized' }, { status: 401 });
    }
    try {
      const body = await request.json();
      const { pathname } = new URL(request.url);
      if (pathname === '/d1')
        return Response.json(await env.DB.batch(body.map((sql) => env.DB.prepare(sql))));
      if (pathname === '/cron') return Response.json(await fire(env, body));
      if (pathname === '/fault')
        return await env.GATE.fetch('http://gate/', { method: 'POST', body: JSON.stringify(body) });
      return Response.json({ error: 'not found' }, { status: 404 });
    } catch (error) {
      return Response.json({ error: String(error.message ?? error) }, { status: 500 });
    }
  },
};

async function fire(env, { cron = '* * * * *', time = Date.now() }) {
  const { outcome } = await env.MAIN.scheduled({ cron, scheduledTime: new Date(time) });
  return { outcome };
}
