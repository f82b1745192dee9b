// What a field needs, by Shopify's own list, and what was granted.
import { GraphQLError } from 'graphql';

/** Refuses a field whose scope was not granted: any of those named is enough. */
export function demand({ scopes }, needed, { fieldName }) {
  if (!needed || needed.offlineScopes.some((scope) => scopes.has(scope))) return;
  const { requiredAccess } = needed;
  const documentation = 'https://shopify.dev/api/usage/access-scopes';
  const message = `Access denied for ${fieldName} field. Required access: ${requiredAccess}`;
  throw new GraphQLError(message, { extensions: { code: 'ACCESS_DENIED', documentation, requiredAccess } });
}
