// The worker's entry, bundled around what worker-build makes. Its shim wraps every request in proxies
// that notice a panic; here the same is done by hand, and visits of known links need no promise.
import Shim, { Attempts, ClickCounter } from 'shim';

const { fetch, visit } = Shim.prototype;
const state = globalThis.__worker_init_state;

export { Attempts, ClickCounter };

export default {
  fetch(request, env, ctx) {
    // After a panic the shim makes a new instance of the module.
    if (state.criticalError) return new Shim(ctx, env).fetch(request);
    try {
      return visit(request, ctx) ?? fetch.call({ env, ctx }, request);
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError) {
        console.error('Critical', error);
        state.criticalError = true;
      }
      throw error;
    }
  },
  email: (message, env, ctx) => new Shim(ctx, env).email(message),
  queue: (batch, env, ctx) => new Shim(ctx, env).queue(batch),
  scheduled: (event, env, ctx) => new Shim(ctx, env).scheduled(event),
};
