// Every GraphQL document that the product sends to Shopify, against Shopify's own schema: it must be valid, and
// cost no more than one query may. `tests/fixtures/shopify/admin.graphql` has some that were written by hand.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Kind, parse, print, typeFromAST, validate } from 'graphql';
import { MAX_COST, requestedCost } from '../doubles/shopify/cost.mjs';
import { shopifySchema } from '../doubles/shopify/schema.mjs';

const MAX_PAGE = 250;
const root = new URL('../../', import.meta.url);
const folder = new URL('src/partners/shopify/admin/', root);
const { schema } = shopifySchema();

/** The product's documents: name of the file and text. */
const documents = readdirSync(folder)
  .filter((name) => name.endsWith('.graphql'))
  .map((name) => [name, readFileSync(new URL(name, folder), 'utf8')]);

const errorsOf = (text) => validate(schema, parse(text)).map(({ message }) => message);

/**
 * The most that a document can cost. A page size that is a variable counts as the largest, unless the document
 * says how large it gets: `# $first is at most 100`.
 */
function costOf(document, operation, text = '') {
  const most = Object.fromEntries(
    [...text.matchAll(/^# \$(\w+) is at most (\d+)/gm)].map(([, name, size]) => [name, size]),
  );
  const variables = {};
  for (const { variable, type } of operation.variableDefinitions ?? []) {
    const isInt = String(typeFromAST(schema, type)).replace('!', '') === 'Int';
    if (isInt) variables[variable.name.value] = Number(most[variable.name.value] ?? MAX_PAGE);
  }
  return requestedCost(schema, document, operation, variables);
}

const operationsOf = (document) =>
  document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);

test('the product has documents, one operation in each', () => {
  assert.ok(documents.length > 0);
  for (const [name, text] of documents) assert.equal(operationsOf(parse(text)).length, 1, name);
});

for (const [name, text] of documents) {
  test(`${name} is valid and affordable`, () => {
    assert.deepEqual(errorsOf(text), []);
    const document = parse(text);
    const [operation] = operationsOf(document);
    assert.ok(operation.name, 'an operation has a name: logs and faults tell it by that');
    const cost = costOf(document, operation, text);
    assert.ok(cost <= MAX_COST, `${name} costs ${cost}`);
  });

  test(`${name} misspelt is not`, () => {
    const document = parse(text);
    const names = [];
    const collect = ({ selections }) => {
      for (const node of selections) {
        if (node.kind === Kind.FIELD) names.push(node.name);
        if (node.selectionSet) collect(node.selectionSet);
      }
    };
    for (const { selectionSet } of document.definitions) collect(selectionSet);
    for (const field of names.filter(({ value }) => value !== '__typename')) {
      const right = field.value;
      field.value = `${right}x`;
      assert.match(validate(schema, document)[0]?.message ?? 'valid', /^Cannot query field/, right);
      field.value = right;
    }
  });
}

test('documents written by hand are valid; the one that is too dear is known', () => {
  const text = readFileSync(new URL('tests/fixtures/shopify/admin.graphql', root), 'utf8');
  const all = parse(text);
  const fragments = all.definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION);
  const costs = {};
  for (const operation of operationsOf(all)) {
    const spread = print(operation).includes('...M');
    const document = { kind: Kind.DOCUMENT, definitions: [operation, ...(spread ? fragments : [])] };
    assert.deepEqual(validate(schema, document), [], operation.name.value);
    costs[operation.name.value] = costOf(document, operation);
  }
  const dear = Object.keys(costs).filter((name) => costs[name] > MAX_COST);
  assert.deepEqual(dear, ['Backfill']);
});

test('what a query costs is what live shops said of the same', () => {
  const cost = (text) => costOf(parse(text), parse(text).definitions[0]);
  assert.equal(cost('{ products(first: 10) { nodes { id title status } } }'), 6);
  assert.equal(
    cost(
      'query Q($id: ID!) { product(id: $id) { variants(first: 250) { nodes { inventoryItem { id } } } } }',
    ),
    25,
  );
  assert.equal(cost('{ shop { name plan { shopifyPlus } } }'), 2);
});

test('known bad: a page that is too large is found, one that is said to be smaller is not', () => {
  const text = `query Q($first: Int!) { orders(first: $first) { nodes { id
    a: lineItems(first: 250) { nodes { id product { id } variant { id } } }
    b: lineItems(first: 250) { nodes { id product { id } variant { id } } } c: lineItems(first: 9) { nodes { id } } } } }`;
  const cost = (said) => costOf(parse(text), parse(text).definitions[0], `${said}\n${text}`);
  assert.equal(cost('# $first is at most 250'), cost('# nothing'));
  assert.ok(cost('# nothing') > cost('# $first is at most 50') && cost('# $first is at most 50') > 0);
});

test('known bad: an unknown field, input and argument are found', () => {
  assert.match(errorsOf('{ orders(first: 1) { nodes { idd } } }')[0], /Cannot query field "idd"/);
  assert.match(errorsOf('{ orders(frist: 1) { nodes { id } } }')[0], /Unknown argument "frist"/);
  const misspelt = `mutation M { discountCodeBasicCreate(basicCodeDiscount: { tittle: "x" }) { userErrors { message } } }`;
  assert.match(errorsOf(misspelt)[0], /Field "tittle" is not defined/);
});
