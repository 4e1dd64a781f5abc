import { isIP } from 'node:net';
import { isInBlocks } from '../../../lib/cidr.ts';
import { isAllowedCommonName, isAllowedName, type NameRules } from './allowed-names.ts';
import { matchesGlob } from '../../../lib/glob.ts';
import { isHostName, toAscii } from './host-name.ts';
import { Refused } from './refused.ts';
import { readOtherNames, type Role } from './role.ts';
import { commonNameOf, serialNumberOf, type Subject, USER_ID, valuesOf } from './x509/name.ts';
import type { SigningRequest } from './x509/request.ts';
import type { AlternativeNames } from './x509/san.ts';

/** What a request says of a certificate's names. */
export interface NameRequest {
  readonly common_name: string;
  /** Host names and email addresses, between commas. */
  readonly alt_names: string;
  readonly ip_sans: readonly string[];
  readonly uri_sans: readonly string[];
  readonly other_sans: readonly string[];
  readonly serial_number: string;
  readonly exclude_cn_from_sans: boolean;
  /** Undefined where there are none to ask for. */
  readonly user_ids?: readonly string[];
}

/** Names that a role allows. */
export interface NamePlan {
  readonly subject: Subject;
  readonly names: AlternativeNames;
}

/** Decides on the names of a certificate. @param role with its templates filled in */
export function decideNames(
  role: Role,
  request: NameRequest,
  csr: SigningRequest | undefined,
): NamePlan | Refused {
  const asked = csr !== undefined && role.use_csr_sans ? csr.names : undefined;
  if (csr !== undefined && role.use_csr_sans && asked === undefined)
    return new Refused('could not parse requested other SAN: no UTF-8 string found in OtherName');
  const commonName =
    (csr !== undefined && role.use_csr_common_name ? commonNameOf(csr.subject) : '') || request.common_name;
  if (commonName === '' && role.require_cn) {
    return new Refused(
      'the common_name field is required, or must be provided in a CSR with "use_csr_common_name" set to true, unless "require_cn" is set to false',
    );
  }
  const serialNumber = request.serial_number || (csr === undefined ? '' : serialNumberOf(csr.subject));
  const hosts = decideHosts(role, request, commonName, asked);
  if (hosts instanceof Refused) return hosts;
  if (serialNumber !== '' && !role.allowed_serial_numbers.some((glob) => matchesGlob(glob, serialNumber)))
    return new Refused(`serial_number ${serialNumber} not allowed by this role`);
  const others = decideOthers(role, request.other_sans, asked);
  if (others instanceof Refused) return others;
  const ips = decideAddresses(role, request.ip_sans, asked);
  if (ips instanceof Refused) return ips;
  const uris = decideUris(role, request.uri_sans, asked);
  if (uris instanceof Refused) return uris;
  const userIds = decideUserIds(role, request.user_ids, csr);
  if (userIds instanceof Refused) return userIds;
  const subject: Subject = {
    commonName,
    serialNumber,
    country: role.country,
    organization: role.organization,
    ou: role.ou,
    locality: role.locality,
    province: role.province,
    streetAddress: role.street_address,
    postalCode: role.postal_code,
    userIds,
  };
  return { subject, names: { ...hosts, ips, uris, others } };
}

function decideHosts(
  role: NameRules,
  request: NameRequest,
  commonName: string,
  asked: AlternativeNames | undefined,
): Pick<AlternativeNames, 'dns' | 'emails'> | Refused {
  const dns = [...(asked?.dns ?? [])];
  const emails = [...(asked?.emails ?? [])];
  const add = (name: string): Refused | undefined => {
    if (name.includes('@')) {
      // RFC 5280 §4.2.1.6: an IA5String.
      if (!/^\p{ASCII}*$/u.test(name))
        return new Refused(`x509: ${JSON.stringify(name)} cannot be encoded as an IA5String`);
      emails.push(name);
      return undefined;
    }
    const ascii = toAscii(name);
    if (ascii instanceof Refused) return ascii;
    if (isHostName(ascii)) dns.push(ascii);
    return undefined;
  };
  const wanted = commonName !== '' && !request.exclude_cn_from_sans ? [commonName] : [];
  if (asked === undefined) wanted.push(...splitNames(request.alt_names));
  for (const name of wanted) {
    const bad = add(name);
    if (bad !== undefined) return bad;
  }
  if (commonName !== '' && !isAllowedCommonName(role, commonName))
    return new Refused(`common name ${commonName} not allowed by this role`);
  const badName = dns.find((name) => !isAllowedName(role, name));
  if (badName !== undefined) return new Refused(`subject alternate name ${badName} not allowed by this role`);
  const badEmail = emails.find((name) => !isAllowedName(role, name));
  if (badEmail !== undefined) return new Refused(`email address ${badEmail} not allowed by this role`);
  return { dns: [...new Set(dns)], emails: [...new Set(emails)].toSorted() };
}

function splitNames(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  return [...new Set(names.filter((name) => name !== ''))];
}

function decideOthers(
  role: Role,
  wanted: readonly string[],
  asked: AlternativeNames | undefined,
): AlternativeNames['others'] | Refused {
  const given = readOtherNames(wanted);
  if (given instanceof Refused) return new Refused(`could not parse requested other SAN: ${given.message}`);
  const others = [...given, ...(asked?.others ?? [])];
  if (role.allowed_other_sans.length === 1 && role.allowed_other_sans[0] === '*') return others;
  const allowed = readOtherNames(role.allowed_other_sans);
  if (allowed instanceof Refused) return allowed;
  for (const { oid, value } of others) {
    const globs = allowed.filter((rule) => rule.oid === oid);
    if (globs.length === 0) return new Refused(`other SAN OID ${oid} not allowed by this role`);
    if (!globs.some((rule) => matchesGlob(rule.value, value)))
      return new Refused(`other SAN ${value} not allowed for OID ${oid} by this role`);
  }
  return others;
}

function decideAddresses(
  role: Role,
  wanted: readonly string[],
  asked: AlternativeNames | undefined,
): readonly string[] | Refused {
  const addresses = asked === undefined ? wanted : asked.ips;
  if (addresses.length === 0) return [];
  if (!role.allow_ip_sans) {
    return new Refused(
      asked === undefined
        ? `IP Subject Alternative Names are not allowed in this role, but was provided [${addresses.join(' ')}]`
        : 'IP Subject Alternative Names are not allowed in this role, but was provided some via CSR',
    );
  }
  const bad = addresses.find((address) => isIP(address) === 0 || address.includes('%'));
  if (bad !== undefined) return new Refused(`the value ${JSON.stringify(bad)} is not a valid IP address`);
  const outside = addresses.find((address) => !isInBlocks(address, role.allowed_ip_sans_cidr));
  return outside === undefined
    ? [...addresses]
    : new Refused(`IP Subject Alternative Name ${outside} is not allowed by this role`);
}

function decideUris(
  role: Role,
  wanted: readonly string[],
  asked: AlternativeNames | undefined,
): readonly string[] | Refused {
  const uris = asked === undefined ? wanted : asked.uris;
  if (uris.length === 0) return [];
  const way = asked === undefined ? 'the API' : 'CSR';
  if (role.allowed_uri_sans.length === 0)
    return new Refused(
      `URI Subject Alternative Names are not allowed in this role, but were provided via ${way}`,
    );
  if (uris.some((uri) => !role.allowed_uri_sans.some((glob) => matchesGlob(glob, uri))))
    return new Refused(
      `URI Subject Alternative Names were provided via ${way} which are not valid for this role`,
    );
  const bad = uris.find((uri) => !/^[\x21-\x7e]+$/.test(uri) || !URL.canParse(uri, 'base://base/'));
  return bad === undefined
    ? [...uris]
    : new Refused(`the provided URI Subject Alternative Name ${JSON.stringify(bad)} is not a valid URI`);
}

function decideUserIds(
  role: Role,
  wanted: readonly string[] | undefined,
  csr: SigningRequest | undefined,
): readonly string[] | Refused {
  if (wanted === undefined) return [];
  const ids = wanted.length > 0 || csr === undefined ? wanted : valuesOf(csr.subject, USER_ID);
  const isAllowed = (id: string): boolean =>
    role.allowed_user_ids.some(
      (rule) => rule.toLowerCase() === id.toLowerCase() || (rule.includes('*') && matchesGlob(rule, id)),
    );
  const bad = ids.find((id) => !isAllowed(id));
  return bad === undefined ? ids : new Refused(`user_id ${bad} is not allowed by this role`);
}
