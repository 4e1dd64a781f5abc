import { decryptShare, readFileText, readShare, toHex } from './open-share.js';
import { possessionText, proveShare } from './proof.js';
import { element } from './view.js';

/** @import { Ceremony } from './view.js' */

const SECRETS = /** @type {const} */ (['key', 'passphrase', 'share']);

/**
 * The form: what a person gives is read once, used and forgotten. Nothing in it has a name under which a browser would send
 * or keep it; the only request is the one of `post`.
 * @param {() => Ceremony | undefined} current
 * @param {(path: string, body: object) => Promise<Ceremony>} post
 * @param {(text: string, bad: boolean) => void} outcome
 */
export function wireForm(current, post, outcome) {
  const form = element('form', HTMLFormElement);
  const send = element('send', HTMLButtonElement);
  for (const id of ['way-browser', 'way-gpg'])
    element(id, HTMLInputElement).addEventListener('change', () => {
      const gpg = element('way-gpg', HTMLInputElement).checked;
      element('gpg', HTMLElement).hidden = !gpg;
      element('browser', HTMLElement).hidden = gpg;
    });
  for (const zone of document.querySelectorAll('.drop'))
    if (zone instanceof HTMLElement) wireDrop(zone, outcome);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (send.getAttribute('aria-disabled') === 'true') return;
    send.setAttribute('aria-disabled', 'true');
    outcome('', false);
    give(current(), post)
      .then(
        (said) => outcome(said, false),
        (/** @type {unknown} */ error) =>
          outcome(error instanceof Error ? error.message : 'It failed.', true),
      )
      .finally(() => send.removeAttribute('aria-disabled'));
  });
}

/** Forgets what was typed. */
export function forget() {
  for (const id of SECRETS) field(id).value = '';
  for (const id of ['message-file', 'key-file']) element(id, HTMLInputElement).value = '';
}

/**
 * @param {Ceremony | undefined} ceremony
 * @param {(path: string, body: object) => Promise<Ceremony>} post
 */
async function give(ceremony, post) {
  if (ceremony === undefined) throw new Error('There is no ceremony to give a share to.');
  const { id, nonce, digest } = ceremony;
  if (!element('compared', HTMLInputElement).checked)
    throw asking('compared', 'Compare with the others first, then tick the box that says so.');
  const proving = ceremony.state === 'proving';
  const custodian = element('custodian', HTMLSelectElement).value;
  if (proving && custodian === '') throw asking('custodian', 'Choose your name.');
  const share = await openShare();
  try {
    const body = proving
      ? {
          custodian,
          proof: await proveShare(
            share,
            possessionText({ ...ceremony.ceremony, uid: id, digest }, custodian),
          ),
        }
      : { nonce, digest, key: toHex(share) };
    const after = await post(`sys/ceremony/${encodeURIComponent(id)}/${proving ? 'prove' : 'submit'}`, body);
    forget();
    field('message').value = '';
    element('compared', HTMLInputElement).checked = false;
    if (proving) return 'Your proof was accepted.';
    return after.state === 'collecting'
      ? `Your share was taken. ${after.progress} of ${after.threshold} were given.`
      : 'Your share was taken, and it was the last one that was needed.';
  } finally {
    share.fill(0);
  }
}

async function openShare() {
  if (element('way-gpg', HTMLInputElement).checked) {
    if (field('share').value === '') throw asking('share', 'Paste your share.');
    return readShare(field('share').value);
  }
  const given = {
    message: field('message').value,
    key: field('key').value,
    passphrase: field('passphrase').value,
  };
  if (given.message.trim() === '') throw asking('message', 'Paste or drop your encrypted share.');
  if (given.key.trim() === '') throw asking('key', 'Paste or drop your secret key.');
  return decryptShare(given);
}

/**
 * @param {HTMLElement} zone
 * @param {(text: string, bad: boolean) => void} outcome
 */
function wireDrop(zone, outcome) {
  const target = field(zone.dataset['for'] ?? '');
  const take = (/** @type {File | undefined} */ file) => {
    if (file === undefined) return;
    readFileText(file).then(
      (text) => {
        target.value = text;
      },
      (/** @type {unknown} */ error) => outcome(error instanceof Error ? error.message : 'It failed.', true),
    );
  };
  zone.addEventListener('dragover', (event) => {
    event.preventDefault();
    zone.classList.add('over');
  });
  zone.addEventListener('dragleave', () => zone.classList.remove('over'));
  zone.addEventListener('drop', (event) => {
    event.preventDefault();
    zone.classList.remove('over');
    const file = event.dataTransfer?.files[0];
    if (file !== undefined) take(file);
    else target.value = event.dataTransfer?.getData('text/plain') ?? '';
  });
  const picker = element(`${target.id}-file`, HTMLInputElement);
  picker.addEventListener('change', () => take(picker.files?.[0]));
}

/** @param {string} id */
function field(id) {
  const found = document.getElementById(id);
  if (found instanceof HTMLTextAreaElement || found instanceof HTMLInputElement) return found;
  throw new TypeError(`the page has no field ${id}`);
}

/**
 * @param {string} id who is asked for
 * @param {string} message
 */
function asking(id, message) {
  element(id, HTMLElement).focus();
  return new Error(message);
}
