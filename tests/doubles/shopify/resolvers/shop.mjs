// The shop, the app in it, and its end.
import { shopBody } from '../bodies.mjs';
import { gid } from '../values.mjs';

export function shopQueries(shop) {
  return {
    shop: () => shopView(shop),
    currentAppInstallation: () => installation(shop),
    appInstallation: () => installation(shop),
    app: () => app(shop),
    job: ({ id }) => shop.jobs.get(id) ?? null,
  };
}

const shopView = (shop) => ({
  id: gid('Shop', shop.id),
  name: shop.name,
  email: `hello@${shop.domain}`,
  contactEmail: `hello@${shop.domain}`,
  myshopifyDomain: shop.domain,
  url: `https://${shop.domain}`,
  primaryDomain: () => ({
    id: gid('Domain', shop.id),
    url: `https://${shop.domain}`,
    host: shop.domain,
    sslEnabled: true,
  }),
  plan: () => {
    const { display, plus } = shop.plan;
    return { publicDisplayName: display, displayName: display, shopifyPlus: plus, partnerDevelopment: false };
  },
  currencyCode: shop.currency,
  enabledPresentmentCurrencies: [shop.currency],
  ianaTimezone: shop.timezone,
  taxesIncluded: shop.taxesIncluded,
  taxShipping: false,
  setupRequired: false,
  shopOwnerName: shop.name,
  createdAt: new Date(shop.createdAt).toISOString(),
});

const app = (shop) => ({
  id: gid('App', '580111'),
  apiKey: shop.clientId ?? '',
  handle: 'app',
  title: 'App',
  installation: () => installation(shop),
});

const installation = (shop) => ({
  id: gid('AppInstallation', shop.id),
  accessScopes: () => shop.scopes.map((handle) => ({ handle, description: handle })),
  app: () => app(shop),
});

export function shopMutations(shop) {
  return {
    appUninstall: () => {
      const gone = app(shop);
      uninstall(shop);
      return { app: gone, userErrors: [] };
    },
  };
}

/** The app is told, then nothing of it is left: its tokens and subscriptions are gone. */
export function uninstall(shop) {
  shop.emit('app/uninstalled', () => shopBody(shop));
  shop.installed = false;
  shop.tokens.clear();
  shop.refreshTokens.clear();
  shop.subscriptions.clear();
}
