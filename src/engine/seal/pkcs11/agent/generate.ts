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

/** Other keys must not leave the token under this one. Libraries that are silent about these may say yes. */
const WRAPS_NOTHING: Template = [
  { type: CKA.WRAP, value: false },
  { type: CKA.UNWRAP, value: false },
];

/**
 * Makes the key inside the HSM: on the token, private, sensitive, never extractable, for encrypting and
 * decrypting and nothing else, unchangeable. The value never exists outside.
 *
 * @throws ERR_HSM_OPERATION, ERR_HSM_MECHANISM
 */
export function generateKey(lib: PKCS11, session: Handle, choice: KeyChoice): void {
  const id = keyId(lib, session, choice);
  try {
    generate(lib, session, choice, id, [{ type: CKA.MODIFIABLE, value: false }], WRAPS_NOTHING);
  } catch (error) {
    if (!TEMPLATE_REFUSED.includes(ckrOf(error) ?? -1)) throw faultOf(error, 'generate');
    try {
      generate(lib, session, choice, id, [], []);
    } catch (second) {
      throw faultOf(second, 'generate');
    }
  }
}

function generate(
  lib: PKCS11,
  session: Handle,
  choice: KeyChoice,
  id: Uint8Array,
  dispensable: Template,
): void {
  const common: Template = [
    { type: CKA.TOKEN, value: true },
    { type: CKA.LABEL, value: choice.keyLabel ?? '' },
    { type: CKA.ID, value: view(id) },
    ...dispensable,
  ];
  const guarded: Template = [
    { type: CKA.PRIVATE, value: true },
    { type: CKA.SENSITIVE, value: true },
    { type: CKA.EXTRACTABLE, value: false },
    { type: CKA.DECRYPT, value: true },
    ...(choice.mechanism === 'CKM_RSA_PKCS_OAEP' ? usage.slice(1) : usage),
  ];
  if (choice.mechanism !== 'CKM_RSA_PKCS_OAEP') {
    lib.C_GenerateKey(session, { mechanism: CKM.AES_KEY_GEN }, [
      { type: CKA.CLASS, value: CKO.SECRET_KEY },
      { type: CKA.KEY_TYPE, value: CKK.AES },
      { type: CKA.VALUE_LEN, value: 32 },
      { type: CKA.ENCRYPT, value: true },
      ...guarded,
      ...common,
    ]);
    return;
  }
  lib.C_GenerateKeyPair(
    session,
    { mechanism: CKM.RSA_PKCS_KEY_PAIR_GEN },
    [
      { type: CKA.CLASS, value: CKO.PUBLIC_KEY },
      { type: CKA.KEY_TYPE, value: CKK.RSA },
      { type: CKA.MODULUS_BITS, value: RSA_BITS },
      { type: CKA.PUBLIC_EXPONENT, value: view(Uint8Array.of(1, 0, 1)) },
      { type: CKA.ENCRYPT, value: true },
      ...common,
    ],
    [
      { type: CKA.CLASS, value: CKO.PRIVATE_KEY },
      { type: CKA.KEY_TYPE, value: CKK.RSA },
      ...guarded,
      ...common,
    ],
  );
}

function keyId(lib: PKCS11, session: Handle, choice: KeyChoice): Uint8Array {
  if (choice.keyId !== undefined) return fromHex(choice.keyId) ?? new Uint8Array();
  try {
    return lib.C_GenerateRandom(session, Buffer.alloc(ID_LENGTH));
  } catch (error) {
    throw faultOf(error, 'random');
  }
}
