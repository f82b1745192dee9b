// Loads the demo programme into a running local server, as npm start does with an empty one:
// node scripts/demo.mjs [--scale 0.02] [--origin http://localhost:8787] [--shopify http://127.0.0.1:8788]
// --shopify: the double of Shopify that the server reaches; without it the demo's shop stays unconnected.
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { loadDemo } from './demo/programme.mjs';
import { secrets } from './lib/secrets.mjs';
import { Failure, main, root } from './lib/shell.mjs';

main(async () => {
  const { values } = parseArgs({
    options: { origin: { type: 'string' }, shopify: { type: 'string' }, scale: { type: 'string', default: '1' } },
  });
  const scale = Number(values.scale);
  if (!(scale > 0 && scale <= 1)) throw new Failure(`--scale is not above 0 and at most 1: ${values.scale}`);
  const origin = values.origin ?? `http://localhost:${process.env.PORT || 8787}`;
  const operatorToken = process.env.OPERATOR_TOKEN || secrets(join(root, '.dev.vars')).OPERATOR_TOKEN;
  const state = resolve(process.env.STATE_DIR || join(root, '.state'));
  await loadDemo({ origin, shopify: values.shopify, operatorToken, scale, state });
});
