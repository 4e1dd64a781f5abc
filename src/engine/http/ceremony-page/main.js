import { forget, wireForm } from './form.js';
import { element, say, show, showNothing } from './view.js';

/** @import { Ceremony } from './view.js' */

/**
 * The ceremony page: shows where the ceremony stands, asked anew every two seconds while somebody looks, and gives a share
 * or a proof. Nothing is stored, and nothing but the vault that served this page is asked.
 */
const POLL_MS = 2_000;

/** @type {Ceremony | undefined} */
let current;
/**
 * The one that was shown last: also over a time in which the vault showed none, what was compared belongs to it.
 * @type {Ceremony | undefined}
 */
let shown;

/**
 * @param {string} path below /v1/
 * @param {object} [body]
 */
async function call(path, body) {
  const response = await fetch(`/v1/${path}`, {
    cache: 'no-store',
    credentials: 'omit',
    referrerPolicy: 'no-referrer',
    ...(body === undefined
      ? {}
      : { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const answer = await response.json().catch(() => ({}));
  return { status: response.status, answer };
}

async function refresh() {
  try {
    const { status, answer } = await call('sys/ceremony');
    if (status === 200) take(answer);
    else {
      current = undefined;
      showNothing(
        status === 404
          ? 'No ceremony has begun. This page shows it when one does.'
          : status === 503
            ? 'The vault is sealed. It takes no shares for ceremonies until it is open.'
            : `The vault does not say where the ceremony stands (${status}).`,
      );
    }
  } catch {
    say('headline', 'The vault cannot be reached. This page tries again.');
  }
}

/** @param {Ceremony} next */
function take(next) {
  const before = shown;
  current = next;
  shown = next;
  show(next);
  const changed =
    before !== undefined &&
    (before.id !== next.id ||
      before.digest !== next.digest ||
      before.nonce !== next.nonce ||
      before.state !== next.state);
  if (!changed) return;
  // What was compared is no longer what would be given.
  element('compared', HTMLInputElement).checked = false;
  if (before.id === next.id && next.state === 'collecting')
    outcome(
      'The vault began anew and has another nonce: compare again. Shares given before must be given again.',
      true,
    );
  if (next.state !== 'collecting' && next.state !== 'proving') forget();
}

/**
 * @param {string} path
 * @param {object} body
 * @returns {Promise<Ceremony>}
 */
async function post(path, body) {
  let result;
  try {
    result = await call(path, body);
  } catch {
    throw new Error('The vault cannot be reached. Look at the progress before trying again.');
  }
  const { status, answer } = result;
  if (status === 200) {
    take(answer);
    return answer;
  }
  const errors = Array.isArray(answer.errors) ? answer.errors.join('; ') : '';
  throw new Error(`The vault refused: ${errors === '' ? `status ${status}` : errors}.`);
}

/**
 * @param {string} text
 * @param {boolean} bad
 */
function outcome(text, bad) {
  element('outcome', HTMLElement).classList.toggle('bad', bad);
  say('outcome', text);
}

async function poll() {
  if (document.visibilityState === 'visible') await refresh();
  setTimeout(poll, POLL_MS);
}

wireForm(() => current, post, outcome);
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') void refresh();
});
window.addEventListener('pagehide', forget);
if (globalThis.crypto?.subtle === undefined)
  outcome('This page was not loaded over TLS, so the browser gives it no cryptography: use https.', true);
await poll();
