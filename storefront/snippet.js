// The storefront snippet, as people read it. `npm run snippet` makes of it what is served
// (static/snippet/v1.js) and the asset of the theme app extension; a test compares the three.
//
// It keeps the click id of a creator's link in a first-party cookie, puts it into the cart, with which
// it comes to the order, and tells it to whoever asks `window.tributary`. It asks for consent before
// any of this, calls nobody but the shop, and never throws. README.md beside it says how to set it up.
((window, document) => {
  const NAME = '_tributary_click';
  const REF = '_tributary_ref';
  const settings = document.currentScript?.dataset ?? {};
  const safely = (work) => (...given) => {
    try {
      return work(...given);
    } catch {}
  };

  const CLICK = '(A[\\w-]{61})';
  const SLUG = '([\\w-]{1,64})';
  const found = (before, what, text) => RegExp(`${before}=${what}(?![\\w-])`).exec(text)?.[1];
  // What the page's address says: it stays here until something may be kept.
  let seen = found('[?&]click_id', CLICK, location.href);
  let ref = found('[?&]ref', SLUG, location.href);
  /** The click id in force: the one that is kept, or would be if there were room. */
  let known;
  /** What the cart has, as far as is known here. */
  let written;
  /** What the site said by `tributary.consent`. */
  let said;

  const days = (settings.days || 30) * 86400;
  const cookie = safely((name, what) => found(name, what, document.cookie));
  const keep = safely((name, value, seconds) => {
    document.cookie =
      `${name}=${value};path=/;samesite=lax;max-age=${seconds | 0}` +
      (settings.domain ? `;domain=${settings.domain}` : '') +
      // Only `https:` comes after this; `http:` comes before.
      (location.protocol > 'https' ? ';secure' : '');
  });
  /** For how many seconds a click id counts: it tells the millisecond of its click (domain/click/token.rs). */
  const left = (id) => {
    const time = atob(id.slice(24, 32).replace(/-/g, '+').replace(/_/g, '/'));
    return days + ([...time].reduce((sum, byte) => sum * 256 + byte.charCodeAt(), 0) - Date.now()) / 1e3;
  };

  /** True, false, or nothing as long as nobody said: the site's word, else Shopify's, else `data-consent`. */
  const allowed = () => {
    const shop = window.Shopify;
    const privacy = shop?.customerPrivacy;
    return said ?? (privacy ? privacy[`${settings.purpose || 'marketing'}Allowed`]() : shop?.loadFeatures || 'consent' in settings ? said : true);
  };

  /** Sets this attribute of the cart and no other; with `again` although the cart seems to have it. */
  const write = (again) => {
    const path = settings.cart || (window.Shopify && `${window.Shopify.routes?.root || '/'}cart/update.js`);
    const before = safely(() => sessionStorage[NAME])() || written;
    if (!path || (known ? !again && before == known : !before)) return;
    written = known;
    fetch(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ attributes: { [NAME]: known } }),
      keepalive: true,
    }).then(safely(({ ok }) => ok && (sessionStorage[NAME] = written))).catch(() => {});
  };

  const sync = (again) => {
    const may = allowed();
    const kept = cookie(NAME, CLICK);
    if (may) {
      known = [kept, seen].filter((id) => id && left(id) > 0).sort((a, b) => (settings.first ? left(a) - left(b) : left(b) - left(a)))[0] || '';
      // Nothing but a click replaces a click.
      if (known) keep(NAME, known, left(known));
      else if (ref) keep(REF, ref, days);
    } else if (may === false && (kept || known)) {
      // Perhaps another page put it into the cart.
      written = kept || known;
      known = seen = ref = '';
      keep(NAME);
      keep(REF);
    }
    if (known != null) write(again);
  };

  safely(() => {
    if (window.tributary) return;
    const now = safely(() => sync());
    const again = safely(() => sync(1));
    window.tributary = {
      clickId: safely(() => (allowed() && known) || null),
      ref: safely(() => (allowed() && (ref || cookie(REF, SLUG))) || null),
      consent: (yes) => now((said = !!yes)),
    };
    // Whatever happens in the document passes here first.
    const on = (type, work) => window.addEventListener(type, safely(work), true);
    on('visitorConsentCollected', now);
    on('pageshow', ({ persisted }) => persisted && again());
    on('click', ({ target }) => target.closest('[name=checkout],[href*=checkout],[action*=checkout]') && again());
    // Forms that send the cart get the attribute; others the click id where they have a field for it.
    on('formdata', ({ target, formData }) => {
      const cart = /\/cart(?!\/add)/.test(target.getAttribute('action'));
      const field = cart ? `attributes[${NAME}]` : NAME;
      if ((cart && known) || formData.has(field)) formData.set(field, known || '');
    });
    now();
    window.Shopify?.loadFeatures?.([{ name: 'consent-tracking-api', version: '0.1' }], now);
    // What a theme's own scripts put into the cart.
    new PerformanceObserver((list) => list.getEntries().some(({ name }) => /\/cart\/(add|change)/.test(name)) && again()).observe({ type: 'resource' });
  })();
})(window, document);
