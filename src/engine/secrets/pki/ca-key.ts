import type { KeyObject } from 'node:crypto';
import type { Storage } from '../../logical/storage.ts';
import { privateKeyOf, reasonOf, resolveKey } from './issuers.ts';
import { type KeyType, settleKey } from './key-type.ts';
import { Refused } from './refused.ts';
import { generateKey } from './x509/keys.ts';

/** Which key an authority is to have. */
export interface CaKeyRequest {
  /** internal, exported or existing. */
  readonly exported: string;
  readonly key_ref: string;
  /** Undefined where it is not asked for. */
  readonly key_type: string | undefined;
  readonly key_bits: number | undefined;
  readonly signature_bits: number;
}

export interface CaKey {
  readonly key: KeyObject;
  readonly isExported: boolean;
}

/** A new key, or one that is here. */
export async function openCaKey(storage: Storage, request: CaKeyRequest): Promise<CaKey | Refused> {
  const { exported } = request;
  if (exported === 'kms') return new Refused('managed keys are not supported');
  if (!['internal', 'exported', 'existing'].includes(exported)) {
    return new Refused('the "exported" path parameter must be "internal", "existing", exported" or "kms"');
  }
  if (exported === 'existing') {
    if (request.key_type !== undefined || request.key_bits !== undefined) {
      return new Refused(
        'invalid parameter for the kms/existing path parameter, key_type nor key_bits arguments can be set in this mode',
      );
    }
    const entry = await resolveKey(storage, request.key_ref);
    return entry instanceof Refused
      ? new Refused(`failed to lookup public key from existing key: ${reasonOf(entry)}`)
      : { key: privateKeyOf(entry), isExported: false };
  }
  const keyType = request.key_type ?? 'rsa';
  const settled = settleKey(keyType, request.key_bits ?? 0, request.signature_bits);
  if (settled instanceof Refused) return settled;
  if (keyType === 'any') return new Refused('unknown key type any');
  const key = await generateKey({ keyType: keyType as KeyType, keyBits: settled.keyBits });
  return { key, isExported: exported === 'exported' };
}
