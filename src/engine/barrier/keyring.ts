import { createSecretKey, type KeyObject } from 'node:crypto';
import { fromBase64, text, toBase64, utf8 } from '../../lib/bytes.ts';
import { Secret } from '../../lib/secret.ts';
import { BarrierCorrupt } from './record.ts';

/** One data key. */
export interface KeyringKey {
  readonly term: number;
  readonly key: KeyObject;
  /** RFC 3339. */
  readonly installTime: string;
  /** Encryptions counted so far, up to the last save. */
  readonly encryptions: number;
}

/** When data keys are replaced by themselves; the defaults and limits are Vault's. */
export interface RotationConfig {
  readonly disabled: boolean;
  readonly maxOperations: number;
  /** Nanoseconds, as Vault stores it. */
  readonly interval: number;
}

/** 10 % below the 2^32 messages that SP 800-38D §8.3 allows a key with random nonces. */
export const MAX_OPERATIONS = 3_865_470_566;
export const DEFAULT_ROTATION: RotationConfig = {
  disabled: false,
  maxOperations: MAX_OPERATIONS,
  interval: 0,
};

/**
 * The root key and the data keys by term; immutable. Serialized as Vault's JSON, which is encrypted with the root key.
 * The key of the highest term encrypts; every other one still decrypts.
 */
export class Keyring {
  readonly rootKey: KeyObject;
  readonly keys: ReadonlyMap<number, KeyringKey>;
  readonly rotation: RotationConfig;
  readonly active: KeyringKey;

  constructor(rootKey: KeyObject, keys: readonly KeyringKey[], rotation: RotationConfig = DEFAULT_ROTATION) {
    const active = keys.toSorted((a, b) => b.term - a.term)[0];
    if (active === undefined) throw new BarrierCorrupt();
    this.rootKey = rootKey;
    this.keys = new Map(keys.map((key) => [key.term, key]));
    this.rotation = rotation;
    this.active = active;
  }

  /** A keyring with one more key, which becomes the active one. */
  withKey(key: KeyringKey): Keyring {
    return new Keyring(this.rootKey, [...this.keys.values(), key], this.rotation);
  }

  /** The same data keys under another root key. */
  withRootKey(rootKey: KeyObject): Keyring {
    return new Keyring(rootKey, [...this.keys.values()], this.rotation);
  }

  /** The same keys with other settings, and with the active key's encryptions as counted now. */
  with(rotation: RotationConfig, encryptions: number): Keyring {
    const keys = [...this.keys.values()].map((key) => (key === this.active ? { ...key, encryptions } : key));
    return new Keyring(this.rootKey, keys, rotation);
  }

  /** The plaintext that is stored; the caller wipes it. */
  serialize(): Secret {
    const json = {
      MasterKey: exportKey(this.rootKey),
      Keys: [...this.keys.values()].map(({ term, key, installTime, encryptions }) => ({
        Term: term,
        Version: 1,
        Value: exportKey(key),
        InstallTime: installTime,
        encryptions,
      })),
      RotationConfig: {
        Disabled: this.rotation.disabled,
        MaxOperations: this.rotation.maxOperations,
        Interval: this.rotation.interval,
      },
    };
    return Secret.own(utf8(JSON.stringify(json)));
  }

  /** @throws ERR_BARRIER_CORRUPT for anything but a keyring */
  static deserialize(plaintext: Secret): Keyring {
    const json = plaintext.borrow((bytes): unknown => {
      try {
        return JSON.parse(text(bytes));
      } catch {
        // The cause would quote the keyring.
        throw new BarrierCorrupt();
      }
    });
    if (!isStoredKeyring(json)) throw new BarrierCorrupt();
    const keys = json.Keys.map((stored) => ({
      term: stored.Term,
      key: importKey(stored.Value),
      installTime: stored.InstallTime,
      encryptions: stored.encryptions ?? 0,
    }));
    const rotation = json.RotationConfig;
    return new Keyring(
      importKey(json.MasterKey),
      keys,
      rotation === undefined
        ? DEFAULT_ROTATION
        : {
            disabled: rotation.Disabled,
            maxOperations: rotation.MaxOperations || MAX_OPERATIONS,
            interval: rotation.Interval,
          },
    );
  }
}

interface StoredKeyring {
  MasterKey: string;
  Keys: { Term: number; Value: string; InstallTime: string; encryptions?: number }[];
  RotationConfig?: { Disabled: boolean; MaxOperations: number; Interval: number };
}

function isStoredKeyring(value: unknown): value is StoredKeyring {
  if (typeof value !== 'object' || value === null) return false;
  const { MasterKey, Keys } = value as Partial<StoredKeyring>;
  return (
    typeof MasterKey === 'string' &&
    Array.isArray(Keys) &&
    Keys.every(
      (key) =>
        Number.isInteger(key?.Term) && typeof key.Value === 'string' && typeof key.InstallTime === 'string',
    )
  );
}

/** A 256-bit AES key from owned bytes, which are wiped. */
export function aesKey(secret: Secret): KeyObject {
  using owned = secret;
  return owned.borrow((bytes) => {
    if (bytes.length !== 32) throw new BarrierCorrupt();
    return createSecretKey(bytes);
  });
}

function importKey(base64: string): KeyObject {
  const bytes = fromBase64(base64);
  if (bytes === undefined) throw new BarrierCorrupt();
  return aesKey(Secret.own(bytes));
}

function exportKey(key: KeyObject): string {
  const bytes = key.export();
  const encoded = toBase64(bytes);
  bytes.fill(0);
  return encoded;
}
