import { decodeVersion, type StoredVersion } from '../../../../src/engine/secrets/transit/key-version.ts';
import {
  type KeyPolicy,
  type NewKey,
  newPolicy,
  rotated,
} from '../../../../src/engine/secrets/transit/policy.ts';
import { Refused } from '../../../../src/engine/secrets/transit/refused.ts';
import type { Storage } from '../../../../src/engine/logical/storage.ts';
import { plainKeyRandom } from '../../../../src/lib/key-random.ts';
import { type Random, systemRandom } from '../../../../src/lib/random.ts';

export const NOW = '2026-01-02T03:04:05.678Z';

/** A key with fresh versions. */
export async function makeKey(chosen: Omit<NewKey, 'name'>, versions = 1): Promise<KeyPolicy> {
  let policy = newPolicy({ name: 'k', ...(chosen.type === 'hmac' ? { keySize: 32 } : {}), ...chosen });
  for (let version = 0; version < versions; version += 1)
    policy = granted(await rotated(policy, plainKeyRandom(systemRandom), NOW));
  return policy;
}

/** A key with one version of given material. */
export function keyOf(chosen: Omit<NewKey, 'name'>, stored: Partial<StoredVersion>): KeyPolicy {
  const policy = newPolicy({ name: 'k', ...chosen });
  const version = decodeVersion(
    { created: NOW, hmac: Buffer.alloc(32, 1).toString('base64'), ...stored },
    policy.type,
    policy.derived,
  );
  return { ...policy, latestVersion: 1, versions: new Map([[1, version]]) };
}

/** The value, where a refusal would be a failure of the test. */
export function granted<T>(value: T | Refused): T {
  if (value instanceof Refused) throw new Error(`refused: ${value.message}`);
  return value;
}

/** A source of randomness that yields one value over and over. */
export function fixedRandom(bytes: Uint8Array): Random {
  return { ...systemRandom, bytes: (length) => Uint8Array.from(bytes.subarray(0, length)) };
}

/** A storage in a map; writes are counted. */
export function memory(): Storage & { readonly map: Map<string, Uint8Array>; writes: number } {
  const map = new Map<string, Uint8Array>();
  const storage = {
    map,
    writes: 0,
    get: async (key: string) => map.get(key),
    put: async (key: string, value: Uint8Array) => void map.set(key, value),
    delete: async (key: string) => void map.delete(key),
    write: async (operations: Parameters<Storage['write']>[0]) => {
      storage.writes += 1;
      for (const operation of operations)
        if (operation.type === 'put') map.set(operation.key, operation.value);
        else map.delete(operation.key);
    },
    list: async (prefix: string) =>
      [...map.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length)),
  };
  return storage;
}
