import { AsnConvert } from '@peculiar/asn1-schema';
import { CertificateList } from '@peculiar/asn1-x509';
import { fromBase64, text } from '../../../lib/bytes.ts';
import type { Clock } from '../../../lib/clock.ts';
import { httpCall, HttpFailure } from '../../../lib/http-call.ts';
import { decimal, type ParsedCertificate } from './certificate.ts';
import type { CertStore, RevocationList } from './store.ts';

/** How long a list without a next update is good, and how long a failed fetch is not tried again. */
const RETRY_MS = 60_000;
const DEFAULT_LIFE_MS = 3_600_000;

/** The serial numbers of a CRL (RFC 5280 §5), PEM or base64 of DER. @returns undefined for what is none */
export function parseList(
  given: string | Uint8Array,
): { readonly serials: string[]; readonly nextUpdate: number | undefined } | undefined {
  try {
    const { tbsCertList } = AsnConvert.parse(derOf(given), CertificateList);
    return {
      serials: (tbsCertList.revokedCertificates ?? []).map(({ userCertificate }) =>
        decimal(new Uint8Array(userCertificate)),
      ),
      nextUpdate: tbsCertList.nextUpdate?.getTime().getTime(),
    };
  } catch {
    return undefined;
  }
}

/** The lists of a mount. A certificate is revoked when any list has its serial number, as documented. */
export class Revocations {
  readonly #store: CertStore;
  readonly #clock: Clock;
  readonly #tried = new Map<string, number>();

  constructor(store: CertStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  async isRevoked(chain: readonly ParsedCertificate[]): Promise<boolean> {
    for (const name of await this.#store.listNames()) {
      const list = await this.#current(name);
      if (list !== undefined && chain.some(({ serial }) => list.serials.includes(serial))) return true;
    }
    return false;
  }

  /** Fetches a list from where it is published. @returns why not */
  async fetch(url: string): Promise<RevocationList | { readonly failed: string }> {
    const answer = await httpCall({ url });
    if (answer instanceof HttpFailure) return { failed: answer.message };
    if (answer.status !== 200) return { failed: `unexpected response code ${answer.status} fetching CRL` };
    const parsed = parseList(answer.body);
    if (parsed === undefined) return { failed: 'what is there is no CRL' };
    const validUntil = parsed.nextUpdate ?? this.#clock.now() + DEFAULT_LIFE_MS;
    return { source: { url, validUntil }, serials: parsed.serials };
  }

  // A list that cannot be fetched again stays in force.
  async #current(name: string): Promise<RevocationList | undefined> {
    const list = await this.#store.list(name);
    const now = this.#clock.now();
    if (list === undefined || list.source === null || list.source.validUntil > now) return list;
    if ((this.#tried.get(name) ?? 0) + RETRY_MS > now) return list;
    this.#tried.set(name, now);
    const next = await this.fetch(list.source.url);
    if ('failed' in next) return list;
    await this.#store.renewList(name, list, next);
    return next;
  }
}

function derOf(given: string | Uint8Array): Uint8Array {
  const pem = /-----BEGIN (?:X509 )?CRL-----([A-Za-z0-9+/=\s]+)-----END/.exec(
    typeof given === 'string' ? given : text(given),
  );
  const encoded = pem?.[1] ?? (typeof given === 'string' ? given : undefined);
  if (encoded === undefined && typeof given !== 'string') return given;
  return fromBase64((encoded ?? '').replaceAll(/\s+/g, '')) ?? new Uint8Array();
}
