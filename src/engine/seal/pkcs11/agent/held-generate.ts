import type { Handle, PKCS11, Template } from 'pkcs11js';
import { fromHex, view } from '../../../../lib/bytes.ts';
import { HsmError } from '../errors.ts';
import type { HeldKeyChoice, HeldKeyShape } from '../held-key.ts';
import { CKA, CKK, CKM, CKO } from './cryptoki.ts';
import { faultOf } from './fault.ts';
import { isTemplateRefused } from './generate.ts';
import { CURVES } from './held-pair.ts';

const ID_LENGTH = 8;

/**
 * Makes a key pair inside the HSM: the private key on the token, private, sensitive, never extractable, and for one use.
 *
 * @throws ERR_HSM_KEY_NOT_FOUND for a key that is named by its id: ids are the HSM's to give; ERR_HSM_OPERATION, ERR_HSM_MECHANISM
 */
export function generatePair(lib: PKCS11, session: Handle, choice: HeldKeyChoice, shape: HeldKeyShape): void {
  if (choice.keyLabel === undefined || choice.keyId !== undefined) {
    throw new HsmError('ERR_HSM_KEY_NOT_FOUND', {
      hint: 'a key that is named by key_id is never made: give key_label only, or make it on the token',
    });
  }
  try {
    const id = lib.C_GenerateRandom(session, Buffer.alloc(ID_LENGTH));
    const named: Template = [
      { type: CKA.TOKEN, value: true },
      { type: CKA.LABEL, value: choice.keyLabel },
      { type: CKA.ID, value: view(id) },
    ];
    try {
      generate(lib, session, choice, shape, named, true);
    } catch (error) {
      if (!isTemplateRefused(error)) throw error;
      generate(lib, session, choice, shape, named, false);
    }
  } catch (error) {
    throw faultOf(error, 'generate');
  }
}

function generate(
  lib: PKCS11,
  session: Handle,
  { keyType }: HeldKeyChoice,
  { bits, use }: HeldKeyShape,
  named: Template,
  strict: boolean,
): void {
  const type = { type: CKA.KEY_TYPE, value: keyType === 'ec' ? CKK.EC : CKK.RSA };
  const signs = use === 'sign';
  const publicKey: Template = [
    { type: CKA.CLASS, value: CKO.PUBLIC_KEY },
    type,
    ...named,
    { type: signs ? CKA.VERIFY : CKA.ENCRYPT, value: true },
    ...(keyType === 'ec' ? [{ type: CKA.EC_PARAMS, value: curveOf(bits) }] : modulus(bits)),
  ];
  const privateKey: Template = [
    { type: CKA.CLASS, value: CKO.PRIVATE_KEY },
    type,
    ...named,
    { type: CKA.PRIVATE, value: true },
    { type: CKA.SENSITIVE, value: true },
    { type: CKA.EXTRACTABLE, value: false },
    { type: signs ? CKA.SIGN : CKA.DECRYPT, value: true },
    ...(strict
      ? [
          { type: signs ? CKA.DECRYPT : CKA.SIGN, value: false },
          { type: CKA.UNWRAP, value: false },
          { type: CKA.DERIVE, value: false },
          { type: CKA.MODIFIABLE, value: false },
        ]
      : []),
  ];
  const mechanism = keyType === 'ec' ? CKM.EC_KEY_PAIR_GEN : CKM.RSA_PKCS_KEY_PAIR_GEN;
  lib.C_GenerateKeyPair(session, { mechanism }, publicKey, privateKey);
}

function modulus(bits: number): Template {
  return [
    { type: CKA.MODULUS_BITS, value: bits },
    { type: CKA.PUBLIC_EXPONENT, value: view(Uint8Array.of(1, 0, 1)) },
  ];
}

function curveOf(bits: number): Buffer {
  const [oid] = Object.entries(CURVES).find(([, curve]) => curve.bits === bits) ?? [''];
  return view(fromHex(oid) ?? new Uint8Array());
}
