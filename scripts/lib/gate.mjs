// Stands between the product and D1 when a test asks for it, and breaks what passes on demand.
//
//   { mode: 'open' }              everything passes
//   { mode: 'away' }              D1 can't be reached
//   { mode: 'slow', ms }          it answers late
//   { mode: 'before', call: n }   the n-th call from now never reaches it
//   { mode: 'after', call: n }    the n-th call is done, but its answer is lost
//   { mode: 'hold', call: n }     the n-th call is done, but nobody is answered until the plug is pulled
let fault = { mode: 'open' };
let calls = 0;

export default {
  async fetch(request, env) {
    if (new URL(request.url).hostname === 'gate') {
      const seen = calls;
      [fault, calls] = [await request.json(), 0];
      return Response.json({ calls: seen });
    }
    calls++;
    const { mode, call, ms } = fault;
    const hit = calls === call;
    if (mode === 'away' || (mode === 'before' && hit)) throw new Error('Network connection lost.');
    if (mode === 'slow') await new Promise((resolve) => setTimeout(resolve, ms));
    const answer = await env.D1.fetch(request);
    if (mode === 'hold' && hit) {
      await answer.arrayBuffer();
      await new Promise((resolve) => setTimeout(resolve, 3_600_000));
    }
    if (mode !== 'after' || !hit) return answer;
    await answer.arrayBuffer();
    throw new Error('Network connection lost.');
  },
};
