import { createPublicKey } from 'node:crypto';
import { toBase64 } from '../../../lib/bytes.ts';
import type { JsonObject } from '../../../lib/json.ts';
import { data, type Response } from '../../logical/response.ts';
import { deriveEd25519 } from './derive.ts';
import { derives, encrypts, isAsymmetric, signs, traitsOf } from './key-type.ts';
import { chainPem, publicKeyPem } from './key-format.ts';
import { traitsOfManaged } from './managed.ts';
import type { KeyVersion } from './key-version.ts';
import type { KeyPolicy } from './policy.ts';
import { Refused, refusal } from './refused.ts';
import { rawPublicKey } from './signature.ts';

/** The answer that describes a key; a context shows the public keys that are derived with it. */
export function describeKey(
  policy: KeyPolicy | Refused,
  warnings: readonly string[] = [],
  context?: Uint8Array,
): Response {
  if (policy instanceof Refused) return refusal(policy);
  const { type } = policy;
  const use = policy.versions.get(policy.latestVersion)?.managed?.use;
  const canEncrypt = use === undefined ? encrypts(type) : use === 'oaep';
  const versions = renderVersions(policy, context);
  if (versions instanceof Refused) return refusal(versions);
  return data(
    {
      allow_plaintext_backup: policy.allowPlaintextBackup,
      auto_rotate_period: policy.autoRotatePeriod,
      ...(policy.backupInfo === null ? {} : { backup_info: { ...policy.backupInfo } }),
      ...(policy.derived
        ? {
            kdf: 'hkdf_sha256',
            convergent_encryption: policy.convergent,
            // -1: the version of the scheme is kept with every key version.
            ...(policy.convergent ? { convergent_encryption_version: -1 } : {}),
          }
        : {}),
      deletion_allowed: policy.deletionAllowed,
      derived: policy.derived,
      exportable: policy.exportable,
      imported_key: policy.imported,
      ...(policy.imported ? { imported_key_allow_rotation: policy.allowRotation } : {}),
      ...(policy.keySize === 0 ? {} : { key_size: policy.keySize }),
      ...(type === 'hmac' ? {} : { keys: versions }),
      latest_version: policy.latestVersion,
      min_available_version: policy.minAvailableVersion,
      min_decryption_version: policy.minDecryptionVersion,
      min_encryption_version: policy.minEncryptionVersion,
      name: policy.name,
      ...(policy.restoreInfo === null ? {} : { restore_info: { ...policy.restoreInfo } }),
      soft_deleted: policy.softDeleted,
      supports_decryption: canEncrypt,
      supports_derivation: derives(type),
      supports_encryption: canEncrypt,
      supports_signing: use === undefined ? signs(type) : use !== 'oaep',
      type,
    },
    warnings,
  );
}

function renderVersions(policy: KeyPolicy, context: Uint8Array | undefined): JsonObject | Refused {
  const rendered: JsonObject = {};
  for (const [number, version] of policy.versions) {
    if (!isAsymmetric(policy.type)) {
      rendered[number] = Math.floor(Date.parse(version.created) / 1000);
      continue;
    }
    const publicKey = renderPublicKey(policy, version, context);
    if (publicKey instanceof Refused) return publicKey;
    rendered[number] = {
      certificate_chain: chainPem(version.chain),
      creation_time: version.created,
      name: versionName(policy, version),
      public_key: publicKey,
    };
  }
  return rendered;
}

function renderPublicKey(
  policy: KeyPolicy,
  version: KeyVersion,
  context: Uint8Array | undefined,
): string | Refused {
  const key = version.publicKey;
  if (key === undefined) return '';
  if (policy.type !== 'ed25519') return publicKeyPem(key);
  if (!policy.derived || version.secret === undefined) return toBase64(rawPublicKey(key));
  // The underlying public key is half of the KDF's input, and never shown.
  if (context === undefined) return '';
  const derived = deriveEd25519(version.secret, context);
  return derived instanceof Refused ? derived : toBase64(rawPublicKey(createPublicKey(derived)));
}

function versionName(policy: KeyPolicy, { managed, publicKey }: KeyVersion): string {
  const traits =
    managed !== undefined && publicKey !== undefined ? traitsOfManaged(publicKey) : traitsOf(policy.type);
  if (managed !== undefined && traits.family === 'rsa') return `rsa-${traits.bits}`;
  return traits.family === 'ecdsa' ? traits.curve : policy.type;
}
