import { setImmediate as nextTurn } from 'node:timers/promises';
import { equalBytes, utf8 } from '../bytes.ts';
import { Blowfish } from './blowfish.ts';

/** What the text of a hash says (Provos and Mazières 1999). */
export interface BcryptHash {
  readonly cost: number;
  readonly salt: Uint8Array;
  readonly digest: Uint8Array;
}

const TEXT = /^\$2[aby]\$(?<cost>\d\d)\$(?<salt>[./A-Za-z0-9]{22})(?<digest>[./A-Za-z0-9]{31})$/;
const ALPHABET = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const MAGIC = 'OrpheanBeholderScryDoubt';
const MAX_KEY = 72;
const STEPS_A_TURN = 64;

/** @returns undefined for what is no hash of bcrypt */
export function parseBcrypt(text: string): BcryptHash | undefined {
  const groups = TEXT.exec(text)?.groups;
  const cost = Number(groups?.['cost']);
  if (groups === undefined || cost < 4 || cost > 31) return undefined;
  return {
    cost,
    salt: decode(groups['salt'] ?? '').slice(0, 16),
    digest: decode(groups['digest'] ?? '').slice(0, 23),
  };
}

/** Whether a password has a hash. Long: twice as long with each step of the cost; others have their turns meanwhile. */
export async function isBcryptOf(password: string, { cost, salt, digest }: BcryptHash): Promise<boolean> {
  const key = cycle(concatZero(utf8(password).slice(0, MAX_KEY)), 18);
  const saltWords = cycle(salt, 4);
  const saltKey = cycle(salt, 18);
  const cipher = new Blowfish();
  cipher.expand(key, saltWords);
  for (let step = 0; step < 2 ** cost; step += 1) {
    if (step % STEPS_A_TURN === 0) await nextTurn();
    cipher.expand(key);
    cipher.expand(saltKey);
  }
  const text = cycle(utf8(MAGIC), 6);
  for (let round = 0; round < 64; round += 1) cipher.encrypt(text);
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  for (const [index, word] of text.entries()) view.setUint32(index * 4, word);
  return equalBytes(bytes.subarray(0, 23), digest);
}

function concatZero(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(Math.min(bytes.length + 1, MAX_KEY));
  out.set(bytes);
  return out;
}

// Big-endian words of bytes that are repeated as often as it takes.
function cycle(bytes: Uint8Array, count: number): Uint32Array {
  const words = new Uint32Array(count);
  for (let index = 0; index < count * 4; index += 1) {
    const at = index >> 2;
    words[at] = ((words[at] ?? 0) << 8) | (bytes[index % bytes.length] ?? 0);
  }
  return words;
}

function decode(text: string): Uint8Array {
  const bytes: number[] = [];
  let bits = 0;
  let held = 0;
  for (const character of text) {
    held = (held << 6) | ALPHABET.indexOf(character);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((held >> bits) & 255);
      held &= (1 << bits) - 1;
    }
  }
  return Uint8Array.from(bytes);
}
