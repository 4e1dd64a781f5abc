import type { JsonObject } from '../../../lib/json.ts';
import type { KeyVersion } from './key-version.ts';
import type { KeyPolicy } from './policy.ts';
import { Refused } from './refused.ts';

/**
 * Shows the versions that a path asks for: all in use without a version, or `latest`, `3`, `v3`.
 * @returns what show made of each, by number, or the first refusal
 */
export function showVersions(
  policy: KeyPolicy,
  asked: string,
  show: (version: KeyVersion) => string | Refused,
): JsonObject | Refused {
  const chosen = choose(policy, asked);
  if (chosen instanceof Refused) return chosen;
  const shown: JsonObject = {};
  for (const [number, version] of chosen) {
    const text = show(version);
    if (text instanceof Refused) return text;
    shown[number] = text;
  }
  return shown;
}

function choose(policy: KeyPolicy, asked: string): ReadonlyMap<number, KeyVersion> | Refused {
  if (asked === '') return policy.versions;
  const digits = asked === 'latest' ? String(policy.latestVersion) : asked.replace(/^v/, '');
  if (!/^[+-]?\d{1,15}$/.test(digits)) return new Refused('invalid key version');
  const number = Number(digits);
  if (number < policy.minDecryptionVersion)
    return new Refused('version for export is below minimum decryption version');
  const version = policy.versions.get(number);
  return version === undefined
    ? new Refused('version does not exist or cannot be found')
    : new Map([[number, version]]);
}
