// Cloudflare's rate limiter for local runs: what a key may ask in each period of the clock.
import { WorkerEntrypoint } from 'cloudflare:workers';

const counts = new Map();
let period = 0;

export class Limiter extends WorkerEntrypoint {
  limit({ key }) {
    const { limit, period: seconds } = this.env.SIMPLE;
    const now = Math.floor(Date.now() / (seconds * 1000));
    if (now !== period) counts.clear();
    period = now;
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    return { success: count <= limit };
  }
}

export default {};
