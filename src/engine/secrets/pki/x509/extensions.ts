import { AsnIA5StringConverter, OctetString } from '@peculiar/asn1-schema';
import {
  AccessDescription,
  AuthorityInfoAccessSyntax,
  AuthorityKeyIdentifier,
  BasicConstraints,
  CertificatePolicies,
  CRLDistributionPoints,
  CRLNumber,
  DisplayText,
  DistributionPoint,
  DistributionPointName,
  ExtendedKeyUsage,
  Extension,
  GeneralName,
  KeyIdentifier,
  KeyUsage,
  PolicyInformation,
  PolicyQualifierInfo,
  SubjectKeyIdentifier,
  UserNotice,
} from '@peculiar/asn1-x509';
import { encodeConstraints, type NameConstraints } from '../../../../lib/x509/name-constraints.ts';
import { encode, toBuffer } from './der.ts';

export const OID = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  crlNumber: '2.5.29.20',
  deltaCrlIndicator: '2.5.29.27',
  nameConstraints: '2.5.29.30',
  crlDistributionPoints: '2.5.29.31',
  certificatePolicies: '2.5.29.32',
  authorityKeyIdentifier: '2.5.29.35',
  extKeyUsage: '2.5.29.37',
  freshestCrl: '2.5.29.46',
  authorityInfoAccess: '1.3.6.1.5.5.7.1.1',
} as const;

/** URLs of an issuer, as they stand in what it signs. */
export interface AiaUrls {
  readonly issuingCertificates: readonly string[];
  readonly crlDistributionPoints: readonly string[];
  readonly deltaCrlDistributionPoints: readonly string[];
  readonly ocspServers: readonly string[];
}

export function extension(extnID: string, value: Uint8Array, critical = false): Extension {
  return new Extension({ extnID, critical, extnValue: new OctetString(toBuffer(value)) });
}

export const keyUsage = (flags: number): Extension =>
  extension(OID.keyUsage, encode(keyUsageBits(flags)), true);

// A named bit list has no zero bits at its end (X.690 §11.2.2).
function keyUsageBits(flags: number): KeyUsage {
  const bits = new KeyUsage();
  bits.fromNumber(flags);
  return bits;
}

export const extendedKeyUsage = (oids: readonly string[]): Extension =>
  extension(OID.extKeyUsage, encode(new ExtendedKeyUsage([...oids])));

/** @param pathLength undefined for any */
export const basicConstraints = (cA: boolean, pathLength?: number): Extension =>
  extension(
    OID.basicConstraints,
    encode(new BasicConstraints(pathLength === undefined ? { cA } : { cA, pathLenConstraint: pathLength })),
    true,
  );

export const subjectKeyIdentifier = (id: Uint8Array): Extension =>
  extension(OID.subjectKeyIdentifier, encode(new SubjectKeyIdentifier(toBuffer(id))));

export const authorityKeyIdentifier = (id: Uint8Array): Extension =>
  extension(
    OID.authorityKeyIdentifier,
    encode(new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(toBuffer(id)) })),
  );

/** Where the issuer's certificate and its OCSP responder are (RFC 5280 §4.2.2.1); nothing without URLs. */
export function authorityInfoAccess({ ocspServers, issuingCertificates }: AiaUrls): Extension[] {
  const entries = [
    ...ocspServers.map((url) => ['1.3.6.1.5.5.7.48.1', url] as const),
    ...issuingCertificates.map((url) => ['1.3.6.1.5.5.7.48.2', url] as const),
  ];
  if (entries.length === 0) return [];
  const items = entries.map(
    ([accessMethod, uniformResourceIdentifier]) =>
      new AccessDescription({
        accessMethod,
        accessLocation: new GeneralName({ uniformResourceIdentifier }),
      }),
  );
  return [extension(OID.authorityInfoAccess, encode(new AuthorityInfoAccessSyntax(items)))];
}

/** CRL distribution points, or the freshest CRL, which has the same form; nothing without URLs. */
export function distributionPoints(
  oid: typeof OID.crlDistributionPoints | typeof OID.freshestCrl,
  urls: readonly string[],
): Extension[] {
  if (urls.length === 0) return [];
  const points = urls.map(
    (uniformResourceIdentifier) =>
      new DistributionPoint({
        distributionPoint: new DistributionPointName({
          fullName: [new GeneralName({ uniformResourceIdentifier })],
        }),
      }),
  );
  return [extension(oid, encode(new CRLDistributionPoints(points)))];
}

/** What an authority may issue for; nothing without constraints. */
export function nameConstraints(constraints: NameConstraints | undefined): Extension[] {
  const value = constraints === undefined ? undefined : encodeConstraints(constraints);
  return value === undefined ? [] : [extension(OID.nameConstraints, value, true)];
}

/** A certificate policy, with where its statement is and what is to be shown of it. */
export interface Policy {
  readonly oid: string;
  readonly cps?: string;
  readonly notice?: string;
}

export function certificatePolicies(policies: readonly Policy[]): Extension[] {
  if (policies.length === 0) return [];
  const items = policies.map(({ oid, cps, notice }) => {
    const policyQualifiers = [
      ...(cps === undefined
        ? []
        : [qualifier('1.3.6.1.5.5.7.2.1', new Uint8Array(AsnIA5StringConverter.toASN(cps).toBER(false)))]),
      ...(notice === undefined
        ? []
        : [
            qualifier(
              '1.3.6.1.5.5.7.2.2',
              encode(new UserNotice({ explicitText: new DisplayText({ utf8String: notice }) })),
            ),
          ]),
    ];
    return new PolicyInformation(
      policyQualifiers.length === 0 ? { policyIdentifier: oid } : { policyIdentifier: oid, policyQualifiers },
    );
  });
  return [extension(OID.certificatePolicies, encode(new CertificatePolicies(items)))];
}

function qualifier(policyQualifierId: string, value: Uint8Array): PolicyQualifierInfo {
  return new PolicyQualifierInfo({ policyQualifierId, qualifier: toBuffer(value) });
}

export const crlNumber = (value: number): Extension => extension(OID.crlNumber, encode(new CRLNumber(value)));

/** Of a delta CRL: the number of the CRL that it adds to. */
export const deltaCrlIndicator = (base: number): Extension =>
  extension(OID.deltaCrlIndicator, encode(new CRLNumber(base)), true);
