import { KeyUsageFlags } from '@peculiar/asn1-x509';
import { isOid } from '../oid.ts';

const KEY_USAGES: Readonly<Record<string, number>> = {
  digitalsignature: KeyUsageFlags.digitalSignature,
  contentcommitment: KeyUsageFlags.nonRepudiation,
  keyencipherment: KeyUsageFlags.keyEncipherment,
  dataencipherment: KeyUsageFlags.dataEncipherment,
  keyagreement: KeyUsageFlags.keyAgreement,
  certsign: KeyUsageFlags.keyCertSign,
  crlsign: KeyUsageFlags.cRLSign,
  encipheronly: KeyUsageFlags.encipherOnly,
  decipheronly: KeyUsageFlags.decipherOnly,
};

/** What every authority's key is for. */
export const CA_USAGE: number = KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign;
export const CRL_SIGN: number = KeyUsageFlags.cRLSign;

/** The flags of names such as `DigitalSignature`, in any case, with or without Go's `KeyUsage` before them. */
export function keyUsageFlags(names: readonly string[]): number {
  return names.reduce(
    (flags, name) =>
      flags |
      (KEY_USAGES[
        name
          .trim()
          .toLowerCase()
          .replace(/^keyusage/, '')
      ] ?? 0),
    0,
  );
}

// In the order in which they stand in a certificate.
const EXT_KEY_USAGES: Readonly<Record<string, string>> = {
  any: '2.5.29.37.0',
  serverauth: '1.3.6.1.5.5.7.3.1',
  clientauth: '1.3.6.1.5.5.7.3.2',
  codesigning: '1.3.6.1.5.5.7.3.3',
  emailprotection: '1.3.6.1.5.5.7.3.4',
  ipsecendsystem: '1.3.6.1.5.5.7.3.5',
  ipsectunnel: '1.3.6.1.5.5.7.3.6',
  ipsecuser: '1.3.6.1.5.5.7.3.7',
  timestamping: '1.3.6.1.5.5.7.3.8',
  ocspsigning: '1.3.6.1.5.5.7.3.9',
  microsoftservergatedcrypto: '1.3.6.1.4.1.311.10.3.3',
  netscapeservergatedcrypto: '2.16.840.1.113730.4.1',
  microsoftcommercialcodesigning: '1.3.6.1.4.1.311.2.1.22',
  microsoftkernelcodesigning: '1.3.6.1.4.1.311.61.1.1',
};

export interface UsageFlags {
  readonly server_flag: boolean;
  readonly client_flag: boolean;
  readonly code_signing_flag: boolean;
  readonly email_protection_flag: boolean;
}

/** OIDs of extended key usages: by a role's flags, by names such as `ServerAuth`, and given ones after them; what is none is left out. */
export function extendedUsages(
  names: readonly string[],
  oids: readonly string[],
  flags?: UsageFlags,
): string[] {
  const wanted = new Set(
    names.map((name) =>
      name
        .trim()
        .toLowerCase()
        .replace(/^extkeyusage/, ''),
    ),
  );
  if (flags?.server_flag === true) wanted.add('serverauth');
  if (flags?.client_flag === true) wanted.add('clientauth');
  if (flags?.code_signing_flag === true) wanted.add('codesigning');
  if (flags?.email_protection_flag === true) wanted.add('emailprotection');
  const known = Object.entries(EXT_KEY_USAGES).flatMap(([name, oid]) => (wanted.has(name) ? [oid] : []));
  return [...new Set([...known, ...oids.filter(isOid)])];
}
