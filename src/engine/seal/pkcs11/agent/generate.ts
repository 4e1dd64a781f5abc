import type { Handle, PKCS11, Template } from 'pkcs11js';
import { fromHex, view } from '../../../../lib/bytes.ts';
import { CKA, CKK, CKM, CKO, CKR } from './cryptoki.ts';
import { ckrOf, faultOf } from './fault.ts';
import type { KeyChoice } from './key.ts';

const RSA_BITS = 3072;
const ID_LENGTH = 8;

/** Refusals of an attribute, for which a generation without the dispensable ones is worth a try. */
const TEMPLATE_REFUSED: readonly number[] = [
  CKR.ATTRIBUTE_READ_ONLY,
  CKR.ATTRIBUTE_TYPE_INVALID,
  CKR.ATTRIBUTE_VALUE_INVALID,
  CKR.TEMPLATE_INCONSISTENT,
];

/**
 * Makes the key inside the HSM: on the token, private, sensitive, never extractable, for encrypting and
 * decrypting and nothing else, unchangeable. The value never exists outside.
 *
 * @throws ERR_HSM_OPERATION, ERR_HSM_MECHANISM
 */
export function generateKey(lib: PKCS11, session: Handle, choice: KeyChoice): void {
  const id = keyId(lib, session, choice);
  const generate = choice.mechanism === 'CKM_RSA_PKCS_OAEP' ? generateRsa : generateAes;
  for (const strictness of ['only-encrypts', 'unchangeable', 'guarded'] as const) {
    try {
      generate(lib, session, naming(choice, id), strictness);
      return;
    } catch (error) {
      if (!isTemplateRefused(error) || strictness === 'guarded') throw faultOf(error, 'generate');
    }
  }
}

/** Whether a library refused an attribute of a template, not the key as such. */
export function isTemplateRefused(error: unknown): boolean {
  return TEMPLATE_REFUSED.includes(ckrOf(error) ?? -1);
}

function naming(choice: KeyChoice, id: Uint8Array): Template {
  return [
    { type: CKA.TOKEN, value: true },
    { type: CKA.LABEL, value: choice.keyLabel ?? '' },
    { type: CKA.ID, value: view(id) },
  ];
}

const GUARDED: Template = [
  { type: CKA.PRIVATE, value: true },
  { type: CKA.SENSITIVE, value: true },
  { type: CKA.EXTRACTABLE, value: false },
  { type: CKA.DECRYPT, value: true },
];

// Some libraries refuse to be told these; others say yes to what they are not told.
const UNCHANGEABLE: Template = [{ type: CKA.MODIFIABLE, value: false }];
const WRAPS_NO_KEYS: Template = [{ type: CKA.WRAP, value: false }];
const UNWRAPS_NO_KEYS: Template = [{ type: CKA.UNWRAP, value: false }];

const NOTHING_ELSE: Template = [
  { type: CKA.SIGN, value: false },
  { type: CKA.VERIFY, value: false },
  { type: CKA.DERIVE, value: false },
];

/** How much is asked of the library: from everything to what is indispensable. */
type Strictness = 'only-encrypts' | 'unchangeable' | 'guarded';

function generateAes(lib: PKCS11, session: Handle, named: Template, strictness: Strictness): void {
  lib.C_GenerateKey(session, { mechanism: CKM.AES_KEY_GEN }, [
    { type: CKA.CLASS, value: CKO.SECRET_KEY },
    { type: CKA.KEY_TYPE, value: CKK.AES },
    { type: CKA.VALUE_LEN, value: 32 },
    { type: CKA.ENCRYPT, value: true },
    ...GUARDED,
    ...named,
    ...(strictness === 'guarded' ? [] : [...UNCHANGEABLE, ...WRAPS_NO_KEYS, ...UNWRAPS_NO_KEYS]),
    ...(strictness === 'only-encrypts' ? NOTHING_ELSE : []),
  ]);
}

function generateRsa(lib: PKCS11, session: Handle, named: Template, strictness: Strictness): void {
  const strict = strictness !== 'guarded';
  const publicKey: Template = [
    { type: CKA.CLASS, value: CKO.PUBLIC_KEY },
    { type: CKA.KEY_TYPE, value: CKK.RSA },
    { type: CKA.MODULUS_BITS, value: RSA_BITS },
    { type: CKA.PUBLIC_EXPONENT, value: view(Uint8Array.of(1, 0, 1)) },
    { type: CKA.ENCRYPT, value: true },
    ...named,
    ...(strict ? [...UNCHANGEABLE, ...WRAPS_NO_KEYS] : []),
  ];
  const privateKey: Template = [
    { type: CKA.CLASS, value: CKO.PRIVATE_KEY },
    { type: CKA.KEY_TYPE, value: CKK.RSA },
    ...GUARDED,
    ...named,
    ...(strict ? [...UNCHANGEABLE, ...UNWRAPS_NO_KEYS] : []),
  ];
  lib.C_GenerateKeyPair(session, { mechanism: CKM.RSA_PKCS_KEY_PAIR_GEN }, publicKey, privateKey);
}

function keyId(lib: PKCS11, session: Handle, choice: KeyChoice): Uint8Array {
  if (choice.keyId !== undefined) return fromHex(choice.keyId) ?? new Uint8Array();
  try {
    return lib.C_GenerateRandom(session, Buffer.alloc(ID_LENGTH));
  } catch (error) {
    throw faultOf(error, 'random');
  }
}
