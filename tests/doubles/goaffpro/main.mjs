// The double as a program: `node tests/doubles/goaffpro/main.mjs [--port 4000] [--attached]`. It lets in any token and
// has two affiliates; POST /control/orders {"affiliate_id": 1, "subtotal": 120} places an order.
// Prints `ready http://127.0.0.1:<port>`; with --attached it ends when its stdin does.
import { startGoaffpro } from './index.mjs';

const at = process.argv.indexOf('--port');
const goaffpro = await startGoaffpro({ port: at < 0 ? 0 : Number(process.argv[at + 1]), open: true });
for (const [id, name] of [[1, 'Mara'], [2, 'Jonas']])
  goaffpro.state.affiliates.push({
    ...{ id, name, email: `${name.toLowerCase()}@people.example`, ref_code: name.toLowerCase(), ref_codes: [] },
    ...{ coupon: null, coupons: [], commission: null, status: 'approved' },
  });
process.stdout.write(`ready ${goaffpro.origin}\n`);

const stop = async () => {
  await goaffpro.stop();
  process.exit(0);
};
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
if (process.argv.includes('--attached')) process.stdin.resume().on('end', stop).on('close', stop);
