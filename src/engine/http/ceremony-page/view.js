import { spokenGroups } from './spoken.js';

/** @typedef {{ key?: { label: string, id: string } }} ProvenSeal */

/**
 * @typedef {object} Ceremony A ceremony as the engine answers it.
 * @property {string} id
 * @property {{ namespace: string, name: string }} ceremony
 * @property {string} type
 * @property {string} digest
 * @property {string} state
 * @property {string} nonce
 * @property {number} threshold
 * @property {number} progress
 * @property {string[]} submitted
 * @property {string[]} [holders]
 * @property {{ name: string, fingerprint: string, proven: boolean }[]} custodians
 * @property {{ name: string }} [requester]
 * @property {{ expires_at: string, state: string }} [token]
 * @property {boolean} [dry_run]
 * @property {{ from: ProvenSeal, to: ProvenSeal }} [seals]
 * @property {string} started_at
 */

/**
 * An element that the page has.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {{ new (): T }} type
 * @returns {T}
 */
export function element(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new TypeError(`the page has no ${id}`);
  return found;
}

/**
 * Sets a text only when it differs: live regions speak when they change.
 * @param {string} id
 * @param {string} text
 */
export function say(id, text) {
  const target = element(id, HTMLElement);
  if (target.textContent !== text) target.textContent = text;
}

/**
 * Shows where a ceremony stands.
 * @param {Ceremony} ceremony
 */
export function show(ceremony) {
  const collecting = ceremony.state === 'collecting';
  const proving = ceremony.state === 'proving';
  for (const id of ['about', 'compare', 'progress']) element(id, HTMLElement).hidden = false;
  element('give', HTMLElement).hidden = !collecting && !proving;
  say('headline', headline(ceremony));
  say('purpose', purpose(ceremony));
  say('name', `${ceremony.ceremony.namespace}/${ceremony.ceremony.name}`);
  say('began', new Date(ceremony.started_at).toLocaleString());
  groups('digest', ceremony.digest);
  groups('nonce', ceremony.nonce);
  for (const id of ['nonce', 'nonce-title']) element(id, HTMLElement).hidden = ceremony.nonce === '';
  showProgress(ceremony);
  say('give-title', proving ? 'Prove your new share' : 'Give your share');
  say(
    'give-note',
    proving
      ? 'Your share is decrypted and signs a text with the digest. Only this proof is sent; the share stays here.'
      : 'Your share of today is sent to the vault. Alone it opens nothing.',
  );
  say('send', proving ? 'Prove my share' : 'Give my share');
  say(
    'compared-label',
    proving
      ? 'I compared the digest with the others by voice, and it is the same.'
      : 'I compared digest and nonce with the others by voice, and they are the same.',
  );
  element('who', HTMLElement).hidden = !proving;
  if (proving) showNames(ceremony);
}

/** Shows that there is no ceremony to show. @param {string} text */
export function showNothing(text) {
  for (const id of ['about', 'compare', 'progress', 'give']) element(id, HTMLElement).hidden = true;
  say('headline', text);
}

/** @param {Ceremony} ceremony */
function headline(ceremony) {
  const { state, type, threshold, progress, custodians, token } = ceremony;
  const proven = custodians.filter((each) => each.proven).length;
  switch (state) {
    case 'collecting':
      return `Shares are being given: ${progress} of ${threshold}.`;
    case 'proving':
      return `New shares are being proved: ${proven} of ${custodians.length}. Nothing changes until all are.`;
    case 'committed':
      if (type === 'seal-migration')
        return ceremony.dry_run === true
          ? 'Done. Both HSMs proved themselves; nothing was changed.'
          : 'Done. The vault is under its new HSM.';
      if (type === 'generate-root')
        return `Done. The root token was encrypted to its requester, and is ${token?.state ?? 'made'}.`;
      return type === 'break-glass' && custodians.length === 0
        ? 'Done. The break-glass seal is off.'
        : 'Done. The new shares are in force.';
    default:
      return 'This ceremony was cancelled. No share is kept.';
  }
}

/** @param {Ceremony} ceremony */
function purpose({ type, threshold, custodians, requester, seals }) {
  if (type === 'seal-migration')
    return `The vault is moved from one HSM to another: from ${keyName(seals?.from)} to ${keyName(seals?.to)}. Both proved themselves. It takes ${threshold} of the recovery shares of today; they stay the right ones.`;
  if (type === 'break-glass')
    return custodians.length === 0
      ? `The break-glass seal is turned off. It takes ${threshold} of the recovery shares of today.`
      : `The break-glass seal is turned on: shares of ${listed(custodians.map(({ name }) => name))} will open the vault without its HSM. It takes ${threshold} of the recovery shares of today; then each of them gets a break-glass share and proves it.`;
  return type === 'generate-root'
    ? `A root token is made and encrypted to ${requester?.name ?? 'its requester'} alone. It takes ${threshold} shares.`
    : `The recovery key is replaced. ${threshold} of the shares of today are needed; then each of ${listed(custodians.map(({ name }) => name))} gets a new share and proves it.`;
}

/** @param {ProvenSeal | undefined} seal */
function keyName(seal) {
  const { label = '', id = '' } = seal?.key ?? {};
  if (label === '') return id === '' ? 'its key' : `key id ${id}`;
  return id === '' ? `key “${label}”` : `key “${label}” (id ${id})`;
}

/** @param {Ceremony} ceremony */
function showProgress(ceremony) {
  const { state, threshold, progress, submitted, holders = [], custodians } = ceremony;
  const proving = state === 'proving' || (state === 'committed' && custodians.length > 0);
  const done = proving ? custodians.filter((each) => each.proven).length : progress;
  const all = proving ? custodians.length : threshold;
  say('count', proving ? `${done} of ${all} new shares proved` : `${done} of ${all} shares given`);
  const meter = element('meter', HTMLProgressElement);
  meter.max = Math.max(all, 1);
  meter.value = Math.min(done, meter.max);
  const names = proving
    ? custodians.map(({ name, proven }) => ({ name, done: proven, word: proven ? 'has proved' : 'not yet' }))
    : [...new Set([...holders, ...submitted])].map((name) => ({
        name,
        done: submitted.includes(name),
        word: submitted.includes(name) ? 'has given' : state === 'collecting' ? 'not yet' : 'not needed',
      }));
  const list = element('people', HTMLElement);
  const text = JSON.stringify(names);
  if (list.dataset['shown'] === text) return;
  list.dataset['shown'] = text;
  list.replaceChildren(
    ...names.map(({ name, done: isDone, word }) => {
      const item = document.createElement('li');
      const state_ = document.createElement('span');
      state_.className = isDone ? 'done' : 'missing';
      state_.textContent = word;
      item.append(`${name} `, state_);
      return item;
    }),
  );
}

/** @param {Ceremony} ceremony */
function showNames({ custodians }) {
  const select = element('custodian', HTMLSelectElement);
  const names = custodians.filter(({ proven }) => !proven).map(({ name }) => name);
  if (names.join('\n') === select.dataset['shown']) return;
  select.dataset['shown'] = names.join('\n');
  const before = select.value;
  select.replaceChildren(new Option('Choose your name', ''), ...names.map((name) => new Option(name, name)));
  if (names.includes(before)) select.value = before;
}

/**
 * @param {string} id
 * @param {string} value
 */
function groups(id, value) {
  const target = element(id, HTMLElement);
  if (target.dataset['shown'] === value) return;
  target.dataset['shown'] = value;
  target.replaceChildren(
    ...spokenGroups(value).flatMap((group) => {
      const part = document.createElement('span');
      part.textContent = group;
      return [part, ' '];
    }),
  );
}

/** @param {string[]} names */
function listed(names) {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
