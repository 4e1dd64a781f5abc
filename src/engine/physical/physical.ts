import { SealedVaultError } from '../../lib/errors.ts';

/**
 * Bytes at rest, completely untrusted: everything above the barrier is encrypted before it comes here.
 *
 * I1  A write that was acknowledged survives kill -9 and a power cut.
 * I2  A batch is applied as a whole or not at all, whatever happens in between.
 * I3  list never shows a key that was deleted before the call, nor hides one put before it.
 * I4  Keys are text of 1 to 1,900 bytes as UTF-8; a longer one is refused before anything is written.
 *
 * Errors: `ERR_PHYSICAL` for a medium that fails (full, read-only, closed) and for a key that cannot be stored.
 */
export interface Physical {
  readonly type: string;
  /** The bytes are the caller's own. */
  get(key: string): Promise<Uint8Array | undefined>;
  /** Applies all operations in their order, atomically, and resolves when they are on the disk. */
  write(operations: readonly PhysicalOperation[]): Promise<void>;
  /**
   * The children of a prefix in byte order: `foo` for a key, `foo/` once for everything below it.
   * @param prefix empty or ending in a slash
   */
  list(prefix: string, options?: ListOptions): Promise<string[]>;
  close(): Promise<void>;
}

export interface ListOptions {
  /** Only names after this one. */
  readonly after?: string;
  /** At most so many. */
  readonly limit?: number;
}

export type PhysicalOperation =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'delete'; readonly key: string };

export class PhysicalError extends SealedVaultError {
  override readonly code = 'ERR_PHYSICAL';
}

const MAX_KEY_BYTES = 1900;

/** @throws ERR_PHYSICAL for a key that no backend must be given. */
export function assertKeys(operations: readonly PhysicalOperation[]): void {
  for (const { key } of operations) {
    if (!isStorableKey(key)) {
      throw new PhysicalError('a storage key is empty or longer than 1,900 bytes', {
        hint: 'use a shorter path',
      });
    }
  }
}

/** @returns whether a key has the length that I4 allows. */
export function isStorableKey(key: string): boolean {
  return key.length > 0 && (key.length <= MAX_KEY_BYTES / 3 || Buffer.byteLength(key) <= MAX_KEY_BYTES);
}

/** Collapses sorted keys below a prefix into their first segments. */
export function children(prefix: string, keys: Iterable<string>): string[] {
  const names: string[] = [];
  for (const key of keys) {
    const rest = key.slice(prefix.length);
    const slash = rest.indexOf('/');
    const name = slash === -1 ? rest : rest.slice(0, slash + 1);
    if (name !== '' && names.at(-1) !== name) names.push(name);
  }
  return names;
}
