// One GraphQL request: schema, cost, scopes, and what the resolvers say.
import {
  defaultTypeResolver,
  execute,
  getOperationAST,
  getVariableValues,
  GraphQLError,
  Kind,
  parse,
  validate,
} from 'graphql';
import { actualCost, MAX_COST, requestedCost } from './cost.mjs';
import { root } from './resolvers/index.mjs';
import { demand } from './scopes.mjs';
import { shopifySchema } from './schema.mjs';

const DOCUMENTATION = 'https://shopify.dev/api/usage';
const remembered = new Map();

/** The document with its operation, or the errors that it has; remembered, the product repeats itself. */
export function prepare(text, operationName) {
  const { schema } = shopifySchema();
  const key = `${operationName ?? ''}\n${text}`;
  let known = remembered.get(key);
  if (known) return known;
  known = prepared(schema, text, operationName);
  if (remembered.size > 500) remembered.clear();
  remembered.set(key, known);
  return known;
}

function prepared(schema, text, operationName) {
  let document;
  try {
    document = parse(text);
  } catch (error) {
    return { errors: [{ message: error.message, locations: error.locations }] };
  }
  const errors = validate(schema, document);
  if (errors.length > 0) return { errors: errors.map(invalid) };
  const operation = getOperationAST(document, operationName);
  if (!operation) return { errors: [{ message: 'An operation name is required' }] };
  return { document, operation, name: operation.name?.value ?? firstField(operation) };
}

const firstField = (operation) =>
  operation.selectionSet.selections.find(({ kind }) => kind === Kind.FIELD)?.name.value ?? 'anonymous';

/** Shopify's words and codes for what is misspelt, for the commonest mistakes. */
function invalid({ message, locations }) {
  const unknown = /^Cannot query field "(\w+)" on type "(\w+)"/.exec(message);
  if (unknown) {
    const [, fieldName, typeName] = unknown;
    const extensions = { code: 'undefinedField', typeName, fieldName };
    return { message: `Field '${fieldName}' doesn't exist on type '${typeName}'`, locations, extensions };
  }
  const argument = /^Unknown argument "(\w+)" on field "(\w+)\.(\w+)"/.exec(message);
  if (argument) {
    const [, argumentName, , name] = argument;
    const extensions = { code: 'argumentNotAccepted', name, typeName: 'Field', argumentName };
    return { message: `Field '${name}' doesn't accept argument '${argumentName}'`, locations, extensions };
  }
  return { message, locations, extensions: { code: 'invalid' } };
}

/**
 * The answer's JSON to a request that may come in.
 *
 * `takes`: whether the bucket is asked (a fault may say that it is empty).
 */
export async function answer(
  shop,
  token,
  { query, variables = {}, operationName },
  { throttled = false, context = {} } = {},
) {
  const { schema } = shopifySchema();
  if (typeof query !== 'string') return { errors: { query: 'Required parameter missing or invalid' } };
  const { errors, document, operation } = prepare(query, operationName);
  if (errors) return { errors };
  const given = getVariableValues(schema, operation.variableDefinitions ?? [], variables ?? {});
  if (given.errors) return { errors: given.errors.map(wrongVariable) };

  const requested = requestedCost(schema, document, operation, given.coerced);
  if (requested > MAX_COST) return { errors: [tooDear(requested)] };
  const cost = (actual) => ({
    cost: { requestedQueryCost: requested, actualQueryCost: actual, throttleStatus: shop.bucket.status() },
  });
  if (throttled || !shop.bucket.take(requested)) {
    shop.log.throttled++;
    const extensions = { code: 'THROTTLED', documentation: `${DOCUMENTATION}/rate-limits` };
    return { data: null, errors: [{ message: 'Throttled', extensions }], extensions: cost(null) };
  }
  const result = await run(shop, token, document, operation, variables ?? {}, context);
  const actual = actualCost(result.data, requested, operation.operation === 'mutation');
  shop.bucket.giveBack(requested - actual);
  shop.log.points += actual;
  return { ...result, extensions: cost(actual) };
}

/** Runs a document, whatever it costs. */
export async function run(shop, token, document, operation, variables, context = {}) {
  const { schema, accessOf } = shopifySchema();
  const result = await execute({
    schema,
    document,
    operationName: operation.name?.value,
    variableValues: variables,
    rootValue: root(shop),
    contextValue: { shop, scopes: shop.granted(token), accessOf, ...context },
    fieldResolver: resolve,
    typeResolver: (value, ...rest) => value.__typename ?? defaultTypeResolver(value, ...rest),
  });
  const errors = result.errors?.map((error) => error.toJSON());
  return { data: result.data ?? null, ...(errors && { errors }) };
}

/** Whatever a resolver doesn't have is an error here: a guess would look like an answer. */
function resolve(source, args, context, info) {
  demand(context, context.accessOf(info.parentType, info.parentType.getFields()[info.fieldName]), info);
  const value = source[info.fieldName];
  if (value === undefined) {
    const message = `The double has no ${info.parentType.name}.${info.fieldName}`;
    throw new GraphQLError(message, { extensions: { code: 'NOT_IN_THE_DOUBLE' } });
  }
  return typeof value === 'function' ? source[info.fieldName](args, context, info) : value;
}

const wrongVariable = ({ message, locations }) => ({
  message: message.replace(
    /^Variable "\$(\w+)" got invalid value/,
    'Variable $$$1 was provided invalid value',
  ),
  locations,
  extensions: { code: 'INVALID_VARIABLE' },
});

function tooDear(cost) {
  const message = `Query cost is ${cost}, which exceeds the single query max cost limit (${MAX_COST}).

See ${DOCUMENTATION}/rate-limits for more information on how the
cost of a query is calculated.

To query larger amounts of data with fewer limits, bulk operations should be used instead.
See https://shopify.dev/tutorials/perform-bulk-operations-with-admin-api for usage details.
`;
  const documentation = `${DOCUMENTATION}/rate-limits`;
  return { message, extensions: { code: 'MAX_COST_EXCEEDED', cost, maxCost: MAX_COST, documentation } };
}
