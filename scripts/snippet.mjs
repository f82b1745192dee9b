// npm run snippet: makes of storefront/snippet.js what is served and the asset of the theme app extension.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from 'esbuild';
import { main, root, say } from './lib/shell.mjs';

/**
 * What shops embedded stays as it is, for they name its hash: once a version was released, a change of
 * storefront/snippet.js is another one, beside it.
 */
const VERSION = 1;

/** Where it goes, under the repository. */
export const PLACES = [
  `static/snippet/v${VERSION}.js`,
  'storefront/extensions/tributary-click/assets/tributary-click.js',
];

/** What is served, made from what people read. */
export function minified() {
  const source = readFileSync(join(root, 'storefront/snippet.js'), 'utf8');
  return transformSync(source, { minify: true, target: 'es2020' }).code.trim();
}

if (process.argv[1] === import.meta.filename) {
  main(async () => {
    const code = minified();
    for (const place of PLACES) writeFileSync(join(root, place), code);
    say(`${code.length} bytes: ${PLACES.join(', ')}`);
  });
}
