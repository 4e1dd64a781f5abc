import { AsnConvert } from '@peculiar/asn1-schema';
import { type GeneralName, id_ce_nameConstraints, NameConstraints } from '@peculiar/asn1-x509';
import type { ParsedCertificate } from './certificate.ts';

type Kind = 'dns' | 'email' | 'uri';

/** Whether an authority's name constraints (RFC 5280 §4.2.1.10) allow the names of a certificate. */
export function allowsNames(authority: ParsedCertificate, leaf: ParsedCertificate): boolean {
  const der = authority.extensions.get(id_ce_nameConstraints);
  if (der === undefined) return true;
  const { permittedSubtrees, excludedSubtrees } = AsnConvert.parse(der, NameConstraints);
  const permitted = [...(permittedSubtrees ?? [])].map(({ base }) => base);
  const excluded = [...(excludedSubtrees ?? [])].map(({ base }) => base);
  // Constraints on addresses and on whole subjects are not worked out: what they would judge is refused.
  for (const base of [...permitted, ...excluded]) {
    if (base.iPAddress !== undefined ? leaf.hasAddresses : kindOf(base) === undefined) return false;
  }
  const names: Readonly<Record<Kind, readonly string[]>> = {
    dns: leaf.dnsNames,
    email: leaf.emails,
    uri: leaf.uris,
  };
  return (['dns', 'email', 'uri'] as const).every((kind) => {
    const of = (bases: GeneralName[]): string[] =>
      bases.flatMap((base) => {
        const found = kindOf(base);
        return found?.kind === kind ? [found.value] : [];
      });
    const within = of(permitted);
    const without = of(excluded);
    return names[kind].every(
      (name) =>
        !without.some((constraint) => isWithin(kind, name, constraint)) &&
        (within.length === 0 || within.some((constraint) => isWithin(kind, name, constraint))),
    );
  });
}

function kindOf(base: GeneralName): { readonly kind: Kind; readonly value: string } | undefined {
  if (base.dNSName !== undefined) return { kind: 'dns', value: base.dNSName };
  if (base.rfc822Name !== undefined) return { kind: 'email', value: base.rfc822Name };
  if (base.uniformResourceIdentifier !== undefined)
    return { kind: 'uri', value: base.uniformResourceIdentifier };
  return undefined;
}

function isWithin(kind: Kind, name: string, constraint: string): boolean {
  switch (kind) {
    case 'dns':
      return isBelow(name, constraint);
    case 'email': {
      if (constraint.includes('@')) return name.toLowerCase() === constraint.toLowerCase();
      const host = name.slice(name.lastIndexOf('@') + 1);
      return constraint.startsWith('.') ? isBelow(host, constraint) : same(host, constraint);
    }
    case 'uri': {
      const host = URL.canParse(name) ? new URL(name).hostname : '';
      if (host === '') return false;
      return constraint.startsWith('.') ? isBelow(host, constraint) : same(host, constraint);
    }
  }
}

function isBelow(host: string, constraint: string): boolean {
  const suffix = constraint.toLowerCase().replace(/^\./, '');
  const lower = host.toLowerCase();
  if (suffix === '') return true;
  return lower.endsWith(`.${suffix}`) || (lower === suffix && !constraint.startsWith('.'));
}

function same(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}
