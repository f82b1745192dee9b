// Reads the part of TOML that wrangler.toml keeps to: tables, arrays of tables, and one value a
// line (strings, numbers, booleans, lists of them).
import { Failure } from './shell.mjs';

export function parseToml(source) {
  const document = {};
  let table = document;
  for (const line of source.split('\n').map((line) => line.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const header = /^(\[\[?)([\w.-]+)\]\]?$/.exec(line);
    const pair = /^([\w-]+)\s*=\s*(.+)$/.exec(line);
    if (header) table = openTable(document, header[2].split('.'), header[1] === '[[');
    else if (pair) table[pair[1]] = value(pair[2], line);
    else throw new Failure(`wrangler.toml: cannot read "${line}"`);
  }
  return document;
}

function openTable(document, path, inArray) {
  const name = path.pop();
  // Below an array of tables, its last table is meant.
  const parent = path.reduce((node, key) => [(node[key] ??= {})].flat().at(-1), document);
  if (!inArray) return (parent[name] ??= {});
  const table = {};
  (parent[name] ??= []).push(table);
  return table;
}

function value(source, line) {
  try {
    return JSON.parse(source);
  } catch {
    throw new Failure(`wrangler.toml: cannot read "${line}"`);
  }
}
