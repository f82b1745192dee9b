// Tokens: client credentials, authorization code, refresh with rotation; and the page that asks for consent.
import { createHmac, randomBytes } from 'node:crypto';
import { escape, fields, html, json, redirect } from './http.mjs';

const DAY = 24 * 3600;

/** `shop` may be undefined: a shop that isn't there. */
export function token(shop, request, response, body) {
  const given = fields(request, body);
  const fail = (code, words) => oauthError(request, response, code, words);
  if (!shop) return json(response, 404, { errors: 'Not Found' });
  shop.log.tokens++;
  if (!shop.clientId || given.client_id !== shop.clientId)
    return fail(
      'application_cannot_be_found',
      `Could not find Shopify API application with api_key ${given.client_id}`,
    );
  if (!shop.secrets.includes(given.client_secret))
    return fail('invalid_client', 'The client secret is wrong');
  if (given.grant_type === 'client_credentials') {
    if (!shop.installed) return fail('app_not_installed', 'The app is not installed on this shop');
    return json(response, 200, issue(shop, { seconds: DAY }));
  }
  if (given.grant_type === 'refresh_token') return refresh(shop, given, response, fail);
  if (given.code !== undefined) {
    const authorized = shop.authorizations.get(given.code);
    shop.authorizations.delete(given.code);
    if (!authorized || authorized.until < Date.now())
      return fail('invalid_request', 'The authorization code was not found or was already used');
    shop.installed = true;
    shop.scopes = authorized.scopes;
    if (String(given.expiring) === '1')
      return json(response, 200, issue(shop, { seconds: 3600, refreshable: true }));
    const access_token = shop.newToken('shpat_', { expiresAt: Infinity });
    return json(response, 200, { access_token, scope: shop.scopes.join(',') });
  }
  return fail('invalid_request', 'unsupported grant');
}

function issue(shop, { seconds, refreshable = false, replaces }) {
  const now = shop.clock.now();
  const details = { expiresAt: now + seconds * 1000, replaces };
  const access_token = shop.newToken('shpat_', details);
  const answer = { access_token, scope: shop.scopes.join(','), expires_in: seconds };
  if (!refreshable) return answer;
  const refresh_token = `shprt_${randomBytes(16).toString('hex')}`;
  shop.refreshTokens.set(refresh_token, { expiresAt: now + 90 * DAY * 1000 });
  return { ...answer, refresh_token, refresh_token_expires_in: 90 * DAY };
}

/** A refresh token stays good until the access token that it brought is used. */
function refresh(shop, { refresh_token: text }, response, fail) {
  const known = shop.refreshTokens.get(text);
  if (!shop.installed || !known || known.expiresAt <= shop.clock.now())
    return fail('invalid_grant', 'The refresh token is invalid, expired or was used');
  return json(response, 200, issue(shop, { seconds: 3600, refreshable: true, replaces: text }));
}

/** A token was used: what it replaced isn't good any more. */
export function used(shop, token) {
  if (!token.replaces) return;
  shop.refreshTokens.delete(token.replaces);
  token.replaces = undefined;
}

function oauthError(request, response, code, words) {
  if ((request.headers.accept ?? '').includes('application/json'))
    return json(response, 400, { error: code, error_description: words });
  const text = `Oauth error ${code}: ${words}`;
  html(
    response,
    400,
    `<html><head><title>400 - Oauth error ${code}</title></head><body>${escape(text)}</body></html>`,
  );
}

/** The consent page; `approve=1` is what its button does. */
export function authorize(shop, url, response) {
  const {
    client_id: clientId,
    scope = '',
    redirect_uri: back,
    state,
    approve,
  } = Object.fromEntries(url.searchParams);
  if (!shop || !shop.clientId || clientId !== shop.clientId || !back || !URL.canParse(back))
    return html(response, 400, 'Oauth error invalid_request: unknown app or no redirect_uri');
  const scopes = scope
    .split(',')
    .map((one) => one.trim())
    .filter(Boolean);
  if (approve !== '1') {
    const button = new URLSearchParams(url.searchParams);
    button.set('approve', '1');
    return html(
      response,
      200,
      `<!doctype html><title>Install app</title><h1>${escape(shop.name)}</h1>
<p>The app wants to: ${scopes.map(escape).join(', ')}</p>
<form method="get">${[...button].map(([name, value]) => `<input type="hidden" name="${escape(name)}" value="${escape(value)}">`).join('')}
<button>Install</button></form>`,
    );
  }
  const code = randomBytes(16).toString('hex');
  // Without a scope those count that the app is set up with.
  shop.authorizations.set(code, {
    scopes: scopes.length > 0 ? scopes : shop.scopes,
    until: Date.now() + 60_000,
  });
  const host = Buffer.from(`admin.shopify.com/store/${shop.domain.split('.')[0]}`)
    .toString('base64')
    .replace(/=+$/, '');
  const query = { code, host, shop: shop.domain, ...(state !== undefined && { state }) };
  query.timestamp = String(Math.floor(shop.clock.now() / 1000));
  const target = new URL(back);
  for (const [name, value] of Object.entries(query)) target.searchParams.set(name, value);
  target.searchParams.set('hmac', queryHmac(query, shop.signing));
  redirect(response, target.href);
}

/** The signature of a query, as Shopify makes it: sorted, joined by &, in hex. */
export function queryHmac(query, secret) {
  const message = Object.keys(query)
    .filter((name) => name !== 'hmac' && name !== 'signature')
    .sort()
    .map((name) => `${name}=${query[name]}`)
    .join('&');
  return createHmac('sha256', secret).update(message).digest('hex');
}
