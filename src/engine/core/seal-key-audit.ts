import type { SealKey } from '../seal/seal.ts';
import type { SealKeyStatus } from '../sys/seal-port.ts';

/** Attributes that say where the key is or was: the value that is weak, and what it means. */
const EXPOSURE: readonly (readonly [name: string, weak: boolean, meaning: string])[] = [
  ['sensitive', false, 'CKA_SENSITIVE is false: its value can be read out of the HSM in the clear'],
  ['extractable', true, 'CKA_EXTRACTABLE is true: it can be wrapped by another key and taken out of the HSM'],
  ['alwaysSensitive', false, 'CKA_ALWAYS_SENSITIVE is false: its value could once be read in the clear'],
  ['neverExtractable', false, 'CKA_NEVER_EXTRACTABLE is false: it could once be taken out of the HSM'],
  ['local', false, 'CKA_LOCAL is false: it was made outside of the HSM, where copies may be'],
  ['private', false, 'CKA_PRIVATE is false: it can be used without a log-in'],
];

/** Usages that the seal does not need. */
const USAGES: Readonly<Record<string, string>> = {
  wrap: 'CKA_WRAP',
  unwrap: 'CKA_UNWRAP',
  sign: 'CKA_SIGN',
  verify: 'CKA_VERIFY',
  derive: 'CKA_DERIVE',
};

/**
 * Judges a key by what its HSM says of it. Usages beyond need do not make a key weak, but worth a word: with
 * CKA_WRAP and CKA_DECRYPT together it gives away other keys of its token.
 */
export function auditKey({ mechanism, keyLabel, keyId, attributes }: SealKey): SealKeyStatus {
  const exposed = EXPOSURE.filter(([name, weak]) => attributes[name] === weak).map(([, , word]) => word);
  const spare = Object.entries(USAGES)
    .filter(([name]) => attributes[name] === true)
    .map(([, attribute]) => attribute);
  return {
    label: keyLabel,
    id: keyId,
    mechanism,
    attributes: Object.fromEntries(
      Object.entries(attributes).map(([name, value]) => [snakeCase(name), value]),
    ),
    strong: exposed.length === 0,
    warnings: [
      ...exposed,
      ...(spare.length === 0
        ? []
        : [`it may be used for more than encrypting and decrypting: ${spare.join(', ')}`]),
    ],
  };
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
