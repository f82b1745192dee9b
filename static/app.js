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
    location.assign('/');
  }),

  enrol: (part, say) => on(part, 'add', say, async (form) => {
    const { recovery_codes } = await addPasskey(form.name.value);
    if (!recovery_codes) return location.assign('/');
    for (const rest of part.querySelectorAll(':scope > :not(h1)')) rest.hidden = true;
    part.querySelector('h1').textContent = 'Your passkey is added';
    showCodes(recovery_codes);
    // She comes from signing in, not from her account.
    document.querySelector('[data-part=codes] a').href = '/';
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

/** What a part of a page can do with a script; also of what htmx puts in later. */
function enhance(root) {
  for (const time of root.querySelectorAll('time')) {
    const [day, month] = [time.dateTime.length === 10, time.dateTime.length === 7];
    const options = month ? { month: 'short', year: 'numeric' } : day || time.dataset.style === 'date' ? { dateStyle: 'medium' } : { dateStyle: 'medium', timeStyle: 'short' };
    if (day || month) options.timeZone = 'UTC';
    time.textContent = new Intl.DateTimeFormat(undefined, options).format(new Date(time.dateTime));
  }
  for (const amount of root.querySelectorAll('data.money')) {
    const options = { style: 'currency', currency: amount.dataset.currency };
    amount.textContent = new Intl.NumberFormat(undefined, options).format(amount.value);
  }
  for (const count of root.querySelectorAll('data.count')) count.textContent = new Intl.NumberFormat().format(count.value);
  for (const button of root.querySelectorAll('[data-copy]')) {
    button.hidden = false;
    button.addEventListener('click', () => copy(button));
  }
  for (const button of root.querySelectorAll('[data-print]')) {
    button.hidden = false;
    button.addEventListener('click', () => window.print());
  }
  for (const field of root.querySelectorAll('[data-auto]')) field.addEventListener('change', () => field.form.requestSubmit());
  for (const form of root.querySelectorAll('form[data-step-up]')) form.addEventListener('submit', stepUp);
  for (const board of root.querySelectorAll('[data-board]')) dragging(board);
  // A card that came later to a board.
  if (root.matches?.('[data-board] [data-deal]')) root.draggable = true;
  inserting(root.querySelectorAll('[data-insert]'));
  for (const part of root.querySelectorAll('[data-file-into]')) fileInto(part);
}

/** Merge fields (templates of messages): a button puts its field where the cursor was last, in the subject or the text. */
function inserting(buttons) {
  if (buttons.length === 0) return;
  let [field] = document.getElementsByName('text');
  for (const name of ['subject', 'text'])
    for (const one of document.getElementsByName(name)) one.addEventListener('focus', () => (field = one));
  for (const button of buttons) {
    button.hidden = false;
    button.addEventListener('click', () => {
      field.focus();
      field.setRangeText(button.dataset.insert, field.selectionStart, field.selectionEnd, 'end');
    });
  }
}

/** Copies what a button says, and says so where a screen reader hears it. */
async function copy(button) {
  const done = await navigator.clipboard.writeText(button.dataset.copy).then(() => true, () => false);
  say(done ? 'Copied.' : 'The browser doesn’t allow copying: select and copy it.');
}

/** Says something at the foot of the page for a while. */
function say(text) {
  let place = document.querySelector('.toast-place');
  if (!place) {
    place = document.createElement('p');
    place.className = 'toast-place';
    place.setAttribute('role', 'status');
    document.body.append(place);
  }
  place.textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => (place.textContent = ''), 4000);
}

/**
 * What is dangerous needs a passkey that was just shown: asks for it, then sends the form. Showing one gives the
 * session a new secret, to which the forms of this page don't belong: their proof is fetched anew.
 */
async function stepUp(event) {
  const form = event.currentTarget;
  // One that was just shown is enough, whatever the clocks say: the server looks.
  const shown = form.dataset.shown !== undefined;
  delete form.dataset.shown;
  if (shown || Date.now() < Number(form.dataset.stepUp) - 10_000) return;
  event.preventDefault();
  const button = event.submitter;
  if (button) button.disabled = true;
  try {
    await showPasskey();
    const { csrf, session } = await call('GET', '/v1/session');
    for (const input of document.querySelectorAll('[name=csrf]')) input.value = csrf;
    for (const other of document.querySelectorAll('[data-step-up]')) other.dataset.stepUp = Date.parse(session.stepped_up_until);
    // A file that is answered leaves the page where it is, so that its buttons must work on.
    if (button) button.disabled = false;
    form.dataset.shown = '';
    form.requestSubmit(button);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    say(error.message);
    if (button) button.disabled = false;
  }
}

/**
 * A form whose answer is another page is sent once, however often its button is pressed meanwhile: a key of which only
 * the second is shown would leave one that nobody has. For a few seconds, as a file that is answered leaves the page
 * where it is. What a script sends, such as a card of a board, isn't held.
 */
function onceOnly(event) {
  const form = event.target;
  // As attributes: a field of the form may be called "method".
  const method = event.submitter?.getAttribute('formmethod') ?? form.getAttribute('method');
  if (event.defaultPrevented || method !== 'post') return;
  if (Date.now() - Number(form.dataset.sent ?? 0) < 5_000) return event.preventDefault();
  form.dataset.sent = Date.now();
}

/** A text file of the reader's instead of pasting: it goes into the text field, to be looked at and sent with it. */
function fileInto(label) {
  const input = label.querySelector('input');
  label.hidden = false;
  input.addEventListener('change', async () => {
    const [file] = input.files;
    if (!file) return;
    try {
      // What isn't UTF-8 would come in with its letters lost.
      const text = new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer());
      document.getElementById(label.dataset.fileInto).value = text;
    } catch {
      say('This file isn’t UTF-8: save it as “CSV UTF-8” and choose it again.');
    }
    input.value = '';
  });
}

/** Cards of a board by the mouse. The form on each card does the same by keyboard and without a script. */
function dragging(board) {
  let held;
  const column = (event) => event.target.closest?.('[data-stage]');
  for (const card of board.querySelectorAll('[data-deal]')) card.draggable = true;
  board.addEventListener('dragstart', (event) => {
    held = event.target.closest('[data-deal]');
    held?.classList.add('dragged');
  });
  board.addEventListener('dragend', () => {
    held?.classList.remove('dragged');
    held = undefined;
    for (const over of board.querySelectorAll('.over')) over.classList.remove('over');
  });
  board.addEventListener('dragover', (event) => {
    const over = column(event);
    if (!over || !held) return;
    event.preventDefault();
    for (const other of board.querySelectorAll('.over')) other.classList.toggle('over', other === over);
    over.classList.add('over');
  });
  board.addEventListener('drop', (event) => {
    const to = column(event);
    if (!to || !held) return;
    event.preventDefault();
    const beside = event.target.closest('[data-deal]');
    // Let go where it was: nothing is moved.
    if (beside === held) return;
    const form = held.querySelector('form');
    form.elements.after_id.value = form.elements.before_id.value = '';
    form.elements.stage.value = to.dataset.stage;
    if (beside) {
      const below = event.clientY > beside.getBoundingClientRect().top + beside.offsetHeight / 2;
      form.elements[below ? 'after_id' : 'before_id'].value = beside.dataset.deal;
    }
    form.requestSubmit();
  });
}

for (const part of document.querySelectorAll('[data-part]')) {
  const wrong = part.querySelector('[data-wrong]');
  const tell = (text) => {
    wrong.textContent = text;
    wrong.hidden = text === '';
  };
  parts[part.dataset.part](part, tell);
}
enhance(document);
document.addEventListener('submit', onceOnly);
// What asks for itself again waits while nobody looks,
document.addEventListener('htmx:beforeRequest', (event) => {
  if (event.detail.elt.dataset.live !== undefined && document.hidden) event.preventDefault();
});
// and stays as it is where another page answers, such as the one for signing in, or where somebody is in it.
document.addEventListener('htmx:beforeSwap', ({ detail }) => {
  const path = (address) => new URL(address || location.href, location.href).pathname;
  const elsewhere = path(detail.xhr.responseURL) !== path(detail.requestConfig.path);
  const inUse = detail.requestConfig.elt.dataset.live !== undefined && document.activeElement?.closest('[data-along]');
  if (elsewhere || inUse) detail.shouldSwap = false;
});
document.addEventListener('htmx:load', (event) => event.target !== document.body && enhance(event.target));
