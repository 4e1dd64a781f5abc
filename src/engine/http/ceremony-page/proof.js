/**
 * Proof of having a share, made without showing it: the share is the seed of a signing key. It must agree with what the
 * engine checks: Ed25519 (RFC 8032), its seed HKDF-SHA256 (RFC 5869) of the share, no salt, the info below.
 */
const INFO = 'sealedvault share proof v1';

// A private Ed25519 key in PKCS #8 is the bare key behind a fixed header (RFC 8410 §7).
const PKCS8 = [
  0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/**
 * The text that a proof signs.
 * @param {{ namespace: string, name: string, uid: string, digest: string }} ceremony
 * @param {string} custodian
 */
export function possessionText({ namespace, name, uid, digest }, custodian) {
  const lines = [
    ['ceremony', `${namespace}/${name}`],
    ['uid', uid],
    ['digest', digest],
    ['custodian', custodian],
  ];
  const said = lines.map(([field, value]) => `${field}: ${oneLine(value ?? '')}\n`);
  return `SealedVault share possession v1\n${said.join('')}`;
}

/**
 * @param {Uint8Array<ArrayBuffer>} share its caller wipes it
 * @param {string} text
 * @returns {Promise<string>} base64
 */
export async function proveShare(share, text) {
  const { subtle } = crypto;
  const material = await subtle.importKey('raw', share, 'HKDF', false, ['deriveBits']);
  const hkdf = {
    name: 'HKDF',
    hash: 'SHA-256',
    salt: new Uint8Array(),
    info: new TextEncoder().encode(INFO),
  };
  const seed = new Uint8Array(await subtle.deriveBits(hkdf, material, 256));
  const pkcs8 = new Uint8Array([...PKCS8, ...seed]);
  try {
    const key = await subtle.importKey('pkcs8', pkcs8, 'Ed25519', false, ['sign']);
    const signature = await subtle.sign('Ed25519', key, new TextEncoder().encode(text));
    return btoa(String.fromCharCode(...new Uint8Array(signature)));
  } catch (cause) {
    throw new Error('This browser cannot make the proof: use kubectl sealedvault ceremony receipt.', {
      cause,
    });
  } finally {
    seed.fill(0);
    pkcs8.fill(0);
  }
}

/** @param {string} value */
function oneLine(value) {
  return value.replace(/[\p{C}\u2028\u2029]+/gu, ' ').trim();
}
