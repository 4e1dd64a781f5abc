import { hkdfSync } from 'node:crypto';
import { SealedVaultError } from './errors.ts';
import type { Random } from './random.ts';

/** Randomness for keys, to which a second source may add. */
export interface KeyRandom extends Random {
  /** Whether a second source adds to it. */
  readonly augmented: boolean;
  /** Resolves when the second source can serve the next calls. @throws ERR_ENTROPY when it cannot */
  ready(): Promise<void>;
  /** Bytes of the second source alone, of the system's where there is none. @throws ERR_ENTROPY */
  external(length: number): Promise<Uint8Array>;
}

/** The second source does not deliver. Nothing was generated. */
export class EntropyUnavailable extends SealedVaultError {
  override readonly code = 'ERR_ENTROPY';
}

/** Without a second source. */
export function plainKeyRandom(random: Random): KeyRandom {
  return {
    ...random,
    augmented: false,
    ready: () => Promise.resolve(),
    external: (length) => Promise.resolve(random.bytes(length)),
  };
}

const SHARE = 32;
const FETCH = 2048;
const READY = 512;
const CHUNK = 1024;
const LARGEST = 32 * 1024;
const INFO = 'sealedvault entropy augmentation';

/**
 * The system's generator, augmented by a second source that is fetched ahead: what comes out is
 * HKDF-SHA256 (RFC 5869) with as many bytes of the system's as are asked for (32 at least) as input, and 32 fresh bytes
 * of the second source as salt, for every 1,024 bytes. Both sources must be known to know the result, and a call that the
 * second source cannot serve fails: it is never left out.
 * @param fetch asks the second source for bytes; one call at a time
 */
export function augmentedKeyRandom(
  system: Random,
  fetch: (length: number) => Promise<Uint8Array>,
): KeyRandom {
  let pool = new Uint8Array(0);
  let fetching: Promise<void> | undefined;

  const fill = (): Promise<void> => {
    fetching ??= fetch(FETCH)
      .then((fresh) => {
        const next = new Uint8Array(pool.length + fresh.length);
        next.set(pool);
        next.set(fresh, pool.length);
        pool.fill(0);
        fresh.fill(0);
        pool = next;
      })
      .finally(() => {
        fetching = undefined;
      });
    return fetching;
  };

  const take = (): Uint8Array => {
    if (pool.length < SHARE) {
      fill().catch(() => undefined);
      throw new EntropyUnavailable('the seal gave no randomness, so nothing was generated', {
        hint: 'the HSM cannot be reached: repair it, or take the entropy block out of the configuration',
      });
    }
    const share = Uint8Array.from(pool.subarray(0, SHARE));
    const rest = Uint8Array.from(pool.subarray(SHARE));
    pool.fill(0);
    pool = rest;
    if (pool.length < READY) fill().catch(() => undefined);
    return share;
  };

  const bytes = (length: number): Uint8Array => {
    const out = new Uint8Array(length);
    for (let offset = 0; offset < length; offset += CHUNK) {
      const size = Math.min(CHUNK, length - offset);
      const salt = take();
      const input = system.bytes(Math.max(SHARE, size));
      out.set(new Uint8Array(hkdfSync('sha256', input, salt, INFO, size)), offset);
      salt.fill(0);
      input.fill(0);
    }
    return out;
  };

  return {
    augmented: true,
    bytes,
    uuid: () => system.uuid(),
    fraction: () => system.fraction(),
    base62: (length) => base62(length, bytes),
    ready: async () => {
      if (pool.length >= READY) return;
      try {
        await fill();
      } catch (cause) {
        throw new EntropyUnavailable('the seal gave no randomness, so nothing was generated', {
          cause,
          hint: 'the HSM cannot be reached: repair it, or take the entropy block out of the configuration',
        });
      }
    },
    external: async (length) => {
      try {
        const out = new Uint8Array(length);
        for (let offset = 0; offset < length; offset += LARGEST) {
          const part = await fetch(Math.min(LARGEST, length - offset));
          out.set(part, offset);
          part.fill(0);
        }
        return out;
      } catch (cause) {
        throw new EntropyUnavailable('the seal gave no randomness, so nothing was generated', { cause });
      }
    },
  };
}

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

function base62(length: number, bytes: (length: number) => Uint8Array): string {
  let text = '';
  while (text.length < length) {
    for (const byte of bytes(length * 2)) {
      // As in random.ts: 248 is the largest multiple of 62 in a byte.
      if (byte < 248 && text.length < length) text += ALPHABET[byte % 62];
    }
  }
  return text;
}
