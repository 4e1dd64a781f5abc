import { toHex } from '../../../lib/bytes.ts';
import { matchesGlob } from '../../../lib/glob.ts';
import { type ParsedCertificate, stringValue } from './certificate.ts';
import type { TrustedCert } from './store.ts';

/** Whether a client's certificate is one of those that an entry allows. */
export function fits(client: ParsedCertificate, entry: TrustedCert): boolean {
  const { commonName, dnsNames, emails, uris, organizationalUnits } = client;
  return (
    one(entry.allowedNames, [commonName, ...dnsNames, ...emails]) &&
    one(entry.allowedCommonNames, [commonName]) &&
    one(entry.allowedDnsSans, dnsNames) &&
    one(entry.allowedEmailSans, emails) &&
    one(entry.allowedUriSans, uris) &&
    one(entry.allowedOrganizationalUnits, organizationalUnits) &&
    (entry.requiredExtensions ?? []).every((required) => hasExtension(client, required))
  );
}

/** The values of the allowed extensions, by their OIDs with dashes for dots. */
export function extensionMetadata(client: ParsedCertificate, entry: TrustedCert): Record<string, string> {
  const metadata: [string, string][] = [];
  for (const oid of entry.allowedMetadataExtensions ?? []) {
    const value = client.extensions.get(oid);
    if (value !== undefined) metadata.push([oid.replaceAll('.', '-'), stringValue(value)]);
  }
  return Object.fromEntries(metadata);
}

/** @returns whether an entry of required_extensions can be understood */
export function isRequirement(text: string): boolean {
  return /^(?:hex:)?\d+(?:\.\d+)+:/.test(text);
}

function one(patterns: readonly string[] | null, names: readonly string[]): boolean {
  if (patterns === null || patterns.length === 0) return true;
  return patterns.some((pattern) => names.some((name) => matchesGlob(pattern, name)));
}

function hasExtension({ extensions }: ParsedCertificate, required: string): boolean {
  const hex = required.startsWith('hex:');
  const rest = hex ? required.slice('hex:'.length) : required;
  const colon = rest.indexOf(':');
  const value = extensions.get(rest.slice(0, colon));
  if (value === undefined) return false;
  const pattern = rest.slice(colon + 1);
  return hex ? matchesGlob(pattern.toLowerCase(), toHex(value)) : matchesGlob(pattern, stringValue(value));
}
