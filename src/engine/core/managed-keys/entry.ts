import { fromHex } from '../../../lib/bytes.ts';
import { Secret } from '../../../lib/secret.ts';
import type { ManagedKeyUse } from '../../logical/managed-key.ts';
import type { HeldKeyShape } from '../../seal/pkcs11/held-key.ts';
import type { HeldKey } from '../../seal/pkcs11/key-library.ts';
import type { ManagedKeyConfig } from '../../sys/managed-key-port.ts';

/** A configured key as it is stored. */
export interface ManagedKeyEntry extends ManagedKeyConfig {
  readonly id: string;
}

const USES: ReadonlyMap<number, ManagedKeyUse> = new Map<number, ManagedKeyUse>([
  [0x0001, 'pkcs1'],
  [0x000d, 'pss'],
  [0x0009, 'oaep'],
  [0x1041, 'ecdsa'],
]);
const RSA_BITS: readonly number[] = [2048, 3072, 4096];
const CURVES: Readonly<Record<string, number>> = { P256: 256, P384: 384, P521: 521 };

export function useOf({ mechanism }: ManagedKeyConfig): ManagedKeyUse {
  return USES.get(mechanism) ?? 'pkcs1';
}

/** @returns what is wrong with a configuration */
export function problemOf(config: ManagedKeyConfig, libraries: ReadonlySet<string>): string | undefined {
  const { library, mechanism, slot, tokenLabel, keyLabel, keyId, pin, curve, keyBits } = config;
  if (library === '') return 'missing library: the name of a kms_library stanza of the configuration';
  if (!libraries.has(library)) return `no kms_library stanza named ${JSON.stringify(library)} is configured`;
  if (keyLabel === '' && keyId === '') return 'key_label or key_id is required';
  if (keyId !== '' && !isHex(keyId)) return 'key_id must be hex';
  if (slot === '' && tokenLabel === '') return 'slot or token_label is required';
  if (slot !== '' && !isSlot(slot)) return 'slot must be a decimal number';
  if (pin === '') return 'pin is required';
  const use = USES.get(mechanism);
  if (use === undefined)
    return 'mechanism must be 0x1041 (CKM_ECDSA), 0x000D (CKM_RSA_PKCS_PSS), 0x0009 (CKM_RSA_PKCS_OAEP) or 0x0001 (CKM_RSA_PKCS)';
  if (use === 'ecdsa' && curve !== '' && CURVES[curve] === undefined)
    return 'curve must be P256, P384 or P521';
  if (use !== 'ecdsa' && keyBits !== 0 && !RSA_BITS.includes(keyBits))
    return 'key_bits must be 2048, 3072 or 4096';
  if (!config.allowGenerateKey) return undefined;
  if (use === 'ecdsa' && curve === '') return 'curve is required when allow_generate_key is true';
  return use !== 'ecdsa' && keyBits === 0
    ? 'key_bits is required when allow_generate_key is true'
    : undefined;
}

/** Which key on which token, and its PIN. */
export function heldKeyOf(entry: ManagedKeyEntry): HeldKey {
  const { slot, tokenLabel, keyLabel, keyId, pin, forceRwSession } = entry;
  return {
    choice: {
      ...(slot === '' ? {} : { slot: BigInt(slot) }),
      ...(tokenLabel === '' ? {} : { tokenLabel }),
      ...(keyLabel === '' ? {} : { keyLabel }),
      ...(keyId === '' ? {} : { keyId }),
      keyType: useOf(entry) === 'ecdsa' ? 'ec' : 'rsa',
      forceRwSession,
    },
    pin: Secret.fromText(pin),
  };
}

/** How the key is made when it is not there; undefined when it may not be. */
export function shapeOf(entry: ManagedKeyEntry): HeldKeyShape | undefined {
  if (!entry.allowGenerateKey) return undefined;
  const use = useOf(entry);
  const bits = use === 'ecdsa' ? (CURVES[entry.curve] ?? 256) : entry.keyBits;
  return { bits, use: use === 'oaep' ? 'decrypt' : 'sign' };
}

function isHex(value: string): boolean {
  return (fromHex(value)?.length ?? 0) > 0;
}

function isSlot(value: string): boolean {
  return /^\d{1,20}$/.test(value) && BigInt(value) < 1n << 64n;
}
