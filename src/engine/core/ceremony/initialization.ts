import { getJson, type Storage } from '../../logical/storage.ts';

/** Where the answer of a ceremony's initialization is kept, all of it encrypted to people. */
export const INITIALIZATION = 'core/init-result';

/** What of it was told by the ceremony. Vaults that were initialized before it was kept have neither. */
export interface InitializationRecord {
  readonly ceremonyId?: string;
  /** Of the plan that people agreed to. */
  readonly planDigest?: string;
  readonly keys: readonly string[];
}

/** @returns the plan and the number of shares of the ceremony that initialized this vault; undefined for another id */
export async function readInitialization(
  storage: Storage,
  id: string,
): Promise<{ readonly digest: string; readonly custodians: number } | undefined> {
  const kept = await getJson<InitializationRecord>(storage, INITIALIZATION);
  if (kept?.planDigest === undefined || kept.ceremonyId !== id) return undefined;
  return { digest: kept.planDigest, custodians: kept.keys.length };
}
