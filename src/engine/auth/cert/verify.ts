import type { Clock } from '../../../lib/clock.ts';
import { type ParsedCertificate, parseCertificate, parsePem } from './certificate.ts';
import { chainsOf, isForClients, isSame, isUsable } from './chain.ts';
import { fits } from './constraints.ts';
import type { Ocsp } from './ocsp.ts';
import type { Revocations } from './revocation.ts';
import type { CertStore, TrustedCert } from './store.ts';

/** A client that an entry vouches for. */
export interface Verified {
  readonly client: ParsedCertificate;
  readonly entry: TrustedCert;
}

export interface VerifyContext {
  readonly store: CertStore;
  readonly revocations: Revocations;
  readonly ocsp: Ocsp;
  readonly clock: Clock;
}

interface Trusted {
  readonly entry: TrustedCert;
  readonly certificates: readonly ParsedCertificate[];
}

const INVALID = 'invalid certificate or no client certificate supplied';
const NO_CHAIN = 'no chain matching all constraints could be found for this login certificate';

/**
 * Finds the first entry, in the order of names, that vouches for a client.
 * @param presented what the client sent, as DER, its own certificate first; undefined without TLS
 * @param name the only entry that may, or empty for all
 * @returns why none does
 */
export async function verifyClient(
  { store, revocations, ocsp, clock }: VerifyContext,
  presented: readonly Uint8Array[] | undefined,
  name: string,
): Promise<Verified | { readonly refused: string }> {
  if (presented === undefined) return { refused: 'tls connection required' };
  const [der, ...rest] = presented;
  if (der === undefined) return { refused: 'client certificate must be supplied' };
  const client = parseCertificate(der);
  const now = clock.now();
  if (client === undefined || !isUsable(client, now)) return { refused: INVALID };
  const trusted = await load(store, name);
  const troubles = new Set<string>();
  const matches = async (entry: TrustedCert, chain: readonly ParsedCertificate[]): Promise<boolean> => {
    if (!fits(client, entry) || (await revocations.isRevoked(chain))) return false;
    const trouble = entry.ocsp.enabled ? await ocsp.check(client, chain[1], entry.ocsp) : undefined;
    if (trouble !== undefined) troubles.add(trouble);
    return trouble === undefined;
  };

  for (const { entry, certificates } of trusted) {
    const [first] = certificates;
    if (first === undefined || first.isCa || !isSame(first, client) || !isForClients(client)) continue;
    if (await matches(entry, certificates)) return { client, entry };
  }
  const authorities = trusted.filter(({ certificates }) => certificates[0]?.isCa === true);
  const intermediates = rest.map(parseCertificate).filter((each) => each !== undefined);
  const chains = chainsOf(
    client,
    intermediates,
    authorities.flatMap(({ certificates }) => certificates),
    now,
  );
  for (const { entry, certificates } of authorities) {
    for (const chain of chains) {
      if (!certificates.some((mine) => chain.some((each) => isSame(mine, each)))) continue;
      if (await matches(entry, chain)) return { client, entry };
    }
  }
  const reason = chains.length === 0 ? INVALID : NO_CHAIN;
  if (troubles.size === 0) return { refused: reason };
  return {
    refused: `${reason}; additionally got errors during verification: ${[...troubles].join('; ')}`,
  };
}

async function load(store: CertStore, name: string): Promise<Trusted[]> {
  const found: Trusted[] = [];
  for (const each of name === '' ? await store.certNames() : [name]) {
    const entry = await store.cert(each);
    if (entry !== undefined) found.push({ entry, certificates: parsePem(entry.certificate) });
  }
  return found;
}
