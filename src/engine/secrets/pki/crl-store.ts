import { getJson, jsonPut, type Storage } from '../../logical/storage.ts';

const STATE = 'crls/state';
const LIST = 'crls/list/';

/** Which list belongs to which issuer, and how far each has come. Times are milliseconds since the epoch. */
export interface CrlState {
  /** Issuer to list: issuers of one key and one subject share one. */
  readonly byIssuer: Readonly<Record<string, string>>;
  /** The next number of each list. */
  readonly next: Readonly<Record<string, number>>;
  /** The number of the latest complete list of each. */
  readonly complete: Readonly<Record<string, number>>;
  /** The earliest time at which one of the complete lists ends; 0 without lists. */
  readonly ends: number;
  readonly deltaBuilt: number;
}

export async function getCrlState(storage: Storage): Promise<CrlState> {
  const none = { byIssuer: {}, next: {}, complete: {}, ends: 0, deltaBuilt: 0 };
  return { ...none, ...(await getJson<CrlState>(storage, STATE)) };
}

export function putCrlState(storage: Storage, state: CrlState): Promise<void> {
  return storage.write([jsonPut(STATE, state)]);
}

const nameOf = (id: string, delta: boolean): string => `${LIST}${id}${delta ? '-delta' : ''}`;

export function getCrl(storage: Storage, id: string, delta: boolean): Promise<Uint8Array | undefined> {
  return storage.get(nameOf(id, delta));
}

export function putCrl(storage: Storage, id: string, delta: boolean, der: Uint8Array): Promise<void> {
  return storage.put(nameOf(id, delta), der);
}

/** Removes a list that belongs to no issuer any more, and its delta. */
export function deleteCrl(storage: Storage, id: string): Promise<void> {
  return storage.write([
    { type: 'delete', key: nameOf(id, false) },
    { type: 'delete', key: nameOf(id, true) },
  ]);
}
