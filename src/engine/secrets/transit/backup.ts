import { z } from 'zod';
import { text, toBase64, utf8 } from '../../../lib/bytes.ts';
import { decodeBase64 } from './base64.ts';
import { isOfType } from './import.ts';
import { isKeyType, type KeyType } from './key-type.ts';
import {
  decodePolicy,
  encodeVersions,
  type KeyPolicy,
  type StoredPolicy,
  type StoredVersions,
} from './policy.ts';
import { Refused } from './refused.ts';

/** A backup is base64 of JSON: the stored key with all its versions, in the clear. */
export interface Backup {
  readonly policy: StoredPolicy;
  readonly archive: StoredVersions;
}

const count = z.number().int().nonnegative();
const copyInfo = z.strictObject({ time: z.string(), version: count }).nullable();
const versions = z.record(
  z.string().regex(/^[1-9]\d{0,8}$/),
  z.strictObject({
    created: z.iso.datetime(),
    key: z.base64().optional(),
    publicKey: z.base64().optional(),
    hmac: z.base64(),
    convergentVersion: count.optional(),
    chain: z.array(z.base64()).optional(),
  }),
);
const schema = z.strictObject({
  policy: z.strictObject({
    name: z.string(),
    type: z.string().refine((type): type is KeyType => isKeyType(type)),
    keySize: count,
    derived: z.boolean(),
    convergent: z.boolean(),
    exportable: z.boolean(),
    allowPlaintextBackup: z.boolean(),
    deletionAllowed: z.boolean(),
    autoRotatePeriod: count,
    imported: z.boolean(),
    allowRotation: z.boolean(),
    softDeleted: z.boolean(),
    latestVersion: count,
    minAvailableVersion: count,
    minDecryptionVersion: count,
    minEncryptionVersion: count,
    backupInfo: copyInfo,
    restoreInfo: copyInfo,
    versions,
  }),
  archive: versions,
});

/** The text of a backup. */
export function formatBackup(policy: KeyPolicy, archive: StoredVersions): string {
  const backup: Backup = {
    policy: { ...policy, versions: encodeVersions(policy.versions) },
    archive,
  };
  return toBase64(utf8(JSON.stringify(backup)));
}

/** Reads a backup. The refusal says nothing of what is in it. */
export function parseBackup(encoded: string): Backup | Refused {
  const bytes = decodeBase64(encoded);
  if (bytes instanceof Refused) return bytes;
  const broken = new Refused('the backup is not one that this engine made');
  try {
    const parsed = schema.safeParse(JSON.parse(text(bytes)));
    // The members that may be missing are missing there, never undefined: it was JSON.
    const backup = parsed.success ? (parsed.data as Backup) : undefined;
    if (backup === undefined || !isWhole(backup)) return broken;
    const versions = { ...backup.archive, ...backup.policy.versions };
    const policy = decodePolicy({ ...backup.policy, versions });
    return [...policy.versions.values()].every((version) => isOfType(policy.type, version)) ? backup : broken;
  } catch {
    return broken;
  }
}

// All versions from the first to the latest, each where its number puts it.
function isWhole({ policy, archive }: Backup): boolean {
  const { latestVersion, minDecryptionVersion, minEncryptionVersion } = policy;
  if (minDecryptionVersion < 1 || minDecryptionVersion > latestVersion) return false;
  if (minEncryptionVersion > latestVersion) return false;
  for (let number = Math.max(policy.minAvailableVersion, 1); number <= latestVersion; number += 1) {
    const there = number < minDecryptionVersion ? archive : policy.versions;
    if (!Object.hasOwn(there, String(number))) return false;
  }
  return true;
}
