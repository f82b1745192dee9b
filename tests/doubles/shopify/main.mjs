// The double as a program: `node tests/doubles/shopify/main.mjs [--port 4000] [--open] [--attached] [--state file]`.
// Prints `ready http://127.0.0.1:<port>`; with --attached it ends when its stdin does.
import { startShopify } from './index.mjs';

const option = (name) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : process.argv[at + 1];
};
const shopify = await startShopify({
  port: Number(option('port') ?? 0),
  open: process.argv.includes('--open'),
  state: option('state'),
});
process.stdout.write(`ready ${shopify.origin}\n`);

const stop = async () => {
  await shopify.stop();
  process.exit(0);
};
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
if (process.argv.includes('--attached')) process.stdin.resume().on('end', stop).on('close', stop);
