// Shopify's own schema and which scope each of its fields needs, read when it is first wanted (0.3 s).
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { buildClientSchema, getNamedType, GraphQLError, isObjectType, Kind } from 'graphql';

export const VERSION = '2026-10';

let loaded;

/** `{ schema, accessOf(parentType, fieldDefinition) }`. */
export function shopifySchema() {
  loaded ??= load();
  return loaded;
}

function load() {
  const file = new URL(`schema/admin_${VERSION}.json.gz`, import.meta.url);
  const { data, offline_scopes: scopes } = JSON.parse(gunzipSync(readFileSync(file)));
  const schema = buildClientSchema(data);
  for (const [name, check] of Object.entries(SCALARS)) strict(schema.getType(name), check);

  const required = new Map();
  for (const { typeName, fieldName, requiredAccess, offlineScopes } of scopes.items) {
    if (offlineScopes.length === 0) continue;
    required.set(fieldName ? `${typeName}.${fieldName}` : typeName, { requiredAccess, offlineScopes });
  }
  /** What a field needs itself, or else what it answers needs; of a connection its nodes count. */
  const accessOf = (parent, field) => {
    const own = required.get(`${parent.name}.${field.name}`);
    if (own) return own;
    const type = getNamedType(field.type);
    const nodes = isObjectType(type) && isConnection(type) ? type.getFields().nodes : undefined;
    return required.get(nodes ? getNamedType(nodes.type).name : type.name);
  };
  return { schema, accessOf };
}

export const isConnection = (type) => type?.name?.endsWith('Connection') && 'pageInfo' in type.getFields();

const SCALARS = {
  DateTime: (text) => typeof text === 'string' && /^\d{4}-\d\d-\d\d/.test(text) && !isNaN(Date.parse(text)),
  Decimal: (value) => /^-?\d+(\.\d+)?$/.test(String(value)),
  Money: (value) => /^-?\d+(\.\d+)?$/.test(String(value)),
  UnsignedInt64: (value) => /^\d{1,20}$/.test(String(value)),
  URL: (text) => typeof text === 'string' && URL.canParse(text),
};

/** An introspection doesn't tell what a scalar takes, so buildClientSchema takes anything. */
function strict(scalar, check) {
  const parse = (value) => {
    if (check(value)) return value;
    throw new GraphQLError(`Invalid ${scalar.name} '${value}'`);
  };
  scalar.parseValue = parse;
  scalar.parseLiteral = (node) => {
    const value = [Kind.STRING, Kind.INT, Kind.FLOAT].includes(node.kind) ? node.value : undefined;
    return parse(value);
  };
}
