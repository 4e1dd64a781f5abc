import { isBlock } from '../../../lib/cidr.ts';
import type { NameConstraints } from '../../../lib/x509/name-constraints.ts';
import type { LeaseTtl } from '../../logical/request.ts';
import type { Content } from './build.ts';
import { decideNames, type NamePlan, type NameRequest } from './names.ts';
import { Refused } from './refused.ts';
import type { Role } from './role.ts';
import { decideValidity, type IssuerEnd, type TimeRequest } from './validity.ts';
import { openRole } from './verbatim-role.ts';
import { nameOf } from './x509/name.ts';
import type { SigningRequest } from './x509/request.ts';
import { extendedUsages, keyUsageFlags } from './x509/usage.ts';

/** What a request says of an authority's names. */
export interface CaNameRequest extends NameRequest {
  readonly ou: string[];
  readonly organization: string[];
  readonly country: string[];
  readonly locality: string[];
  readonly province: string[];
  readonly street_address: string[];
  readonly postal_code: string[];
  readonly not_before_duration: number;
}

/** What a request says of an authority's certificate. */
export interface CaRequest extends CaNameRequest, TimeRequest {
  readonly format: string;
  readonly private_key_format: string;
  readonly key_usage: string[];
  readonly ext_key_usage: string[];
  readonly ext_key_usage_oids: string[];
  readonly permitted_dns_domains: string[];
  readonly excluded_dns_domains: string[];
  readonly permitted_ip_ranges: string[];
  readonly excluded_ip_ranges: string[];
  readonly permitted_email_addresses: string[];
  readonly excluded_email_addresses: string[];
  readonly permitted_uri_domains: string[];
  readonly excluded_uri_domains: string[];
  readonly max_path_length: number | undefined;
  readonly signature_bits: number;
  readonly use_pss: boolean;
}

/** A role that allows an authority everything, with the subject of the request. */
export function caRole(fields: CaNameRequest, csr: { readonly usesCommonName: boolean }): Role {
  return {
    ...openRole(),
    use_csr_common_name: csr.usesCommonName,
    ou: fields.ou,
    organization: fields.organization,
    country: fields.country,
    locality: fields.locality,
    province: fields.province,
    street_address: fields.street_address,
    postal_code: fields.postal_code,
    not_before_duration: fields.not_before_duration,
  };
}

/** What an authority's certificate is to say. @param issuer undefined for one that signs itself */
export function decideAuthority(
  fields: CaRequest,
  limits: LeaseTtl,
  now: number,
  issuer: IssuerEnd | undefined,
  csr: SigningRequest | undefined,
): (Content & { readonly warnings: readonly string[] }) | Refused {
  const role = caRole(fields, { usesCommonName: csr !== undefined && fields.common_name === '' });
  const names: NamePlan | Refused = decideNames(role, fields, csr);
  if (names instanceof Refused) return names;
  const validity = decideValidity(role, fields, limits, issuer, now);
  if (validity instanceof Refused) return validity;
  const nameConstraints = constraintsOf(fields);
  if (nameConstraints instanceof Refused) return nameConstraints;
  const { max_path_length: pathLength } = fields;
  return {
    subject: nameOf(names.subject),
    names: names.names,
    notBefore: validity.notBefore,
    notAfter: validity.notAfter,
    keyUsage: keyUsageFlags(fields.key_usage),
    extKeyUsage: extendedUsages(fields.ext_key_usage, fields.ext_key_usage_oids),
    policies: [],
    constraints: { ca: true, ...(pathLength === undefined || pathLength < 0 ? {} : { pathLength }) },
    nameConstraints,
    signatureBits: fields.signature_bits,
    usePss: fields.use_pss,
    warnings: validity.warnings,
  };
}

function constraintsOf(fields: CaRequest): NameConstraints | Refused {
  const permitted = {
    dns: fields.permitted_dns_domains,
    emails: fields.permitted_email_addresses,
    ips: fields.permitted_ip_ranges,
    uris: fields.permitted_uri_domains,
  };
  const excluded = {
    dns: fields.excluded_dns_domains,
    emails: fields.excluded_email_addresses,
    ips: fields.excluded_ip_ranges,
    uris: fields.excluded_uri_domains,
  };
  for (const { dns, emails, ips, uris } of [permitted, excluded]) {
    const foreign = [...dns, ...emails, ...uris].find((name) => !/^\p{ASCII}*$/u.test(name));
    if (foreign !== undefined)
      return new Refused(`x509: ${JSON.stringify(foreign)} cannot be encoded as an IA5String`);
    const block = ips.find((each) => !isBlock(each));
    if (block !== undefined) return new Refused(`invalid CIDR address: ${block}`);
  }
  return { permitted, excluded };
}
