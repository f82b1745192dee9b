// Shopify's search syntax, as far as it is used: `field:value`, comparisons, quotes, minus, AND and OR.
import { GraphQLError } from 'graphql';

const TERM = /\s*(?:(AND|OR)\b|(-|NOT\s+)?([a-z_]+):(>=|<=|>|<)?(?:'([^']*)'|"([^"]*)"|([^\s()]+)))/y;

/**
 * A predicate of a query. `fields` gives for each known name a function to a value: numbers are times and
 * compared as such, texts are compared without case, lists contain.
 */
export function matcher(query, fields) {
  if (!query?.trim()) return () => true;
  const alternatives = [[]];
  TERM.lastIndex = 0;
  while (TERM.lastIndex < query.trimEnd().length) {
    const start = TERM.lastIndex;
    const match = TERM.exec(query);
    if (!match) throw new GraphQLError(`The double can't search for this: ${query.slice(start)}`);
    const [, word, not, name, operator = '=', single, double, bare] = match;
    if (word === 'OR') alternatives.push([]);
    if (word) continue;
    const field = fields[name];
    if (!field) throw new GraphQLError(`The double can't search by ${name}`);
    const wanted = single ?? double ?? bare;
    const fits = test(field, operator, wanted);
    alternatives.at(-1).push(not ? (one) => !fits(one) : fits);
  }
  return (one) => alternatives.some((terms) => terms.every((fits) => fits(one)));
}

function test(field, operator, wanted) {
  const text = wanted.toLowerCase();
  const time = Date.parse(wanted);
  return (one) => {
    const value = field(one);
    if (Array.isArray(value)) return value.some((item) => item.toLowerCase() === text);
    if (typeof value === 'boolean') return String(value) === text;
    if (value === null || value === undefined) return false;
    if (typeof value === 'number') return ordered(value, time, operator, wanted);
    if (typeof value === 'bigint') return ordered(value, BigInt(wanted), operator);
    if (text.endsWith('*')) return value.toLowerCase().startsWith(text.slice(0, -1));
    return value.toLowerCase() === text;
  };
}

function ordered(value, wanted, operator, text = '') {
  // A day without a time means the whole day.
  const end = /^\d{4}-\d\d-\d\d$/.test(text) ? wanted + 86_400_000 - 1 : wanted;
  if (operator === '>=') return value >= wanted;
  if (operator === '>') return value > end;
  if (operator === '<=') return value <= end;
  if (operator === '<') return value < wanted;
  return value >= wanted && value <= end;
}
