// npm run build -- <variant>: release (default), local or canary.
import { build } from './lib/build.mjs';
import { setup } from './lib/setup.mjs';
import { main, say } from './lib/shell.mjs';

main(async () => {
  await setup();
  say(`built ${await build(process.argv[2] ?? 'release')}`);
});
