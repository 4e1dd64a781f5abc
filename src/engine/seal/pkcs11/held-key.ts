import { isOaepHash, type OaepHash } from './mechanism.ts';
import { isObject, malformed, type Message, numberField, part, textField } from './message.ts';
import { MAX_PIN_BYTES } from './pin.ts';

/** Which key of which token, for `sys/managed-keys/pkcs11`. */
export interface HeldKeyChoice {
  readonly slot?: bigint;
  readonly tokenLabel?: string;
  readonly keyLabel?: string;
  /** Lower-case hex. */
  readonly keyId?: string;
  readonly keyType: HeldKeyType;
  readonly forceRwSession: boolean;
}

export type HeldKeyType = 'rsa' | 'ec';

/** How a key is made when it is not there. */
export interface HeldKeyShape {
  /** RSA: 2048, 3072 or 4096. EC: 256, 384 or 521. */
  readonly bits: number;
  readonly use: 'sign' | 'decrypt';
}

/** What is done with a key; the bytes come beside it. */
export type HeldKeyOrder =
  | { readonly op: 'find'; readonly generate?: HeldKeyShape }
  | {
      readonly op: 'sign';
      readonly scheme: HeldKeyScheme;
      readonly hash: OaepHash;
      readonly saltLength: number;
    }
  | { readonly op: 'decrypt'; readonly hash: OaepHash };

/** PKCS #1 v1.5 and PSS (RFC 8017), ECDSA. */
export type HeldKeyScheme = 'pkcs1' | 'pss' | 'ecdsa';

/** Of `find`; the public key is in the part `spki`. */
export interface FoundKey {
  readonly keyLabel: string;
  readonly keyId: string;
  readonly generated: boolean;
}

/** Digests, ciphertexts, signatures and public keys are shorter. */
export const MAX_HELD_BYTES = 4096;

/** A key that seals a vault, as its configuration names it: what is given must fit. */
export interface SealKeyName {
  readonly keyLabel?: string;
  /** Lower-case hex. */
  readonly keyId?: string;
}

/** @param lib path of the library for its process; its name for an HSM agent */
export function orderFields(
  lib: string,
  choice: HeldKeyChoice,
  order: HeldKeyOrder,
): Record<string, unknown> {
  const { slot, ...rest } = choice;
  return { lib, order, choice: { ...rest, ...(slot === undefined ? {} : { slot: String(slot) }) } };
}

export interface ReadOrder {
  readonly lib: string;
  readonly choice: HeldKeyChoice;
  readonly order: HeldKeyOrder;
  readonly pin: Uint8Array;
  readonly input: Uint8Array;
}

/** @throws ERR_HSM_AGENT_UNAVAILABLE */
export function readOrder(message: Message): ReadOrder {
  const { choice, order } = message.head;
  if (!isObject(choice) || !isObject(order)) throw malformed();
  return {
    lib: textField(message.head, 'lib'),
    choice: readChoice(choice),
    order: readWhat(order),
    pin: part(message, 'pin', MAX_PIN_BYTES),
    input: part(message, 'input', MAX_HELD_BYTES),
  };
}

function readChoice(choice: Readonly<Record<string, unknown>>): HeldKeyChoice {
  const optional = (name: 'tokenLabel' | 'keyLabel' | 'keyId'): Partial<HeldKeyChoice> =>
    choice[name] === undefined ? {} : { [name]: textField(choice, name) };
  return {
    ...(choice['slot'] === undefined ? {} : { slot: slotField(choice) }),
    ...optional('tokenLabel'),
    ...optional('keyLabel'),
    ...optional('keyId'),
    keyType: choice['keyType'] === 'ec' ? 'ec' : 'rsa',
    forceRwSession: choice['forceRwSession'] === true,
  };
}

function slotField(choice: Readonly<Record<string, unknown>>): bigint {
  const slot = textField(choice, 'slot');
  if (!/^\d{1,20}$/.test(slot)) throw malformed();
  return BigInt(slot);
}

/** What the parent of the process says besides: it alone knows. */
export function readHouseRules(message: Message): { fresh: boolean; sealKeys: SealKeyName[] } {
  const { fresh, sealKeys } = message.head;
  if (!Array.isArray(sealKeys)) throw malformed();
  return { fresh: fresh === true, sealKeys: sealKeys.map(readSealKey) };
}

function readSealKey(value: unknown): SealKeyName {
  if (!isObject(value)) throw malformed();
  return {
    ...(value['keyLabel'] === undefined ? {} : { keyLabel: textField(value, 'keyLabel') }),
    ...(value['keyId'] === undefined ? {} : { keyId: textField(value, 'keyId') }),
  };
}

function readWhat(order: Readonly<Record<string, unknown>>): HeldKeyOrder {
  const op = textField(order, 'op');
  const { generate } = order;
  if (op === 'find') {
    if (!isObject(generate)) return { op };
    const use = textField(generate, 'use') === 'decrypt' ? 'decrypt' : 'sign';
    return { op, generate: { bits: numberField(generate, 'bits'), use } };
  }
  const hash = textField(order, 'hash');
  if (!isOaepHash(hash)) throw malformed();
  if (op === 'decrypt') return { op, hash };
  const scheme = textField(order, 'scheme');
  if (op !== 'sign' || (scheme !== 'pkcs1' && scheme !== 'pss' && scheme !== 'ecdsa')) throw malformed();
  return { op, hash, scheme, saltLength: numberField(order, 'saltLength') };
}
