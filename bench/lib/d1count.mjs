// Stands between the product and D1: sums calls, statements, rows read and written, and the time until D1 answered.
import { WorkerEntrypoint } from 'cloudflare:workers';

const NOTHING = { calls: 0, statements: 0, rows_read: 0, rows_written: 0, ms: 0 };
let sums = { ...NOTHING };

function add(results) {
  sums.calls++;
  for (const { meta } of [results].flat()) {
    sums.statements++;
    sums.rows_read += meta?.rows_read ?? 0;
    sums.rows_written += meta?.rows_written ?? 0;
  }
}

export default class extends WorkerEntrypoint {
  async query(question) {
    const start = performance.now();
    const answer = await this.env.D1.query(question);
    sums.ms += performance.now() - start;
    add(answer.results ?? []);
    return answer;
  }

  async fetch(request) {
    if (new URL(request.url).pathname === '/__sums') {
      const before = sums;
      sums = { ...NOTHING };
      return Response.json(before);
    }
    const start = performance.now();
    const answer = await this.env.D1.fetch(request);
    const text = await answer.text();
    sums.ms += performance.now() - start;
    add(JSON.parse(text));
    return new Response(text, answer);
  }
}
