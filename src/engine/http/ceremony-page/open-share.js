/** A share out of what a person pasted. Nothing here asks the network for anything but the OpenPGP library of this server. */

/**
 * Decrypts a share with a secret key.
 * @param {{ message: string, key: string, passphrase: string }} given
 * @returns {Promise<Uint8Array<ArrayBuffer>>} the bytes of the share; the caller wipes them
 */
export async function decryptShare({ message, key, passphrase }) {
  /** @type {typeof import('openpgp')} */
  const openpgp = await import(new URL('openpgp/openpgp.min.mjs', import.meta.url).href);
  const sealed = await explained(
    'The encrypted share cannot be read: paste all of it, from BEGIN to END.',
    () =>
      message.includes('-----BEGIN')
        ? openpgp.readMessage({ armoredMessage: message })
        : openpgp.readMessage({ binaryMessage: fromBase64(message.trim()) }),
  );
  const locked = await explained('The secret key cannot be read: paste all of it, from BEGIN to END.', () =>
    key.includes('-----BEGIN')
      ? openpgp.readPrivateKey({ armoredKey: key })
      : openpgp.readPrivateKey({ binaryKey: fromBase64(key.trim()) }),
  );
  const open = locked.isDecrypted()
    ? locked
    : await explained('The passphrase does not open this key.', () =>
        openpgp.decryptKey({ privateKey: locked, passphrase }),
      );
  const { data } = await explained(
    'This key does not decrypt this share: is it yours, and the right key?',
    () => openpgp.decrypt({ message: sealed, decryptionKeys: open, format: 'binary' }),
  );
  const plain = /** @type {Uint8Array} */ (data);
  try {
    return readShare(new TextDecoder().decode(plain));
  } finally {
    plain.fill(0);
  }
}

/**
 * Reads a share that is decrypted already.
 * @param {string} text hex or base64
 * @returns {Uint8Array<ArrayBuffer>} its bytes; the caller wipes them
 */
export function readShare(text) {
  const trimmed = text.trim();
  const bytes = fromHex(trimmed) ?? tryBase64(trimmed);
  if (bytes === undefined || bytes.length < 16 || bytes.length > 1024)
    throw new Error('This is no share: a share is hex or base64, such as gpg prints it.');
  return bytes;
}

/**
 * The text of a file: binary OpenPGP data becomes base64.
 * @param {File} file
 */
export async function readFileText(file) {
  if (file.size > 262_144) throw new Error('This file is too large for a share or a key.');
  const bytes = new Uint8Array(await file.arrayBuffer());
  // The first bit of a packet is always set (RFC 9580 §4.2); armor is ASCII.
  return (bytes[0] ?? 0) >= 0x80 ? btoa(String.fromCharCode(...bytes)) : new TextDecoder().decode(bytes);
}

/** @param {Uint8Array} bytes */
export function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** @param {string} text */
function fromHex(text) {
  if (text === '' || text.length % 2 !== 0 || !/^[0-9a-fA-F]+$/.test(text)) return undefined;
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** @param {string} text */
function fromBase64(text) {
  return Uint8Array.from(atob(text.replace(/\s+/g, '')), (sign) => sign.charCodeAt(0));
}

/** @param {string} text */
function tryBase64(text) {
  try {
    return fromBase64(text);
  } catch {
    return undefined;
  }
}

/**
 * @template T
 * @param {string} message what went wrong, for the person; the library's own words may quote what was pasted
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
async function explained(message, work) {
  try {
    return await work();
  } catch {
    throw new Error(message);
  }
}
