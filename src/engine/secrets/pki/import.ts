import { equalBytes, fromBase64, toBase64 } from '../../../lib/bytes.ts';
import type { Random } from '../../../lib/random.ts';
import type { Storage } from '../../logical/storage.ts';
import { rebuildChains } from './chain.ts';
import { getDefaultKey, getIssuersConfig, putConfig } from './config.ts';
import {
  allIssuers,
  allKeys,
  certificateOf,
  getIssuer,
  isName,
  ISSUER_USAGES,
  type IssuerEntry,
  type KeyEntry,
  keyEntry,
  publicKeyOf,
  putIssuer,
  putKey,
} from './issuers.ts';
import { Refused } from './refused.ts';
import type { Certificate } from './x509/certificate.ts';
import { sameKey, typeOf } from './x509/keys.ts';
import type { SigningKey } from './x509/signing-key.ts';
import { CRL_SIGN } from './x509/usage.ts';

export interface Imported<T> {
  readonly entry: T;
  readonly existed: boolean;
}

/** Takes a key in, unless it is here: links it with certificates of it, and makes it the default when there is none. */
export async function importKey(
  storage: Storage,
  random: Random,
  key: SigningKey,
  name: string,
): Promise<Imported<KeyEntry> | Refused> {
  const known = await allKeys(storage);
  const same = known.find((entry) => sameKey(publicKeyOf(entry), key));
  if (same !== undefined) return { entry: same, existed: true };
  if (name !== '' && known.some((entry) => entry.name === name))
    return new Refused(`an existing key is using the requested key name value: ${name}`);
  const entry = keyEntry(random.uuid(), name, typeOf(key), key);
  await putKey(storage, entry);
  if ((await getDefaultKey(storage)) === '') await putConfig(storage, 'keys', { default: entry.id });
  for (const issuer of await allIssuers(storage)) {
    if (issuer.keyId !== '' || !sameKey(certificateOf(issuer).publicKey, key)) continue;
    await putIssuer(storage, { ...issuer, keyId: entry.id });
    await defaultTo(storage, issuer.id);
  }
  return { entry, existed: false };
}

/** Takes an authority's certificate in, unless it is here, and finds all chains anew. */
export async function importIssuer(
  storage: Storage,
  random: Random,
  certificate: Certificate,
  name: string,
): Promise<Imported<IssuerEntry> | Refused> {
  if (!certificate.isAuthority) return new Refused('Refusing to import non-CA certificate');
  const known = await allIssuers(storage);
  const same = known.find((entry) =>
    equalBytes(fromBase64(entry.certificate) ?? new Uint8Array(0), certificate.der),
  );
  if (same !== undefined) return { entry: same, existed: true };
  if (name !== '' && known.some((entry) => entry.name === name))
    return new Refused(`another issuer is using the requested name: ${name}`);
  const keys = await allKeys(storage);
  const key = keys.find((entry) => sameKey(publicKeyOf(entry), certificate.publicKey));
  const id = random.uuid();
  const signsLists = (certificate.keyUsage & CRL_SIGN) !== 0;
  await putIssuer(storage, {
    id,
    name,
    keyId: key?.id ?? '',
    certificate: toBase64(certificate.der),
    chain: [id],
    manualChain: [],
    serial: certificate.serial,
    leafNotAfter: 'err',
    usage: ISSUER_USAGES.filter((usage) => signsLists || usage !== 'crl-signing'),
    revocationAlgorithm: '',
  });
  await rebuildChains(storage);
  if (key !== undefined) await defaultTo(storage, id);
  const entry = await getIssuer(storage, id);
  if (entry === undefined) throw new TypeError('an issuer that was just written is gone');
  return { entry, existed: false };
}

/** Makes an issuer the default when there is none. */
async function defaultTo(storage: Storage, id: string): Promise<void> {
  const config = await getIssuersConfig(storage);
  if (config.default === '') await putConfig(storage, 'issuers', { ...config, default: id });
}

/** Makes an issuer the default where the default follows the latest. */
export async function followLatest(storage: Storage, id: string): Promise<void> {
  const config = await getIssuersConfig(storage);
  if (config.default_follows_latest_issuer) await putConfig(storage, 'issuers', { ...config, default: id });
}

/** A name that a client wants for a new issuer; '' for none. */
export async function checkIssuerName(storage: Storage, name: string): Promise<Refused | undefined> {
  if (name === '') return undefined;
  if (name === 'default') return new Refused("reserved keyword 'default' can not be used as issuer name");
  if (!isName(name)) return new Refused('issuer name contained invalid characters');
  const used = (await allIssuers(storage)).some((entry) => entry.name === name || entry.id === name);
  return used ? new Refused('issuer name already in use') : undefined;
}

/** A name that a client wants for a new key; '' for none. */
export async function checkKeyName(storage: Storage, name: string): Promise<Refused | undefined> {
  if (name === '') return undefined;
  if (name === 'default') return new Refused("reserved keyword 'default' can not be used as key name");
  if (!isName(name)) return new Refused('key name contained invalid characters');
  const used = (await allKeys(storage)).some((entry) => entry.name === name || entry.id === name);
  return used ? new Refused('key name already in use') : undefined;
}
