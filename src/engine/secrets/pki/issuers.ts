import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { BoundedMap } from '../../../lib/bounded-map.ts';
import { fromBase64, toBase64 } from '../../../lib/bytes.ts';
import { getJson, jsonPut, type Storage } from '../../logical/storage.ts';
import { getDefaultKey, getIssuersConfig, type UrlConfig } from './config.ts';
import type { KeyType } from './key-type.ts';
import { toPem } from './pem.ts';
import { failed, type Refused } from './refused.ts';
import type { SignatureAlgorithm } from './x509/algorithms.ts';
import { Certificate } from './x509/certificate.ts';
import { spkiOf } from './x509/keys.ts';
import { isManaged, type SigningKey } from './x509/signing-key.ts';

/** A private key of an authority. */
export interface KeyEntry {
  readonly id: string;
  readonly name: string;
  readonly type: KeyType;
  /** PKCS #8 in base64; '' for a managed key. */
  readonly pkcs8: string;
  /** The key is in an HSM: the managed key's id and name, and the public key as SubjectPublicKeyInfo in base64. */
  readonly managed?: { readonly id: string; readonly name: string; readonly spki: string };
}

export type IssuerUsage = 'issuing-certificates' | 'crl-signing' | 'ocsp-signing';
export const ISSUER_USAGES: readonly IssuerUsage[] = ['crl-signing', 'issuing-certificates', 'ocsp-signing'];

/** A certificate of an authority, with or without its key. */
export interface IssuerEntry {
  readonly id: string;
  readonly name: string;
  /** '' while the key is not here. */
  readonly keyId: string;
  /** DER in base64. */
  readonly certificate: string;
  /** Ids of issuers, this one first. */
  readonly chain: readonly string[];
  readonly manualChain: readonly string[];
  readonly serial: string;
  readonly leafNotAfter: 'err' | 'truncate' | 'permit';
  readonly usage: readonly IssuerUsage[];
  readonly revocationAlgorithm: SignatureAlgorithm | '';
  readonly revoked?: { readonly time: number; readonly rfc3339: string };
  readonly urls?: UrlConfig;
}

const ISSUER = 'config/issuer/';
const KEY = 'config/key/';

export const putIssuer = (storage: Storage, entry: IssuerEntry): Promise<void> =>
  storage.write([jsonPut(ISSUER + entry.id, entry)]);
export const deleteIssuer = (storage: Storage, id: string): Promise<void> => storage.delete(ISSUER + id);
export const getIssuer = (storage: Storage, id: string): Promise<IssuerEntry | undefined> =>
  getJson<IssuerEntry>(storage, ISSUER + id);
export const putKey = (storage: Storage, entry: KeyEntry): Promise<void> =>
  storage.write([jsonPut(KEY + entry.id, entry)]);
export const deleteKey = (storage: Storage, id: string): Promise<void> => storage.delete(KEY + id);
export const getKey = (storage: Storage, id: string): Promise<KeyEntry | undefined> =>
  getJson<KeyEntry>(storage, KEY + id);

export async function allIssuers(storage: Storage): Promise<IssuerEntry[]> {
  const ids = await storage.list(ISSUER);
  const entries = await Promise.all(ids.map((id) => getIssuer(storage, id)));
  return entries.filter((entry) => entry !== undefined);
}

export async function allKeys(storage: Storage): Promise<KeyEntry[]> {
  const ids = await storage.list(KEY);
  const entries = await Promise.all(ids.map((id) => getKey(storage, id)));
  return entries.filter((entry) => entry !== undefined);
}

/** An issuer by its id, its name, or `default`. */
export async function resolveIssuer(storage: Storage, ref: string): Promise<IssuerEntry | Refused> {
  if (ref === 'default') {
    const { default: id } = await getIssuersConfig(storage);
    if (id === '') return failed('no default issuer currently configured');
    return (await getIssuer(storage, id)) ?? failed(`pki issuer id ${id} does not exist`);
  }
  const byId = ref.length === 36 ? await getIssuer(storage, ref) : undefined;
  const found = byId ?? (await allIssuers(storage)).find(({ name }) => name !== '' && name === ref);
  return found ?? failed(`unable to find PKI issuer for reference: ${ref}`);
}

/** A key by its id, its name, or `default`. */
export async function resolveKey(storage: Storage, ref: string): Promise<KeyEntry | Refused> {
  if (ref === 'default') {
    const id = await getDefaultKey(storage);
    if (id === '') return failed('no default key currently configured');
    return (await getKey(storage, id)) ?? failed(`pki key id ${id} does not exist`);
  }
  const byId = ref.length === 36 ? await getKey(storage, ref) : undefined;
  const found = byId ?? (await allKeys(storage)).find(({ name }) => name !== '' && name === ref);
  return found ?? failed(`unable to find PKI key for reference: ${ref}`);
}

/** The bare reason of a refusal that lists it. */
export function reasonOf({ message }: Refused): string {
  return message.replace(/^1 error occurred:\n\t\* /, '').trimEnd();
}

// Reading a certificate costs more than signing one.
const known = new BoundedMap<string, Certificate>(256);

/** An issuer's certificate. */
export function certificateOf({ certificate, id }: Pick<IssuerEntry, 'certificate' | 'id'>): Certificate {
  const before = known.get(certificate);
  if (before !== undefined) return before;
  const found = Certificate.read(fromBase64(certificate) ?? new Uint8Array(0));
  if (found === undefined) throw new TypeError(`the certificate of issuer ${id} cannot be read`);
  known.set(certificate, found);
  return found;
}

/** The PEM of an issuer's certificate, with a newline at its end. */
export function issuerPem({ certificate }: Pick<IssuerEntry, 'certificate'>): string {
  return toPem('CERTIFICATE', fromBase64(certificate) ?? new Uint8Array(0));
}

export function privateKeyOf({ pkcs8 }: KeyEntry): KeyObject {
  return createPrivateKey(toPem('PRIVATE KEY', fromBase64(pkcs8) ?? new Uint8Array(0)));
}

/** The public half of a key, wherever the private one is. */
export function publicKeyOf(entry: KeyEntry): KeyObject {
  if (entry.managed === undefined) return createPublicKey(privateKeyOf(entry));
  return createPublicKey(toPem('PUBLIC KEY', fromBase64(entry.managed.spki) ?? new Uint8Array(0)));
}

/** A key as it is stored. */
export function keyEntry(id: string, name: string, type: KeyType, key: SigningKey): KeyEntry {
  if (isManaged(key)) {
    const managed = { id: key.id, name: key.name, spki: toBase64(spkiOf(key)) };
    return { id, name, type, pkcs8: '', managed };
  }
  const der = key.export({ type: 'pkcs8', format: 'der' });
  return { id, name, type, pkcs8: toBase64(new Uint8Array(der)) };
}

/** `crl-signing,…,read-only`: reading is never taken away. */
export function showUsage(usage: readonly IssuerUsage[]): string {
  return [...usage, 'read-only'].toSorted().join(',');
}

/** Whether a name may be given to an issuer or a key. */
export function isName(name: string): boolean {
  return /^\w[\w.-]*\w$|^\w$/.test(name);
}
