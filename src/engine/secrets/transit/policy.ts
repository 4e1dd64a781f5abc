import type { KeyRandom } from '../../../lib/key-random.ts';
import type { Random } from '../../../lib/random.ts';
import type { KeyType } from './key-type.ts';
import {
  buildVersion,
  decodeVersion,
  encodeVersion,
  generateVersion,
  type KeyVersion,
  type Material,
  type StoredVersion,
} from './key-version.ts';
import { Refused, softDeleted } from './refused.ts';

/** When a backup or a restore happened, and what the latest version was. */
export interface CopyInfo {
  readonly time: string;
  readonly version: number;
}

/** All that is known of a named key but its material. */
export interface KeySettings {
  readonly name: string;
  readonly type: KeyType;
  /** Bytes; of HMAC keys only, 0 otherwise. */
  readonly keySize: number;
  readonly derived: boolean;
  readonly convergent: boolean;
  readonly exportable: boolean;
  readonly allowPlaintextBackup: boolean;
  readonly deletionAllowed: boolean;
  /** Seconds; 0 is never. */
  readonly autoRotatePeriod: number;
  readonly imported: boolean;
  readonly allowRotation: boolean;
  readonly softDeleted: boolean;
  readonly latestVersion: number;
  readonly minAvailableVersion: number;
  readonly minDecryptionVersion: number;
  readonly minEncryptionVersion: number;
  readonly backupInfo: CopyInfo | null;
  readonly restoreInfo: CopyInfo | null;
}

/** A named key: its settings and the versions that may still be used. Never changed in place. */
export interface KeyPolicy extends KeySettings {
  readonly versions: ReadonlyMap<number, KeyVersion>;
}

export type StoredVersions = Readonly<Record<string, StoredVersion>>;
export type StoredPolicy = KeySettings & { readonly versions: StoredVersions };

/** What a caller chooses when a key is made. */
export type NewKey = Pick<KeySettings, 'name' | 'type'> & Partial<KeySettings>;

/** Settings of a key without versions. */
export function newPolicy(chosen: NewKey): KeyPolicy {
  return {
    keySize: 0,
    derived: false,
    convergent: false,
    exportable: false,
    allowPlaintextBackup: false,
    deletionAllowed: false,
    autoRotatePeriod: 0,
    imported: false,
    allowRotation: false,
    softDeleted: false,
    latestVersion: 0,
    minAvailableVersion: 0,
    minDecryptionVersion: 1,
    minEncryptionVersion: 0,
    backupInfo: null,
    restoreInfo: null,
    ...chosen,
    versions: new Map(),
  };
}

/** The key with one more version, of fresh material. */
export async function rotated(
  policy: KeyPolicy,
  random: KeyRandom,
  now: string,
): Promise<KeyPolicy | Refused> {
  if (policy.softDeleted) return softDeleted;
  if (policy.type === 'managed_key')
    return new Refused('a key of type managed_key is rotated to another managed key only');
  if (policy.imported && !policy.allowRotation)
    return new Refused(`imported key ${policy.name} does not allow rotation within Vault`);
  return withVersion({ ...policy, imported: false }, await generateVersion(policy, random, now));
}

/** The key with one more version, of given material. */
export function withMaterial(policy: KeyPolicy, material: Material, random: Random, now: string): KeyPolicy {
  return withVersion(policy, buildVersion(policy, material, random, now));
}

function withVersion(policy: KeyPolicy, version: KeyVersion): KeyPolicy {
  const latestVersion = policy.latestVersion + 1;
  return { ...policy, latestVersion, versions: new Map(policy.versions).set(latestVersion, version) };
}

/** @returns the version to encrypt or sign with, where 0 asks for the latest; purpose is a word for refusals */
export function versionFor(
  policy: KeyPolicy,
  asked: number,
  purpose: 'encryption' | 'signing' | 'key wrapping',
): { readonly number: number; readonly version: KeyVersion } | Refused {
  const number = asked === 0 ? policy.latestVersion : asked;
  if (number < 0) return new Refused(`requested version for ${purpose} is negative`);
  if (number > policy.latestVersion)
    return new Refused(`requested version for ${purpose} is higher than the latest key version`);
  if (asked !== 0 && number < policy.minEncryptionVersion)
    return new Refused(`requested version for ${purpose} is less than the minimum encryption key version`);
  const version = policy.versions.get(number);
  return version === undefined ? new Refused('no such key version') : { number, version };
}

/** The stored forms of all versions in memory. */
export function encodeVersions(versions: ReadonlyMap<number, KeyVersion>): Record<string, StoredVersion> {
  return Object.fromEntries([...versions].map(([number, version]) => [number, encodeVersion(version)]));
}

/** Parses a stored key. @throws TypeError for a broken document */
export function decodePolicy(stored: StoredPolicy): KeyPolicy {
  const versions = new Map<number, KeyVersion>();
  for (const [number, version] of Object.entries(stored.versions))
    versions.set(Number(number), decodeVersion(version, stored.type, stored.derived));
  return { ...stored, versions };
}
