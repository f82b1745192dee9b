// What pages can't do without a script: fragments of addresses, and passkeys. Each part of a page
// says by its data-part what it needs; everything goes over the JSON API.

/** A call to the API; throws what it was refused with. */
async function call(method, path, body) {
  const headers = body === undefined ? {} : { 'content-type': 'application/json' };
  let response;
  try {
    response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw new Refused('offline', 'There is no connection. Try again.');
  }
  const answer = response.status === 204 ? undefined : await response.json().catch(() => undefined);
  if (response.ok) return answer;
  const detail = answer?.errors?.[0]?.reason ?? answer?.detail ?? 'Something went wrong';
  throw new Refused(answer?.type?.split('/').at(-1), `${detail[0].toUpperCase()}${detail.slice(1)}.`);
}

class Refused extends Error {
  constructor(problem, message) {
    super(message);
    this.problem = problem;
  }
}

const toBytes = (text) =>
  Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
const toText = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');

/** Asks the browser for a passkey; what it says when that fails is for programmers. */
async function ceremony(ask) {
  if (!window.PublicKeyCredential) throw new Refused('', 'This browser has no passkeys.');
  try {
    return await ask();
  } catch (error) {
    if (error.name === 'InvalidStateError') throw new Refused('', 'This device has a passkey of yours already.');
    throw new Refused('', 'No passkey came: it was cancelled, or took too long. Try again.');
  }
}

const identifiers = (ids) => ids.map((id) => ({ type: 'public-key', id: toBytes(id) }));

async function addPasskey(name) {
  const { challenge, rp_id, user, credentials } = await call('POST', '/v1/passkeys/challenge');
  const { response } = await ceremony(() =>
    navigator.credentials.create({
      publicKey: {
        challenge: toBytes(challenge),
        rp: { id: rp_id, name: 'Tributary' },
        user: { id: toBytes(user.id), name: user.name, displayName: user.name },
        pubKeyCredParams: [{ type: 'public-key', alg: -7 }],
        excludeCredentials: identifiers(credentials),
        authenticatorSelection: { residentKey: 'preferred', userVerification: 'required' },
      },
    }),
  );
  return call('POST', '/v1/passkeys', {
    name,
    client_data: toText(response.clientDataJSON),
    authenticator_data: toText(response.getAuthenticatorData()),
  });
}

async function showPasskey() {
  const { challenge, rp_id, credentials } = await call('POST', '/v1/passkeys/challenge');
  const { rawId, response } = await ceremony(() =>
    navigator.credentials.get({
      publicKey: {
        challenge: toBytes(challenge),
        rpId: rp_id,
        allowCredentials: identifiers(credentials),
        userVerification: 'required',
      },
    }),
  );
  return call('POST', '/v1/session/passkey', {
    credential_id: toText(rawId),
    client_data: toText(response.clientDataJSON),
    authenticator_data: toText(response.authenticatorData),
    signature: toText(response.signature),
  });
}

/** Does something that may need a fresh passkey: then shows one and does it again. */
async function fresh(work) {
  try {
    return await work();
  } catch (error) {
    if (error.problem !== 'step-up') throw error;
    await showPasskey();
    return work();
  }
}

/**
 * The fragment of the address, which then goes from it, and so from the history. Another one that is
 * put in its place later starts the page again.
 */
function takeFragment() {
  const fragment = location.hash.slice(1);
  addEventListener('hashchange', () => location.reload());
  history.replaceState(null, '', location.pathname);
  return fragment;
}

function showCodes(codes) {
  const part = document.querySelector('[data-part=codes]');
  const items = codes.map((code) => {
    const item = document.createElement('li');
    item.append(document.createElement('code'));
    item.firstChild.textContent = code;
    return item;
  });
  part.querySelector('[data-list]').replaceChildren(...items);
  part.dataset.text = codes.join('\n');
  part.querySelector('[data-copied]').textContent = '';
  part.hidden = false;
  part.querySelector('h2').focus();
  part.scrollIntoView();
}

const parts = {
  async link(part, say) {
    const progress = part.querySelector('[data-progress]');
    progress.hidden = false;
    try {
      await call('POST', '/v1/sign-in/link', { token: takeFragment() });
      location.replace('/');
    } catch (error) {
      progress.hidden = true;
      say(
        error.problem === 'other-browser'
          ? 'You began to sign in with another browser. Type the code from the mail there.'
          : error.message,
      );
      part.querySelector('[data-next]').hidden = false;
    }
  },

  invitation(part, say) {
    const form = part.querySelector('form');
    form.token.value = takeFragment();
    if (form.token.value) {
      part.querySelector('[data-progress]').hidden = false;
      return form.submit();
    }
    say('There is no invitation in this address. Open the link in the mail once more.');
  },

  passkey: (part, say) => on(part, 'show', say, async () => {
    await showPasskey();
    location.assign('/account');
  }),

  enrol: (part, say) => on(part, 'add', say, async (form) => {
    const { recovery_codes } = await addPasskey(form.name.value);
    if (!recovery_codes) return location.assign('/account');
    for (const rest of part.querySelectorAll(':scope > :not(h1)')) rest.hidden = true;
    part.querySelector('h1').textContent = 'Your passkey is added';
    showCodes(recovery_codes);
  }),

  passkeys(part, say) {
    on(part, 'add', say, async (form) => {
      const { recovery_codes } = await fresh(() => addPasskey(form.name.value));
      if (!recovery_codes) return location.reload();
      form.hidden = true;
      showCodes(recovery_codes);
    });
    on(part, 'remove', say, async (button) => {
      await fresh(() => call('DELETE', `/v1/passkeys/${button.dataset.id}`));
      location.reload();
    });
    on(part, 'codes', say, async () => {
      const { recovery_codes } = await fresh(() => call('POST', '/v1/recovery-codes'));
      showCodes(recovery_codes);
    });
  },

  codes(part) {
    const copied = part.querySelector('[data-copied]');
    on(part, 'copy', undefined, async () => {
      await navigator.clipboard.writeText(part.dataset.text).then(
        () => (copied.textContent = 'Copied.'),
        () => (copied.textContent = 'The browser doesn’t allow copying: select and copy them.'),
      );
    });
    on(part, 'print', undefined, async () => window.print());
  },
};

/** Does `work` when a form is sent or a button pressed, once at a time, and says what went wrong. */
function on(part, name, say, work) {
  for (const element of part.querySelectorAll(`[data-do=${name}]`)) {
    const isForm = element instanceof HTMLFormElement;
    const button = isForm ? element.querySelector('button') : element;
    element.addEventListener(isForm ? 'submit' : 'click', async (event) => {
      event.preventDefault();
      button.disabled = true;
      say?.('');
      try {
        await work(element);
      } catch (error) {
        if (error.problem === 'unauthenticated') location.assign('/sign-in');
        else if (error instanceof Refused) say?.(error.message);
        else throw error;
      } finally {
        button.disabled = false;
      }
    });
  }
}

for (const part of document.querySelectorAll('[data-part]')) {
  const wrong = part.querySelector('[data-wrong]');
  const say = (text) => {
    wrong.textContent = text;
    wrong.hidden = text === '';
  };
  parts[part.dataset.part](part, say);
}
for (const time of document.querySelectorAll('time')) {
  const options = { dateStyle: 'medium', timeStyle: 'short' };
  time.textContent = new Intl.DateTimeFormat(undefined, options).format(new Date(time.dateTime));
}
