// Shopify's customer privacy API as a page sees it, by its documentation: it is there after
// `Shopify.loadFeatures([{ name: 'consent-tracking-api' }], done)`.

/**
 * `required`: whether the shopper must be asked (a region with a consent law). The choice is kept for the session.
 * `autoload`: the API is there from the start, as when a banner loads it.
 */
export function consentScript({ required = true, autoload = false }) {
  return `(${inPage.toString()})(${JSON.stringify({ required, autoload })});`;
}

/* Runs in the page. */
function inPage({ required, autoload }) {
  const KEY = '_tracking_consent';
  const kept = () => JSON.parse(sessionStorage.getItem(KEY) || '{}');
  const flag = (value) => (value === true ? 'yes' : value === false ? 'no' : '');
  const allowed = (name) => (name in kept() ? kept()[name] : !required);
  const api = {
    currentVisitorConsent: () => ({
      marketing: flag(kept().marketing),
      analytics: flag(kept().analytics),
      preferences: flag(kept().preferences),
      sale_of_data: flag(kept().sale_of_data),
    }),
    shouldShowBanner: () => required && Object.keys(kept()).length === 0,
    analyticsProcessingAllowed: () => allowed('analytics'),
    marketingAllowed: () => allowed('marketing'),
    preferencesProcessingAllowed: () => allowed('preferences'),
    saleOfDataAllowed: () => kept().sale_of_data !== false,
    getRegion: () => (required ? 'DE' : 'US'),
    setTrackingConsent: (consent, done) => {
      sessionStorage.setItem(KEY, JSON.stringify({ ...kept(), ...consent }));
      const detail = {
        marketingAllowed: allowed('marketing'),
        analyticsAllowed: allowed('analytics'),
        preferencesAllowed: allowed('preferences'),
        saleOfDataAllowed: api.saleOfDataAllowed(),
      };
      setTimeout(() => {
        document.dispatchEvent(new CustomEvent('visitorConsentCollected', { detail }));
        if (done) done();
      }, 0);
    },
  };
  const load = () => (window.Shopify.customerPrivacy = api);
  window.Shopify.loadFeatures = (features, done) => {
    setTimeout(() => {
      if (features.some(({ name }) => name === 'consent-tracking-api')) load();
      if (done) done(null);
    }, 20);
  };
  if (autoload) load();
}
