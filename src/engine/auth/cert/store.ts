import { isDeepStrictEqual } from 'node:util';
import { KeyedMutex } from '../../../lib/keyed-mutex.ts';
import { getJson, jsonPut, type Storage } from '../../logical/storage.ts';
import type { TokenParameters } from '../token-fields.ts';

/** A trusted certificate, or an authority's, and who of those it vouches for may log in. */
export interface TrustedCert {
  readonly name: string;
  /** PEM. */
  readonly certificate: string;
  readonly displayName: string;
  readonly allowedNames: readonly string[] | null;
  readonly allowedCommonNames: readonly string[] | null;
  readonly allowedDnsSans: readonly string[] | null;
  readonly allowedEmailSans: readonly string[] | null;
  readonly allowedUriSans: readonly string[] | null;
  readonly allowedOrganizationalUnits: readonly string[] | null;
  /** `oid:pattern`, or `hex:oid:pattern` of the value's DER. */
  readonly requiredExtensions: readonly string[] | null;
  readonly allowedMetadataExtensions: readonly string[] | null;
  readonly ocsp: OcspSettings;
  readonly token: TokenParameters;
}

export interface OcspSettings {
  readonly enabled: boolean;
  /** PEM of authorities that may sign answers besides the issuer. */
  readonly caCertificates: string;
  readonly servers: readonly string[] | null;
  /** Go on when no server answers. */
  readonly failOpen: boolean;
  readonly queryAll: boolean;
  /** Seconds that an answer is believed after its thisUpdate; 0 or missing: a day where it names no end. */
  readonly maxAge?: number;
}

export interface CertConfig {
  readonly disableBinding: boolean;
  readonly aliasMetadata: boolean;
  readonly ocspCacheSize: number;
}

/** Serial numbers that count as revoked, as decimals. */
export interface RevocationList {
  /** Where it is fetched from again; null for one that was written. Milliseconds since the epoch. */
  readonly source: { readonly url: string; readonly validUntil: number } | null;
  readonly serials: readonly string[];
}

const DEFAULTS: CertConfig = { disableBinding: false, aliasMetadata: false, ocspCacheSize: 100 };

export class CertStore {
  readonly #storage: Storage;
  readonly #lists = new KeyedMutex();

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  async config(): Promise<CertConfig> {
    return (await getJson<CertConfig>(this.#storage, 'config')) ?? DEFAULTS;
  }

  putConfig(config: CertConfig): Promise<void> {
    return this.#storage.write([jsonPut('config', config)]);
  }

  cert(name: string): Promise<TrustedCert | undefined> {
    return getJson<TrustedCert>(this.#storage, `cert/${name.toLowerCase()}`);
  }

  certNames(): Promise<string[]> {
    return this.#storage.list('cert/');
  }

  putCert(cert: TrustedCert): Promise<void> {
    return this.#storage.write([jsonPut(`cert/${cert.name}`, cert)]);
  }

  deleteCert(name: string): Promise<void> {
    return this.#storage.delete(`cert/${name.toLowerCase()}`);
  }

  list(name: string): Promise<RevocationList | undefined> {
    return getJson<RevocationList>(this.#storage, `crls/${name.toLowerCase()}`);
  }

  listNames(): Promise<string[]> {
    return this.#storage.list('crls/');
  }

  putList(name: string, list: RevocationList): Promise<void> {
    return this.#lists.run(name.toLowerCase(), () => this.#writeList(name, list));
  }

  /** Puts a list in the place of the one that it renews, unless that was written, renewed or removed meanwhile. */
  renewList(name: string, before: RevocationList, next: RevocationList): Promise<void> {
    return this.#lists.run(name.toLowerCase(), async () => {
      if (isDeepStrictEqual(await this.list(name), before)) await this.#writeList(name, next);
    });
  }

  deleteList(name: string): Promise<void> {
    return this.#lists.run(name.toLowerCase(), () => this.#storage.delete(`crls/${name.toLowerCase()}`));
  }

  #writeList(name: string, list: RevocationList): Promise<void> {
    return this.#storage.write([jsonPut(`crls/${name.toLowerCase()}`, list)]);
  }
}
