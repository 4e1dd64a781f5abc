import type { Extension, Name } from '@peculiar/asn1-x509';
import { isJsonObject, parseJson } from '../../../lib/json.ts';
import type { Random } from '../../../lib/random.ts';
import { newSerial } from './serial.ts';
import { type NameConstraints, violation } from '../../../lib/x509/name-constraints.ts';
import { Refused } from './refused.ts';
import type { Signer } from './signer.ts';
import { algorithmFor, type SignatureAlgorithm } from './x509/algorithms.ts';
import { type Certificate, makeCertificate } from './x509/certificate.ts';
import { encode } from './x509/der.ts';
import {
  type AiaUrls,
  authorityInfoAccess,
  authorityKeyIdentifier,
  basicConstraints,
  certificatePolicies,
  distributionPoints,
  extendedKeyUsage,
  extension,
  keyUsage,
  OID,
  nameConstraints,
  type Policy,
  subjectKeyIdentifier,
} from './x509/extensions.ts';
import { keyIdentifier, spkiOf } from './x509/keys.ts';
import { type AlternativeNames, decodeNames, encodeNames, isEmpty, noNames } from './x509/san.ts';
import type { SigningKey } from './x509/signing-key.ts';
import { CA_USAGE } from './x509/usage.ts';

/** What a certificate is to say, decided and allowed. */
export interface Content {
  readonly subject: Name;
  readonly names: AlternativeNames;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly keyUsage: number;
  readonly extKeyUsage: readonly string[];
  readonly policies: readonly Policy[];
  /** Undefined for certificates that say nothing of it. */
  readonly constraints: { readonly ca: boolean; readonly pathLength?: number } | undefined;
  /** Undefined for all but authorities. */
  readonly nameConstraints?: NameConstraints;
  readonly signatureBits: number;
  readonly usePss: boolean;
  /** A subject key identifier in place of the key's own. */
  readonly skid?: Uint8Array;
  /** Extensions that take the place of those of the same kind, or stand after all. */
  readonly extra?: readonly Extension[];
}

/** Issues a certificate for a public key; refused when an authority of the chain may not issue for its names. */
export async function issueWith(
  signer: Signer,
  content: Content,
  spki: Uint8Array,
  random: Random,
): Promise<Certificate | Refused> {
  const { certificate, key, urls } = signer;
  const extensions = extensionsOf(content, spki, certificate.subjectKeyId, urls);
  const refused = refuseNames(signer, extensions);
  if (refused !== undefined) return refused;
  return makeCertificate(
    {
      serial: newSerial(random),
      issuer: certificate.subject,
      subject: content.subject,
      notBefore: content.notBefore,
      notAfter: content.notAfter,
      spki,
      extensions,
    },
    key,
    algorithmFor(key, content.signatureBits, content.usePss),
  );
}

// What the certificate will say counts, also when it comes from a request (RFC 5280 §6.1.3 b, c).
function refuseNames({ certificate, chain }: Signer, extensions: readonly Extension[]): Refused | undefined {
  const found = extensions.find(({ extnID }) => extnID === OID.subjectAltName);
  const names = found === undefined ? noNames : decodeNames(new Uint8Array(found.extnValue.buffer));
  for (const authority of [certificate, ...chain]) {
    const constraints = authority.extension(OID.nameConstraints);
    if (constraints === undefined) continue;
    const why = names === undefined ? 'the alternative names cannot be read' : violation(constraints, names);
    if (why !== undefined)
      return new Refused(
        `x509: a root or intermediate certificate is not authorized to sign for this name: ${why}`,
      );
  }
  return undefined;
}

/** Makes a certificate that signs itself. */
export async function issueSelf(
  key: SigningKey,
  content: Content,
  urls: AiaUrls,
  random: Random,
): Promise<Certificate> {
  const spki = spkiOf(key);
  return makeCertificate(
    {
      serial: newSerial(random),
      issuer: content.subject,
      subject: content.subject,
      notBefore: content.notBefore,
      notAfter: content.notAfter,
      spki,
      extensions: extensionsOf(content, spki, keyIdentifier(spki), urls),
    },
    key,
    algorithmFor(key, content.signatureBits, content.usePss),
  );
}

/** The same certificate from another issuer: subject, key, serial, time and extensions stay. */
export async function reissue(
  signer: Signer,
  given: Certificate,
  algorithm: SignatureAlgorithm,
): Promise<Certificate | Refused> {
  const { urls } = signer;
  const refused = refuseNames(signer, given.extensions);
  if (refused !== undefined) return refused;
  const fresh = [
    authorityKeyIdentifier(signer.certificate.subjectKeyId),
    ...authorityInfoAccess(urls),
    ...distributionPoints(OID.crlDistributionPoints, urls.crlDistributionPoints),
  ];
  const replaced: readonly string[] = [
    OID.authorityKeyIdentifier,
    OID.authorityInfoAccess,
    OID.crlDistributionPoints,
  ];
  return makeCertificate(
    {
      serial: given.serialBytes,
      issuer: signer.certificate.subject,
      subject: given.subject,
      notBefore: given.notBefore,
      notAfter: given.notAfter,
      spki: given.spki,
      extensions: [...given.extensions.filter(({ extnID }) => !replaced.includes(extnID)), ...fresh],
    },
    signer.key,
    algorithm,
  );
}

function extensionsOf(
  content: Content,
  spki: Uint8Array,
  authorityId: Uint8Array,
  urls: AiaUrls,
): Extension[] {
  const { constraints, names, extra = [] } = content;
  const usage = content.keyUsage | (constraints?.ca === true ? CA_USAGE : 0);
  // A subject without names leaves it to the alternative names to say who it is (RFC 5280 §4.1.2.6).
  const nameless = encode(content.subject).length <= 2;
  const own = [
    ...(usage === 0 ? [] : [keyUsage(usage)]),
    ...(content.extKeyUsage.length === 0 ? [] : [extendedKeyUsage(content.extKeyUsage)]),
    ...(constraints === undefined ? [] : [basicConstraints(constraints.ca, constraints.pathLength)]),
    subjectKeyIdentifier(content.skid ?? keyIdentifier(spki)),
    authorityKeyIdentifier(authorityId),
    ...authorityInfoAccess(urls),
    ...(isEmpty(names) ? [] : [extension(OID.subjectAltName, encodeNames(names), nameless)]),
    ...certificatePolicies(content.policies),
    ...nameConstraints(content.nameConstraints),
    ...distributionPoints(OID.crlDistributionPoints, urls.crlDistributionPoints),
    ...distributionPoints(OID.freshestCrl, urls.deltaCrlDistributionPoints),
  ];
  const given = new Set(extra.map(({ extnID }) => extnID));
  return [...own.filter(({ extnID }) => !given.has(extnID)), ...extra];
}

/** A role's policies: OIDs, or JSON with what is to be shown of them. */
export function policiesOf(identifiers: readonly string[]): Policy[] {
  return identifiers.map((identifier) => {
    const value = identifier.startsWith('{') ? parseJson(identifier) : undefined;
    if (!isJsonObject(value)) return { oid: identifier };
    const { oid, cps, notice } = value;
    return {
      oid: typeof oid === 'string' ? oid : '',
      ...(typeof cps === 'string' ? { cps } : {}),
      ...(typeof notice === 'string' ? { notice } : {}),
    };
  });
}
