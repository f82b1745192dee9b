// A bulk query: everything that its connections lead to, as JSON lines. Children come in lines of their own behind
// their parent, with `__parentId`.
import {
  getNamedType,
  isObjectType,
  Kind,
  parse,
  validate,
  visit,
  visitWithTypeInfo,
  TypeInfo,
  getNullableType,
  isListType,
} from 'graphql';
import { run } from './graphql.mjs';
import { gid, utc } from './values.mjs';
import { isConnection, shopifySchema } from './schema.mjs';

const PAGE = 100;
const KEPT_FILES = 10;

/** Why Shopify wouldn't run it: its own words. */
export function refusals(query) {
  const { schema } = shopifySchema();
  let document;
  try {
    document = parse(query);
  } catch (error) {
    return [`Invalid bulk query: ${error.message}`];
  }
  const operations = document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  if (operations.length !== 1 || operations[0].operation !== 'query')
    return ['Bulk queries must contain exactly one query operation.'];
  if (operations[0].variableDefinitions?.length > 0) return ['Bulk queries cannot contain variables.'];
  const errors = validate(schema, document);
  if (errors.length > 0) return errors.map(({ message }) => `Invalid bulk query: ${message}`);
  return shapeErrors(schema, document);
}

function shapeErrors(schema, document) {
  const errors = new Set();
  const types = new TypeInfo(schema);
  let [connections, depth, lists] = [0, 0, 0];
  const kindOf = () => {
    const type = getNullableType(types.getType());
    const named = getNamedType(type);
    if (isObjectType(named) && isConnection(named)) return 'connection';
    const isList = isListType(type) && isObjectType(named);
    // A connection's own lists are no lists.
    return isList && !/Connection$/.test(types.getParentType().name) ? 'list' : 'other';
  };
  const enter = (node) => {
    if (
      depth === 0 &&
      ['node', 'nodes'].includes(node.name.value) &&
      types.getParentType() === schema.getQueryType()
    )
      errors.add('Bulk queries cannot contain a top level `node` or `nodes` field.');
    const kind = kindOf();
    if (kind === 'list') lists++;
    if (kind !== 'connection') return;
    connections++;
    depth++;
    if (lists > 0)
      errors.add('Queries that contain a connection field within a list field are not currently supported.');
    if (depth > 2) errors.add('Bulk queries cannot contain connections with a nesting depth greater than 2.');
  };
  const leave = () => {
    const kind = kindOf();
    if (kind === 'list') lists--;
    if (kind === 'connection') depth--;
  };
  visit(document, visitWithTypeInfo(types, { Field: { enter, leave } }));
  if (connections === 0) errors.add('Bulk queries must contain at least one connection.');
  if (connections > 5) errors.add('Bulk queries cannot contain more than 5 connections.');
  for (const name of withoutParentId(schema, document)) {
    const rule =
      "The parent 'node' field for a nested connection must select the 'id' field without an alias";
    errors.add(`${rule} and must be of 'ID' return type. Connection fields without 'id': ${name}.`);
  }
  return [...errors];
}

/** Nodes that have a connection and don't ask for their id. */
function withoutParentId(schema, document) {
  const names = new Set();
  const types = new TypeInfo(schema);
  const isNode = ({ name }) => ['node', 'nodes'].includes(name.value);
  visit(
    document,
    visitWithTypeInfo(types, {
      Field: (node) => {
        if (!isNode(node)) return;
        const selected = node.selectionSet.selections;
        const hasId = selected.some(
          ({ kind, name, alias }) => kind === Kind.FIELD && name.value === 'id' && !alias,
        );
        const fields = getNamedType(types.getType()).getFields?.() ?? {};
        const nested = selected.filter(
          ({ kind, name }) =>
            kind === Kind.FIELD && fields[name.value] && isConnection(getNamedType(fields[name.value].type)),
        );
        if (!hasId) for (const { name } of nested) names.add(name.value);
      },
    }),
  );
  return names;
}

/** Runs it beside everything else. */
export async function start(shop, one, context) {
  const token = { scopes: [...context.scopes] };
  const began = Date.now();
  await pause(0);
  try {
    if (one.status === 'CREATED') one.status = 'RUNNING';
    await collect(shop, one, token);
    await pause(Math.max(0, shop.settings.bulkMs - (Date.now() - began)));
    finish(shop, one, one.status === 'CANCELING' ? 'CANCELED' : 'COMPLETED', context);
  } catch (error) {
    one.errorCode = error.code === 'ACCESS_DENIED' ? 'ACCESS_DENIED' : 'INTERNAL_SERVER_ERROR';
    one.reason = error.message;
    finish(shop, one, 'FAILED', context);
  }
}

const pause = (ms) => new Promise((resolve) => (ms > 0 ? setTimeout(resolve, ms) : setImmediate(resolve)));

/** Each root connection page by page, so that a large shop doesn't stand in memory twice. */
async function collect(shop, one, token) {
  const document = parse(one.query);
  const operation = document.definitions.find(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  for (const field of operation.selectionSet.selections) {
    const single = { ...operation, selectionSet: { ...operation.selectionSet, selections: [field] } };
    const fragments = document.definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION);
    let root = { size: PAGE, after: 0 };
    while (root && one.status === 'RUNNING') {
      const context = { bulk: true, root };
      const { data, errors } = await run(
        shop,
        token,
        { kind: Kind.DOCUMENT, definitions: [single, ...fragments] },
        single,
        {},
        context,
      );
      if (errors) throw Object.assign(new Error(errors[0].message), { code: errors[0].extensions?.code });
      flatten(data, one);
      root = root.more ? { size: PAGE, after: root.after + PAGE } : undefined;
      await pause(0);
    }
  }
}

function flatten(data, one) {
  for (const value of Object.values(data)) {
    for (const node of nodesOf(value) ?? []) {
      one.roots++;
      write(node, undefined, one);
    }
  }
}

/** The nodes of what looks like a connection. */
const nodesOf = (value) => {
  if (value === null || typeof value !== 'object') return undefined;
  if (Array.isArray(value.edges)) return value.edges.map(({ node }) => node);
  return Array.isArray(value.nodes) ? value.nodes : undefined;
};

/** The line of a node, then those of its connections' nodes. */
function write(node, parentId, one) {
  const own = {};
  const children = [];
  for (const [name, value] of Object.entries(node)) {
    const nodes = nodesOf(value);
    if (nodes) children.push(...nodes);
    else own[name] = value;
  }
  if (parentId) own.__parentId = parentId;
  const line = Buffer.from(`${JSON.stringify(own)}\n`);
  one.lines.push(line);
  one.size += line.length;
  one.objects++;
  for (const child of children) write(child, node.id, one);
}

function finish(shop, one, status, { origin }) {
  one.status = status;
  one.completedAt = shop.clock.now();
  one.file = Buffer.concat(one.lines);
  one.lines = [];
  // The files of long ago are let go: they are large.
  for (const old of [...shop.bulks.values()].slice(0, -KEPT_FILES)) [old.file, old.url] = [undefined, null];
  // An operation that found nothing has no file.
  if (status === 'COMPLETED' && one.objects > 0) one.url = `${origin}/bulk/${one.id}.jsonl`;
  shop.emit('bulk_operations/finish', () => ({
    admin_graphql_api_id: gid('BulkOperation', one.id),
    completed_at: utc(one.completedAt),
    created_at: utc(one.createdAt),
    error_code: one.errorCode?.toLowerCase() ?? null,
    status: status.toLowerCase(),
    type: 'query',
  }));
}

/** The file, or the part of it that a Range asks for. */
export function sendFile(one, request, response) {
  const headers = { 'content-type': 'application/jsonl', 'accept-ranges': 'bytes' };
  const match = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? '');
  const size = one.file.length;
  if (!match || (!match[1] && !match[2])) {
    response.writeHead(200, { ...headers, 'content-length': size });
    return response.end(one.file);
  }
  const from = match[1] ? Number(match[1]) : Math.max(0, size - Number(match[2]));
  const to = Math.min(size - 1, match[1] && match[2] ? Number(match[2]) : size - 1);
  if (from > to) {
    response.writeHead(416, { 'content-range': `bytes */${size}` });
    return response.end();
  }
  const part = one.file.subarray(from, to + 1);
  response.writeHead(206, {
    ...headers,
    'content-range': `bytes ${from}-${to}/${size}`,
    'content-length': part.length,
  });
  response.end(part);
}
