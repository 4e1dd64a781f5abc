import {
  id_ce_basicConstraints,
  id_ce_certificatePolicies,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_nameConstraints,
  id_ce_subjectAltName,
} from '@peculiar/asn1-x509';
import { equalBytes } from '../../../lib/bytes.ts';
import { violation } from '../../../lib/x509/name-constraints.ts';
import type { ParsedCertificate } from './certificate.ts';

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const ANY_USE = '2.5.29.37.0';
/** Critical extensions that this validation honours; any other one makes a certificate useless (RFC 5280 §4.2). */
const HONOURED: readonly string[] = [
  id_ce_basicConstraints,
  id_ce_certificatePolicies,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_nameConstraints,
  id_ce_subjectAltName,
];
const MAX_LENGTH = 10;
const MAX_SIGNATURES = 200;
const WEAK = /^(?:1\.2\.840\.113549\.1\.1\.[2345]|1\.2\.840\.10045\.4\.1|1\.2\.840\.10040\.4\.3)$/;

/**
 * The chains (RFC 5280 §6.1) by which a client's certificate comes from one of the roots, the client's first. Revocation
 * is not looked at. @param now milliseconds since the epoch
 */
export function chainsOf(
  leaf: ParsedCertificate,
  intermediates: readonly ParsedCertificate[],
  roots: readonly ParsedCertificate[],
  now: number,
): ParsedCertificate[][] {
  if (!isUsable(leaf, now)) return [];
  const found: ParsedCertificate[][] = [];
  if (roots.some((root) => isSame(root, leaf))) found.push([leaf]);
  // Somebody may present a thicket of certificates that sign each other.
  let signatures = 0;
  const extend = (chain: readonly ParsedCertificate[]): void => {
    const last = chain.at(-1);
    if (last === undefined || chain.length > MAX_LENGTH) return;
    for (const [candidates, isRoot] of [
      [roots, true],
      [intermediates, false],
    ] as const) {
      for (const issuer of candidates) {
        if (chain.some((each) => isSame(each, issuer)) || !mayIssue(issuer, chain, now)) continue;
        if (!last.x509.checkIssued(issuer.x509)) continue;
        signatures += 1;
        if (signatures > MAX_SIGNATURES || !last.x509.verify(issuer.x509.publicKey)) continue;
        if (isRoot) found.push([...chain, issuer]);
        else extend([...chain, issuer]);
      }
    }
  };
  extend([leaf]);
  return found.filter((chain) => chain.every(isForClients));
}

export function isSame(one: ParsedCertificate, other: ParsedCertificate): boolean {
  return equalBytes(one.der, other.der);
}

/** Valid now, with a sound signature algorithm and no critical extension that is not understood. */
export function isUsable(certificate: ParsedCertificate, now: number): boolean {
  return (
    certificate.notBefore <= now &&
    now <= certificate.notAfter &&
    certificate.critical.every((id) => HONOURED.includes(id))
  );
}

/** Whether a certificate may be used by a client of TLS. */
export function isForClients({ usages }: ParsedCertificate): boolean {
  return usages === undefined || usages.includes(CLIENT_AUTH) || usages.includes(ANY_USE);
}

function mayIssue(issuer: ParsedCertificate, chain: readonly ParsedCertificate[], now: number): boolean {
  const [leaf, ...between] = chain;
  const last = chain.at(-1);
  if (leaf === undefined || last === undefined) return false;
  return (
    issuer.isCa &&
    issuer.maySignCertificates &&
    isUsable(issuer, now) &&
    !WEAK.test(last.asn1.signatureAlgorithm.algorithm) &&
    (issuer.pathLength === undefined || between.length <= issuer.pathLength) &&
    allowsNames(issuer, leaf)
  );
}

function allowsNames(authority: ParsedCertificate, leaf: ParsedCertificate): boolean {
  const constraints = authority.extensions.get(id_ce_nameConstraints);
  return constraints === undefined || violation(constraints, leaf.names) === undefined;
}
