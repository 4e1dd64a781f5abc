import type { Pkcs11Config } from './config.ts';
import type { SealKeyName } from './held-key.ts';

/**
 * The keys that seal the vault behind a library, which are for nothing else.
 * @param lib path of the library
 * @param seals the seals of this process
 */
export function sealKeyNames(lib: string, seals: readonly Pkcs11Config[]): SealKeyName[] {
  return seals.flatMap((seal) => {
    if (seal.kind !== 'module' || seal.lib !== lib) return [];
    const { keyLabel, keyId } = seal;
    return [{ ...(keyLabel === undefined ? {} : { keyLabel }), ...(keyId === undefined ? {} : { keyId }) }];
  });
}
