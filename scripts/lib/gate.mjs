// Stands between the product and D1 when a test asks for it, and breaks what passes on demand.
//
//   { mode: 'open' }              everything passes
//   { mode: 'away' }              D1 can't be reached
//   { mode: 'slow', ms }          it answers late
//   { mode: 'before', call: n }   the n-th call from now never reaches it
//   { mode: 'after', call: n }    the n-th call is done, but its answer is lost
//   { mode: 'hold', call: n }     the n-th call is done, but nobody is answered until the plug is pulled
//   { mode: 'count' }             everything passes, and its rows are counted
const nothing = () => ({ calls: 0, rows_read: 0, rows_written: 0 });
let fault = { mode: 'open' };
let sums = nothing();

function add(text) {
  for (const { meta } of [JSON.parse(text)].flat()) {
    sums.rows_read += meta?.rows_read ?? 0;
    sums.rows_written += meta?.rows_written ?? 0;
  }
}

export default {
  async fetch(request, env) {
    if (new URL(request.url).hostname === 'gate') {
      const seen = sums;
      [fault, sums] = [await request.json(), nothing()];
      return Response.json(seen);
    }
    sums.calls++;
    const { mode, call, ms } = fault;
    const hit = sums.calls === call;
    if (mode === 'away' || (mode === 'before' && hit)) throw new Error('Network connection lost.');
    if (mode === 'slow') await new Promise((resolve) => setTimeout(resolve, ms));
    const answer = await env.D1.fetch(request);
    if (mode === 'hold' && hit) {
      await answer.arrayBuffer();
      await new Promise((resolve) => setTimeout(resolve, 3_600_000));
    }
    if (mode === 'count') {
      const text = await answer.text();
      add(text);
      return new Response(text, answer);
    }
    if (mode !== 'after' || !hit) return answer;
    await answer.arrayBuffer();
    throw new Error('Network connection lost.');
  },
};
