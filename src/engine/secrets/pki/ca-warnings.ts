import type { Certificate } from './x509/certificate.ts';
import { encode } from './x509/der.ts';
import { OID } from './x509/extensions.ts';

export const NO_URLS =
  "This mount hasn't configured any authority information access (AIA) fields; this may make it harder for systems to find missing certificates in the chain or to validate revocation status of certificates. Consider updating /config/urls or the newly generated issuer with this information.";

/** What is told of an authority's new certificate. */
export function authorityWarnings(certificate: Certificate): string[] {
  const warnings: string[] = [];
  if (encode(certificate.subject).length <= 2) {
    warnings.push(
      'This issuer certificate was generated without a Subject; this makes it likely that issuing leaf certs with this certificate will cause TLS validation libraries to reject this certificate.',
    );
  }
  const hasUrls =
    certificate.extension(OID.authorityInfoAccess) !== undefined ||
    certificate.extension(OID.crlDistributionPoints) !== undefined;
  if (!hasUrls) warnings.push(NO_URLS);
  return warnings;
}
