import type { ManagedHash } from '../logical/managed-key.ts';

/** A managed key of type pkcs11, in the terms of Vault's API. */
export interface ManagedKeyConfig {
  readonly name: string;
  /** Name of a `kms_library` stanza. */
  readonly library: string;
  readonly keyLabel: string;
  /** Hex, or empty. */
  readonly keyId: string;
  /** CKM number. */
  readonly mechanism: number;
  readonly pin: string;
  /** Decimal, or empty. */
  readonly slot: string;
  readonly tokenLabel: string;
  readonly curve: string;
  readonly keyBits: number;
  readonly forceRwSession: boolean;
  readonly maxParallel: number;
  readonly allowGenerateKey: boolean;
  readonly allowReplaceKey: boolean;
  readonly allowStoreKey: boolean;
  readonly anyMount: boolean;
  readonly usages: readonly string[];
}

/** The configured keys; core implements it. What is returned as text is why it was refused. */
export interface ManagedKeyPort {
  list(): Promise<string[]>;
  get(name: string): Promise<(ManagedKeyConfig & { readonly id: string }) | undefined>;
  put(
    name: string,
    edit: (before: ManagedKeyConfig | undefined) => ManagedKeyConfig | string,
  ): Promise<string | undefined>;
  remove(name: string): Promise<string | undefined>;
  /** Signs random bytes and verifies the signature; makes the key when it may. */
  testSign(
    name: string,
    how: { readonly hash: ManagedHash; readonly pss: boolean },
  ): Promise<string | undefined>;
}
