// npm run fuzz -- <target> --seconds 600 --seed 7 --keep: one target for longer; --keep adds to its corpus.
import { parseArgs } from 'node:util';
import { buildFuzz, fuzz, targets } from './lib/fuzz.mjs';
import { Failure, main, say } from './lib/shell.mjs';

main(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '60' },
      seed: { type: 'string', default: String((Date.now() % 1_000_000) + 1) },
      keep: { type: 'boolean', default: false },
    },
  });
  const known = targets();
  const wrong = positionals.find((name) => !known.includes(name));
  if (wrong) throw new Failure(`There is no target ${wrong}: there are ${known.join(', ')}.`);
  const built = await buildFuzz();
  say(`seed ${values.seed}`);
  const { seconds, seed, keep } = values;
  for (const name of positionals.length > 0 ? positionals : known)
    await fuzz(built, name, { seconds, seed, keep });
});
