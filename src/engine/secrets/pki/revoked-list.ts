import type { Storage } from '../../logical/storage.ts';

/** Where records of revocations are, by serial number. */
export const REVOKED = 'revoked/';

/** Serial numbers of revoked certificates, as they are stored. */
export function listRevoked(
  storage: Storage,
  options?: { readonly after?: string; readonly limit?: number },
): Promise<string[]> {
  return storage.list(REVOKED, options);
}
