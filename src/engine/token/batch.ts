import { text, toBase64, fromBase64, utf8 } from '../../lib/bytes.ts';
import { errorCode } from '../../lib/errors.ts';
import { parseJson } from '../../lib/json.ts';
import type { TokenEntry } from '../logical/request.ts';

/** The barrier as batch tokens need it: they are its records, kept by clients instead of by the storage. */
export interface TokenCipher {
  encrypt(context: string, plaintext: Uint8Array): Uint8Array;
  /** @throws ERR_BARRIER_CORRUPT */
  decrypt(context: string, record: Uint8Array): Uint8Array;
}

const PREFIX = 'hvb.';
const CONTEXT = 'batch-token';

/** @returns whether a text has the form of a batch token. */
export function isBatchToken(token: string): boolean {
  return token.startsWith(PREFIX);
}

/** The text of a batch token: everything about it, encrypted; nothing of it is stored. */
export function sealBatchToken(cipher: TokenCipher, entry: Omit<TokenEntry, 'hash'>): string {
  const record = cipher.encrypt(CONTEXT, utf8(JSON.stringify(entry)));
  return PREFIX + toBase64(record).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** @returns undefined for a text that this vault did not make */
export function openBatchToken(cipher: TokenCipher, token: string): Omit<TokenEntry, 'hash'> | undefined {
  const body = token.slice(PREFIX.length).replaceAll('-', '+').replaceAll('_', '/');
  const record = fromBase64(body.padEnd(Math.ceil(body.length / 4) * 4, '='));
  if (record === undefined) return undefined;
  try {
    return parseJson(text(cipher.decrypt(CONTEXT, record))) as unknown as Omit<TokenEntry, 'hash'>;
  } catch (error) {
    if (errorCode(error) === 'ERR_BARRIER_CORRUPT') return undefined;
    throw error;
  }
}
