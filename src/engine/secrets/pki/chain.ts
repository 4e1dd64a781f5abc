import { equalBytes } from '../../../lib/bytes.ts';
import type { Storage } from '../../logical/storage.ts';
import { allIssuers, certificateOf, type IssuerEntry, putIssuer } from './issuers.ts';
import type { Certificate } from './x509/certificate.ts';
import { encode } from './x509/der.ts';

interface Known {
  readonly entry: IssuerEntry;
  readonly certificate: Certificate;
}

/** Finds the chains of all issuers anew, and writes those that changed. Chains that were set by hand stay. */
export async function rebuildChains(storage: Storage): Promise<void> {
  const entries = await allIssuers(storage);
  const known = entries.map((entry) => ({ entry, certificate: certificateOf(entry) }));
  for (const issuer of known) {
    const { entry } = issuer;
    const chain = entry.manualChain.length > 0 ? entry.manualChain : chainFrom(issuer, known);
    if (chain.join() !== entry.chain.join()) await putIssuer(storage, { ...entry, chain });
  }
}

/**
 * The ids of an issuer and of those above it, nearest first. Where several certificates of one authority are known
 * (cross-signing), all of them are in it: clients pick the path to the root that they trust.
 */
function chainFrom(issuer: Known, known: readonly Known[]): string[] {
  const chain = [issuer];
  for (const current of chain) {
    if (current.certificate.isSelfSigned) continue;
    const issuerName = encode(current.certificate.issuer);
    for (const candidate of known) {
      if (chain.includes(candidate) || !equalBytes(encode(candidate.certificate.subject), issuerName))
        continue;
      if (current.certificate.isSignedBy(candidate.certificate)) chain.push(candidate);
    }
  }
  return chain.map(({ entry }) => entry.id);
}
