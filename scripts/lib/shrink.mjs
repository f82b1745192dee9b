// What makes the compiled module smaller after wasm-opt, and nothing else of it different:
//
// - Exports that the bundle doesn't name can't be called: they go, with what only they reach (classes
//   of workers-rs that we don't use).
// - Functions get an order that compresses well. Deflate sees only the last 32 kB, so that functions
//   which resemble each other must stand near each other: 30 kB of 450.
import { Buffer } from 'node:buffer';

/** What deflate looks back to. */
const WINDOW = 32_000;
/** Functions resemble each other by the runs of so many bytes that they have in common. */
const RUN = 6;
/** Runs that more functions than this have tell nothing about any of them. */
const TOO_COMMON = 100;
/** Added to each length: short functions would win by a single run otherwise. */
const LEAST_LENGTH = 20;

const IMPORTS = 2;
const EXPORTS = 7;
const CODE = 10;
const FUNCTION = 0;
const TAG = 4;
const FUNCTION_NAMES = 1;

/** For wasm-metadce: what may be reached from outside are the exports that the bundle names. */
export function graph(module, bundle) {
  const { exported } = read(module);
  const called = exported.filter((name) => bundle.includes(name));
  const nodes = called.map((name) => ({ name: `export ${name}`, export: name }));
  return [{ name: 'outside', root: true, reaches: nodes.map(({ name }) => name) }, ...nodes];
}

/**
 * The module with names for its functions: sorted by them (wasm-opt's `--reorder-functions-by-name`),
 * those that resemble each other stand side by side.
 */
export function withNamesInOrder(module) {
  const { imported, bodies } = read(module);
  const names = [];
  similarTogether(bodies).forEach((index, place) => {
    names[index] = Buffer.from(String(place).padStart(6, '0'));
  });
  const entries = names.flatMap((name, index) => [leb(imported + index), leb(name.length), name]);
  const map = Buffer.concat([leb(names.length), ...entries]);
  const title = Buffer.from('name');
  const content = Buffer.concat([leb(title.length), title, leb(FUNCTION_NAMES), leb(map.length), map]);
  return Buffer.concat([module, leb(0), leb(content.length), content]);
}

/** How many functions a module imports, what it exports, and the bytes of each of its functions. */
function read(module) {
  let at = 8;
  const number = () => {
    let [value, factor, byte] = [0, 1, 128];
    while (byte > 127) {
      byte = module[at++];
      value += (byte & 127) * factor;
      factor *= 128;
    }
    return value;
  };
  const bytes = () => {
    const length = number();
    return module.subarray(at, (at += length));
  };
  const found = { imported: 0, exported: [], bodies: [] };
  const readers = {
    [IMPORTS]: () => {
      bytes(); // of which module
      bytes(); // by which name
      const kind = number();
      if (kind === TAG) number();
      else if (kind === FUNCTION) found.imported++;
      else throw new Error(`an import of kind ${kind}, where functions and tags were expected`);
      number(); // its type
    },
    [EXPORTS]: () => {
      found.exported.push(bytes().toString());
      number(); // its kind
      number(); // its index
    },
    [CODE]: () => found.bodies.push(bytes()),
  };
  while (at < module.length) {
    const reader = readers[number()];
    const end = number() + at;
    if (reader) for (let left = number(); left > 0; left--) reader();
    at = end;
  }
  return found;
}

/** The order: the next one is always the one of which the window already has the largest share. */
function similarTogether(bodies) {
  const runs = tellingRuns(bodies);
  const having = new Map(); // the bodies that have a run
  runs.forEach((own, body) => own.forEach((run) => push(having, run, body)));
  const times = new Map(); // how often the window has a run
  const seen = new Float64Array(bodies.length); // how many of a body's runs the window has
  const count = (body, difference) => {
    for (const run of runs[body]) {
      const before = times.get(run) ?? 0;
      times.set(run, before + difference);
      const changed = before === 0 || before + difference === 0;
      if (changed) for (const other of having.get(run)) seen[other] += difference;
    }
  };
  const left = new Set(bodies.keys());
  const order = [];
  let [first, size] = [0, 0];
  while (left.size > 0) {
    const next = nearest(left, seen, bodies);
    left.delete(next);
    order.push(next);
    size += bodies[next].length;
    count(next, 1);
    while (size > WINDOW && first < order.length - 1) {
      size -= bodies[order[first]].length;
      count(order[first++], -1);
    }
  }
  return order;
}

function nearest(left, seen, bodies) {
  let [best, most] = [undefined, -1];
  for (const body of left) {
    const share = seen[body] / (bodies[body].length + LEAST_LENGTH);
    if (share > most) [best, most] = [body, share];
  }
  return best;
}

/** Of each body the runs that it has in common with a few others. */
function tellingRuns(bodies) {
  const all = bodies.map((body) => {
    const own = new Set();
    for (let at = 0; at + RUN <= body.length; at++) own.add(body.readUIntBE(at, RUN));
    return own;
  });
  const times = new Map();
  for (const own of all) for (const run of own) times.set(run, (times.get(run) ?? 0) + 1);
  const tells = (run) => times.get(run) > 1 && times.get(run) <= TOO_COMMON;
  return all.map((own) => [...own].filter(tells));
}

function push(lists, key, value) {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

function leb(value) {
  const bytes = [];
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
  return Buffer.from([...bytes, value]);
}
