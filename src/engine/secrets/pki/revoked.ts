import { fromBase64, toBase64 } from '../../../lib/bytes.ts';
import { getJson, jsonPut, type Storage } from '../../logical/storage.ts';
import { REVOKED } from './revoked-list.ts';
import { serialKey } from './serial.ts';
import { Certificate } from './x509/certificate.ts';

const PENDING = 'delta/';

/** That a certificate was revoked, and when. */
export interface RevokedRecord {
  /** DER in base64. */
  readonly certificate: string;
  /** Seconds since the epoch. */
  readonly time: number;
  readonly rfc3339: string;
  /** The issuer's id; '' while it is not known here. */
  readonly issuerId: string;
}

export function getRevoked(storage: Storage, serial: string): Promise<RevokedRecord | undefined> {
  return getJson<RevokedRecord>(storage, REVOKED + serialKey(serial));
}

export function putRevoked(storage: Storage, serial: string, record: RevokedRecord): Promise<void> {
  return storage.write([jsonPut(REVOKED + serialKey(serial), record)]);
}

/** Removes a record, also from what a delta list has still to tell. */
export function deleteRevoked(storage: Storage, serial: string): Promise<void> {
  return storage.write([
    { type: 'delete', key: REVOKED + serialKey(serial) },
    { type: 'delete', key: PENDING + serialKey(serial) },
  ]);
}

/** Notes that a revocation is not on a complete list yet. */
export function notePending(storage: Storage, serial: string): Promise<void> {
  return storage.write([jsonPut(PENDING + serialKey(serial), {})]);
}

/** Serial numbers, as they are stored, of what is on no complete list yet. */
export function listPending(storage: Storage): Promise<string[]> {
  return storage.list(PENDING);
}

export async function clearPending(storage: Storage): Promise<void> {
  const names = await listPending(storage);
  await storage.write(names.map((name) => ({ type: 'delete', key: PENDING + name })));
}

/** The certificate of a record. */
export function revokedCertificate({ certificate }: RevokedRecord): Certificate | undefined {
  return Certificate.read(fromBase64(certificate) ?? new Uint8Array(0));
}

/** A record of now. @param now milliseconds since the epoch */
export function recordOf(certificate: Certificate, issuerId: string, now: number): RevokedRecord {
  return {
    certificate: toBase64(certificate.der),
    time: Math.floor(now / 1000),
    rfc3339: new Date(now).toISOString(),
    issuerId,
  };
}
