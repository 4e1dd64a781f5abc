import { createHash } from 'node:crypto';
import type { Handle, PKCS11, Template } from 'pkcs11js';
import { fromHex, text, toHex, view } from '../../../../lib/bytes.ts';
import { HsmError } from '../errors.ts';
import type { MechanismName } from '../mechanism.ts';
import { CKA, CKK, CKO } from './cryptoki.ts';
import { faultOf } from './fault.ts';

/** A key on the token, found once per session. */
export interface Key {
  readonly mechanism: MechanismName;
  /** The secret key, or the private key of a pair. */
  readonly handle: Handle;
  readonly label: string;
  readonly id: string;
  readonly checkValue: string;
  readonly publicHandle?: Handle;
  /** Of an RSA key. */
  readonly modulus?: Uint8Array;
  readonly exponent?: Uint8Array;
}

export interface KeyChoice {
  readonly keyLabel?: string;
  readonly keyId?: string;
  readonly mechanism?: MechanismName;
}

/** Labels and ids are not unique on a token: a second one is an error, never a silent choice. */
const MOST = 3;

/**
 * @returns the one key that fits, or undefined when there is none
 * @throws ERR_HSM_KEY_AMBIGUOUS, ERR_HSM_OPERATION
 */
export function findKey(lib: PKCS11, session: Handle, choice: KeyChoice): Key | undefined {
  const fitting: Key[] = [];
  if (choice.mechanism !== 'CKM_RSA_PKCS_OAEP') {
    for (const handle of find(lib, session, CKO.SECRET_KEY, CKK.AES, choice)) {
      fitting.push({
        mechanism: 'CKM_AES_GCM',
        handle,
        ...names(lib, session, handle),
        checkValue: toHex(attribute(lib, session, handle, CKA.CHECK_VALUE) ?? new Uint8Array()),
      });
    }
  }
  if (choice.mechanism !== 'CKM_AES_GCM') {
    for (const handle of find(lib, session, CKO.PRIVATE_KEY, CKK.RSA, choice)) {
      fitting.push(rsaKey(lib, session, handle));
    }
  }
  if (fitting.length > 1) {
    throw new HsmError('ERR_HSM_KEY_AMBIGUOUS', {
      hint: `${describe(choice)} fits ${fitting.length === MOST ? 'three or more' : 'two'} keys: give key_label and key_id, or remove the copies`,
    });
  }
  return fitting[0];
}

/** @throws ERR_HSM_KEY_AMBIGUOUS, ERR_HSM_OPERATION */
export function findHmacKey(lib: PKCS11, session: Handle, choice: KeyChoice): Handle | undefined {
  const found = [CKK.GENERIC_SECRET, CKK.SHA256_HMAC].flatMap((type) =>
    find(lib, session, CKO.SECRET_KEY, type, choice),
  );
  if (found.length > 1)
    throw new HsmError('ERR_HSM_KEY_AMBIGUOUS', { hint: `${describe(choice)} fits more than one HMAC key` });
  return found[0];
}

function rsaKey(lib: PKCS11, session: Handle, handle: Handle): Key {
  const { label, id } = names(lib, session, handle);
  const choice = id === '' ? { keyLabel: label } : { keyId: id };
  const [publicHandle] = find(lib, session, CKO.PUBLIC_KEY, CKK.RSA, choice);
  const read = (type: number): Uint8Array | undefined =>
    (publicHandle && attribute(lib, session, publicHandle, type)) ?? attribute(lib, session, handle, type);
  const modulus = read(CKA.MODULUS);
  const exponent = read(CKA.PUBLIC_EXPONENT);
  return {
    mechanism: 'CKM_RSA_PKCS_OAEP',
    handle,
    label,
    id,
    // RSA keys have no check value of their own: three bytes of the modulus' digest serve as well.
    checkValue:
      modulus === undefined ? '' : toHex(createHash('sha256').update(modulus).digest().subarray(0, 3)),
    ...(publicHandle === undefined ? {} : { publicHandle }),
    ...(modulus === undefined ? {} : { modulus }),
    ...(exponent === undefined ? {} : { exponent }),
  };
}

function names(lib: PKCS11, session: Handle, handle: Handle): { label: string; id: string } {
  return {
    label: text(attribute(lib, session, handle, CKA.LABEL) ?? new Uint8Array()),
    id: toHex(attribute(lib, session, handle, CKA.ID) ?? new Uint8Array()),
  };
}

/** Handles of what fits, at most three. @throws ERR_HSM_OPERATION */
export function find(
  lib: PKCS11,
  session: Handle,
  objectClass: number,
  keyType: number,
  choice: Pick<KeyChoice, 'keyLabel' | 'keyId'>,
): Handle[] {
  const template: Template = [
    { type: CKA.CLASS, value: objectClass },
    { type: CKA.KEY_TYPE, value: keyType },
  ];
  if (choice.keyLabel !== undefined) template.push({ type: CKA.LABEL, value: choice.keyLabel });
  if (choice.keyId !== undefined)
    template.push({ type: CKA.ID, value: view(fromHex(choice.keyId) ?? new Uint8Array()) });
  try {
    lib.C_FindObjectsInit(session, template);
    try {
      return lib.C_FindObjects(session, MOST);
    } finally {
      lib.C_FindObjectsFinal(session);
    }
  } catch (error) {
    throw faultOf(error, 'find');
  }
}

/** @returns the value of an attribute, or undefined when the HSM does not tell it */
export function attribute(
  lib: PKCS11,
  session: Handle,
  handle: Handle,
  type: number,
): Uint8Array | undefined {
  try {
    return lib.C_GetAttributeValue(session, handle, [{ type }])[0]?.value;
  } catch {
    return undefined;
  }
}

const REPORTED: Readonly<Record<string, number>> = {
  token: CKA.TOKEN,
  private: CKA.PRIVATE,
  sensitive: CKA.SENSITIVE,
  alwaysSensitive: CKA.ALWAYS_SENSITIVE,
  extractable: CKA.EXTRACTABLE,
  neverExtractable: CKA.NEVER_EXTRACTABLE,
  local: CKA.LOCAL,
  modifiable: CKA.MODIFIABLE,
  encrypt: CKA.ENCRYPT,
  decrypt: CKA.DECRYPT,
  wrap: CKA.WRAP,
  unwrap: CKA.UNWRAP,
  sign: CKA.SIGN,
  verify: CKA.VERIFY,
  derive: CKA.DERIVE,
};

/** The attributes of the secret or private key that say how well it is kept. */
export function keyAttributes(lib: PKCS11, session: Handle, key: Key): Record<string, boolean> {
  const attributes: Record<string, boolean> = {};
  for (const [name, type] of Object.entries(REPORTED)) {
    const value = attribute(lib, session, key.handle, type);
    if (value?.length === 1) attributes[name] = value[0] !== 0;
  }
  return attributes;
}

/** @throws ERR_HSM_KEY_UNUSABLE when the HSM says that the key may not do what the seal needs */
export function checkUsage(lib: PKCS11, session: Handle, key: Key, encryptsLocally: boolean): void {
  const denied: string[] = [];
  const check = (handle: Handle, type: number, name: string): void => {
    const value = attribute(lib, session, handle, type);
    if (value?.length === 1 && value[0] === 0) denied.push(name);
  };
  check(key.handle, CKA.DECRYPT, 'CKA_DECRYPT');
  if (key.mechanism === 'CKM_AES_GCM') check(key.handle, CKA.ENCRYPT, 'CKA_ENCRYPT');
  else if (encryptsLocally && key.modulus === undefined) denied.push('reading its public modulus');
  else if (!encryptsLocally && key.publicHandle === undefined)
    denied.push('encrypting: its public key is not on the token; set rsa_encrypt_local');
  else if (!encryptsLocally && key.publicHandle !== undefined)
    check(key.publicHandle, CKA.ENCRYPT, 'CKA_ENCRYPT');
  if (denied.length > 0)
    throw new HsmError('ERR_HSM_KEY_UNUSABLE', { hint: `it does not permit ${denied.join(', ')}` });
}

/** The choice in words: names of keys, which are no secret. */
export function describe(choice: Pick<KeyChoice, 'keyLabel' | 'keyId'>): string {
  const parts = [
    ...(choice.keyLabel === undefined ? [] : [`key_label ${JSON.stringify(choice.keyLabel)}`]),
    ...(choice.keyId === undefined ? [] : [`key_id ${choice.keyId}`]),
  ];
  return parts.join(' with ');
}
