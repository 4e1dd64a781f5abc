import type { Handle, PKCS11, TokenInfo } from 'pkcs11js';
import { view } from '../../../../lib/bytes.ts';
import { HsmError } from '../errors.ts';
import { CKF_TOKEN } from './cryptoki.ts';
import { faultOf } from './fault.ts';

export interface TokenChoice {
  readonly slot?: bigint;
  readonly tokenLabel?: string;
  readonly serial?: string;
}

export interface Token {
  readonly slot: Handle;
  readonly slotNumber: bigint;
  readonly label: string;
  readonly serial: string;
  readonly flags: number;
}

/**
 * The one initialised token that fits everything that is configured. Slots are matched by number, never by
 * their place in the list, which changes when tokens come and go.
 *
 * @throws ERR_HSM_TOKEN_NOT_FOUND, ERR_HSM_TOKEN_AMBIGUOUS
 */
export function findToken(lib: PKCS11, choice: TokenChoice): Token {
  const tokens = listTokens(lib);
  const fitting = tokens.filter(
    (token) =>
      (choice.slot === undefined || token.slotNumber === choice.slot) &&
      (choice.tokenLabel === undefined || token.label === choice.tokenLabel) &&
      (choice.serial === undefined || token.serial === choice.serial),
  );
  const usable = fitting.filter((token) => (token.flags & CKF_TOKEN.INITIALIZED) !== 0);
  const [first] = usable;
  if (first === undefined) {
    throw new HsmError('ERR_HSM_TOKEN_NOT_FOUND', {
      hint: fitting.length > 0 ? 'the token in the slot is not initialised' : notFoundHint(tokens, choice),
      repair: 'ladder',
    });
  }
  if (usable.length > 1) {
    throw new HsmError('ERR_HSM_TOKEN_AMBIGUOUS', {
      hint: `${usable.length} tokens fit: add serial (${usable.map((token) => token.serial).join(', ')})`,
    });
  }
  return first;
}

/** Every token present, the uninitialised ones too. @throws ERR_HSM_OPERATION */
export function listTokens(lib: PKCS11): Token[] {
  try {
    return lib.C_GetSlotList(true).flatMap((slot) => {
      const info = infoOf(lib, slot);
      return info === undefined
        ? []
        : [
            {
              slot,
              slotNumber: handleNumber(slot),
              label: trim(info.label),
              serial: trim(info.serialNumber),
              flags: info.flags,
            },
          ];
    });
  } catch (error) {
    throw faultOf(error, 'slots');
  }
}

// A broken token in one slot must not hide a good one in another.
function infoOf(lib: PKCS11, slot: Handle): TokenInfo | undefined {
  try {
    return lib.C_GetTokenInfo(slot);
  } catch {
    return undefined;
  }
}

function handleNumber(handle: Uint8Array): bigint {
  return handle.length === 8 ? view(handle).readBigUInt64LE(0) : BigInt(view(handle).readUInt32LE(0));
}

// Fields are padded with blanks (PKCS#11 v2.40 §3.2); some libraries pad with zeros.
function trim(text: string): string {
  let end = text.length;
  while (end > 0 && (text[end - 1] === ' ' || text[end - 1] === '\0')) end -= 1;
  return text.slice(0, end);
}

function notFoundHint(tokens: readonly Token[], choice: TokenChoice): string {
  const wanted = [
    ...(choice.slot === undefined ? [] : [`slot ${choice.slot}`]),
    ...(choice.tokenLabel === undefined ? [] : [`token_label ${JSON.stringify(choice.tokenLabel)}`]),
    ...(choice.serial === undefined ? [] : [`serial ${JSON.stringify(choice.serial)}`]),
  ].join(', ');
  if (tokens.length === 0) {
    return `${wanted}: the library shows no token at all (with p11-kit: is its server up, and its socket open to this user? with Kryoptic: does KRYOPTIC_CONF name its configuration?)`;
  }
  const shown = tokens
    .filter((token) => (token.flags & CKF_TOKEN.INITIALIZED) !== 0)
    .slice(0, 8)
    .map((token) => `slot ${token.slotNumber} ${JSON.stringify(token.label)}`);
  return `${wanted}: the initialised tokens are: ${shown.length === 0 ? 'none' : shown.join(', ')}`;
}
