import type { KeyObject } from 'node:crypto';
import type { Pki } from './context.ts';
import { reasonOf, resolveKey } from './issuers.ts';
import { type KeyType, settleKey } from './key-type.ts';
import { Refused } from './refused.ts';
import { signingKeyOf } from './signing.ts';
import { generateKey, shapeOf } from './x509/keys.ts';
import type { SigningKey } from './x509/signing-key.ts';

/** Which key an authority is to have. */
export interface CaKeyRequest {
  /** internal, exported or existing. */
  readonly exported: string;
  readonly key_ref: string;
  /** Undefined where it is not asked for. */
  readonly key_type: string | undefined;
  readonly key_bits: number | undefined;
  readonly signature_bits: number;
  /** With kms: the managed key, by its name or its id. */
  readonly managed_key_name: string;
  readonly managed_key_id: string;
}

export interface CaKey {
  readonly key: SigningKey;
  /** The key once more, when it goes to the client. */
  readonly exported: KeyObject | undefined;
}

/** A new key, one that is here, or a managed key. @throws ERR_HSM_* for the latter */
export async function openCaKey(
  pki: Pick<Pki, 'storage' | 'openManagedKey'>,
  request: CaKeyRequest,
): Promise<CaKey | Refused> {
  const { exported } = request;
  if (exported === 'kms') return openManaged(pki, request);
  if (!['internal', 'exported', 'existing'].includes(exported)) {
    return new Refused('the "exported" path parameter must be "internal", "existing", exported" or "kms"');
  }
  if (exported === 'existing') {
    if (request.key_type !== undefined || request.key_bits !== undefined) {
      return new Refused(
        'invalid parameter for the kms/existing path parameter, key_type nor key_bits arguments can be set in this mode',
      );
    }
    const entry = await resolveKey(pki.storage, request.key_ref);
    if (entry instanceof Refused)
      return new Refused(`failed to lookup public key from existing key: ${reasonOf(entry)}`);
    const key = await signingKeyOf(pki, entry);
    return key instanceof Refused ? key : { key, exported: undefined };
  }
  const keyType = request.key_type ?? 'rsa';
  const settled = settleKey(keyType, request.key_bits ?? 0, request.signature_bits);
  if (settled instanceof Refused) return settled;
  if (keyType === 'any') return new Refused('unknown key type any');
  const key = await generateKey({ keyType: keyType as KeyType, keyBits: settled.keyBits });
  return { key, exported: exported === 'exported' ? key : undefined };
}

async function openManaged(
  { openManagedKey }: Pick<Pki, 'openManagedKey'>,
  { managed_key_name: name, managed_key_id: id, key_type: type, key_bits: bits }: CaKeyRequest,
): Promise<CaKey | Refused> {
  if (name === '' && id === '')
    return new Refused('missing argument: managed_key_name or managed_key_id is required with kms');
  const key = await openManagedKey(id === '' ? { name } : { id });
  if ('refused' in key) return new Refused(key.refused);
  if (key.use === 'oaep') return new Refused(`the mechanism of managed key ${key.name} does not sign`);
  const shape = shapeOf(key.publicKey);
  const isAnother =
    (type !== undefined && type !== shape?.keyType) ||
    (bits !== undefined && bits !== 0 && bits !== shape?.keyBits);
  if (isAnother) return new Refused('key_type and key_bits do not fit the managed key');
  return { key, exported: undefined };
}
