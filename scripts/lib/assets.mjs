// The static assets of a build, as they are deployed: build.rs gives the worker the same names.
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, parse } from 'node:path';
import { root } from './shell.mjs';

/** Writes them to `folder`, which holds nothing else. */
export function writeAssets(folder) {
  const from = join(root, 'static');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'assets'), { recursive: true });
  cpSync(join(from, 'pages'), join(folder, 'pages'), { recursive: true });
  const document = JSON.parse(readFileSync(join(root, 'openapi.json'), 'utf8'));
  writeFileSync(join(folder, 'openapi.json'), JSON.stringify(document));
  for (const name of readdirSync(join(from, 'snippet'))) {
    const content = readFileSync(join(from, 'snippet', name));
    const to = join(folder, 'snippet', parse(name).name);
    mkdirSync(to, { recursive: true });
    writeFileSync(join(to, `${createHash('sha256').update(content).digest('hex').slice(0, 16)}.js`), content);
  }
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const content = readFileSync(join(from, entry.name));
    const hash = createHash('sha256').update(content).digest('hex').slice(0, 10);
    const { name, ext } = parse(entry.name);
    writeFileSync(join(folder, 'assets', `${name}.${hash}${ext}`), content);
  }
}
