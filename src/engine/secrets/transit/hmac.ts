import { createHmac } from 'node:crypto';
import { equalBytes, toBase64 } from '../../../lib/bytes.ts';
import { decodeBase64 } from './base64.ts';
import type { HashFunction } from './hash.ts';
import type { KeyPolicy } from './policy.ts';
import { noSuchVersion, Refused, softDeleted } from './refused.ts';
import { formatVersioned, parseVersioned } from './versioned.ts';

/** The HMAC of an input under a version of a key, 0 is the latest. */
export function makeHmac(
  policy: KeyPolicy,
  input: Uint8Array,
  keyVersion: number,
  hash: HashFunction,
): string | Refused {
  if (policy.softDeleted) return softDeleted;
  const number = keyVersion === 0 ? policy.latestVersion : keyVersion;
  if (number < 0) return new Refused('key version does not exist (cannot be negative)');
  if (number > policy.latestVersion)
    return new Refused(`key version does not exist; latest key version is ${policy.latestVersion}`);
  if (number !== policy.latestVersion && number < policy.minEncryptionVersion)
    return new Refused('cannot generate HMAC: version is too old (disallowed by policy)');
  const version = policy.versions.get(number);
  if (version === undefined) return noSuchVersion;
  const sum = createHmac(hash.name, version.hmac).update(input).digest();
  return formatVersioned(number, toBase64(sum));
}

/** @returns whether an HMAC is of the input, by the version that it names; compared in constant time */
export function verifyHmac(
  policy: KeyPolicy,
  input: Uint8Array,
  given: string,
  hash: HashFunction,
): boolean | Refused {
  if (policy.softDeleted) return softDeleted;
  const parsed = parseVersioned(given);
  if (parsed === 'no prefix') return new Refused('invalid HMAC to verify: no prefix');
  if (typeof parsed === 'string') return new Refused(`invalid HMAC: ${parsed}`);
  const sum = decodeBase64(parsed.payload);
  if (sum instanceof Refused)
    return new Refused(`unable to decode verification HMAC as base64: ${sum.message}`);
  if (parsed.version > policy.latestVersion) return new Refused('invalid HMAC: version is too new');
  if (parsed.version < policy.minDecryptionVersion)
    return new Refused('cannot verify HMAC: version is too old (disallowed by policy)');
  const version = policy.versions.get(parsed.version);
  if (version === undefined) return noSuchVersion;
  return equalBytes(createHmac(hash.name, version.hmac).update(input).digest(), sum);
}
