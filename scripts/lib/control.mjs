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
      if (pathname === '/attempts') return Response.json(await attempts(env, body));
      if (pathname === '/mail')
        return await env.MAIL.fetch('http://mail/', { method: 'POST', body: JSON.stringify(body) });
      if (pathname === '/mail-event') {
        await env.MAIL_EVENTS.send(body);
        return Response.json({});
      }
      if (pathname === '/email') return Response.json(await email(env, body));
      return Response.json({ error: 'not found' }, { status: 404 });
    } catch (error) {
      return Response.json({ error: String(error.message ?? error) }, { status: 500 });
    }
  },
};

/** Many attempts of one subject at once: what its object answered to each. */
function attempts(env, { subject, question, times }) {
  const object = env.ATTEMPTS.getByName(subject);
  const one = () => object.fetch('http://object/', { method: 'POST', body: question });
  return Promise.all(Array.from({ length: times }, async () => (await one()).text()));
}

/** Hands the product a mail that came to `to`, as Email Routing does; answers why it was rejected, if it was. */
async function email(env, { from, to, raw }) {
  let rejected = null;
  const bytes = new TextEncoder().encode(raw);
  const setReject = (reason) => {
    rejected = reason;
  };
  const { readable, writable } = new FixedLengthStream(bytes.length);
  const writer = writable.getWriter();
  const written = writer.write(bytes).then(() => writer.close());
  const message = { from, to, raw: readable, rawSize: bytes.length, headers: new Headers(), setReject };
  await env.MAIN.email(message);
  await Promise.race([written.catch(() => {}), new Promise((done) => setTimeout(done, 100))]);
  return { rejected };
}

async function fire(env, { cron = '* * * * *', time = Date.now() }) {
  const { outcome } = await env.MAIN.scheduled({ cron, scheduledTime: new Date(time) });
  return { outcome };
}
