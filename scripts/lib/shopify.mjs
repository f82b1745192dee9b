// Platforms on a laptop: the doubles of Shopify and GoAffPro (tests/doubles), each in a process beside the server.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { node22 } from './setup.mjs';
import { Failure, root } from './shell.mjs';

/**
 * Starts one on a port and answers its origin and how to stop it; it ends with this process, however that ends.
 * What Shopify's shops have is kept in `file`, if one is named.
 */
export async function startDouble(port, platform = 'shopify', file = undefined) {
  const script = join(root, `tests/doubles/${platform}/main.mjs`);
  const kept = file ? ['--state', file] : [];
  const child = spawn(node22(), [script, '--open', '--attached', '--port', String(port), ...kept], {
    // It ends when its stdin does, which only this process holds open.
    stdio: ['pipe', 'pipe', 'inherit'],
    // Out of reach of a terminal's Ctrl-C: who started it ends it, in order.
    detached: true,
  });
  const exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));
  const origin = await new Promise((resolve, reject) => {
    exited.then((how) => reject(new Failure(`The double of ${platform} ended while starting (${how}).`)));
    child.once('error', reject);
    let text = '';
    child.stdout.on('data', (data) => {
      text += data;
      const ready = /^ready (\S+)$/m.exec(text);
      if (ready) resolve(ready[1]);
    });
  });
  // From here on the caller may end without stopping.
  for (const one of [child, child.stdin, child.stdout]) one.unref();
  const stop = async () => {
    child.ref();
    child.kill('SIGTERM');
    await exited;
  };
  return { origin, exited, stop };
}
