import type { JsonObject } from '../../../lib/json.ts';
import type { FieldValues } from '../../logical/fields.ts';
import { isCidr } from '../../../lib/cidr.ts';

/** A role for one-time passwords. */
export interface OtpRole {
  readonly keyType: 'otp';
  readonly defaultUser: string;
  readonly cidrList: string;
  readonly excludeCidrList: string;
  readonly port: number;
  readonly allowedUsers: string;
}

/** A role for certificates; times in seconds, 0 is the mount's. Lists are text, as the API has them. */
export interface CaRole {
  readonly keyType: 'ca';
  readonly algorithmSigner: string;
  readonly allowBareDomains: boolean;
  readonly allowCommasInIdentityTemplates: boolean;
  readonly allowEmptyPrincipals: boolean;
  readonly allowHostCertificates: boolean;
  readonly allowSubdomains: boolean;
  readonly allowUserCertificates: boolean;
  readonly allowUserKeyIds: boolean;
  readonly allowedCriticalOptions: string;
  readonly allowedDomains: string;
  readonly allowedDomainsTemplate: boolean;
  readonly allowedExtensions: string;
  readonly allowedUserKeyLengths: Readonly<Record<string, readonly number[]>>;
  readonly allowedUsers: string;
  readonly allowedUsersTemplate: boolean;
  readonly defaultCriticalOptions: Readonly<Record<string, string>>;
  readonly defaultExtensions: Readonly<Record<string, string>>;
  readonly defaultExtensionsTemplate: boolean;
  readonly defaultUser: string;
  readonly defaultUserTemplate: boolean;
  readonly issuerRef: string;
  readonly keyIdFormat: string;
  readonly maxTtl: number;
  readonly notBeforeDuration: number;
  readonly ttl: number;
}

export type Role = OtpRole | CaRole;

export const roleFields = {
  role: { type: 'string', description: 'Name of the role.', required: true },
  key_type: {
    type: 'string',
    description: 'Type of key used to log in to hosts: otp or ca.',
    default: '',
    fold: true,
  },
  default_user: {
    type: 'string',
    description: 'User for whom a credential is made when none is named.',
    default: '',
  },
  default_user_template: {
    type: 'bool',
    description: 'Whether default_user may hold identity templates.',
    default: false,
  },
  cidr_list: {
    type: 'string',
    description: 'Blocks of addresses of hosts, separated by commas.',
    default: '',
    separated: true,
  },
  exclude_cidr_list: {
    type: 'string',
    description: 'Blocks of addresses that the role does not accept.',
    default: '',
    separated: true,
  },
  port: { type: 'int', description: 'Port of the SSH connection, told to clients.', default: 22 },
  allowed_users: {
    type: 'string',
    description: 'Users that may be asked for, separated by commas; * for any.',
    default: '',
    separated: true,
  },
  allowed_users_template: {
    type: 'bool',
    description: 'Whether allowed_users may hold identity templates.',
    default: false,
  },
  allowed_domains: {
    type: 'string',
    description: 'Domains of host certificates, separated by commas; * for any.',
    default: '',
    separated: true,
  },
  allowed_domains_template: {
    type: 'bool',
    description: 'Whether allowed_domains may hold identity templates.',
    default: false,
  },
  ttl: { type: 'duration', description: 'Lifetime of certificates when none is asked for.', default: 0 },
  max_ttl: { type: 'duration', description: 'Maximum lifetime of certificates.', default: 0 },
  allowed_critical_options: {
    type: 'string',
    description: 'Critical options that may be asked for; empty for any.',
    default: '',
    separated: true,
  },
  allowed_extensions: {
    type: 'string',
    description: 'Extensions that may be asked for; * for any, empty for none.',
    default: '',
    separated: true,
  },
  default_critical_options: {
    type: 'stringMap',
    description: 'Critical options of certificates when none are asked for.',
  },
  default_extensions: {
    type: 'stringMap',
    description: 'Extensions of certificates when none are asked for.',
  },
  default_extensions_template: {
    type: 'bool',
    description: 'Whether default_extensions may hold identity templates.',
    default: false,
  },
  allow_user_certificates: {
    type: 'bool',
    description: 'Whether certificates may be for users.',
    default: false,
  },
  allow_host_certificates: {
    type: 'bool',
    description: 'Whether certificates may be for hosts.',
    default: false,
  },
  allow_bare_domains: {
    type: 'bool',
    description: 'Whether host certificates may be for the allowed domains themselves.',
    default: false,
  },
  allow_subdomains: {
    type: 'bool',
    description: 'Whether host certificates may be for names below the allowed domains.',
    default: false,
  },
  allow_user_key_ids: { type: 'bool', description: 'Whether the key ID may be chosen.', default: false },
  key_id_format: {
    type: 'string',
    description:
      'Form of the key ID, with token_display_name, role_name and public_key_hash in double braces.',
    default: '',
  },
  allowed_user_key_lengths: { type: 'object', description: 'Key types and the lengths that may be signed.' },
  algorithm_signer: {
    type: 'string',
    description: 'Algorithm of signatures: default, ssh-rsa, rsa-sha2-256 or rsa-sha2-512.',
    default: '',
  },
  not_before_duration: {
    type: 'duration',
    description: 'By how much certificates are backdated.',
    default: 30,
  },
  allow_empty_principals: {
    type: 'bool',
    description: 'Whether certificates may name nobody, and so be good for all.',
    default: false,
  },
  allow_commas_in_identity_templates: {
    type: 'bool',
    description: 'Whether a comma in the value of an identity template separates names.',
    default: false,
  },
  issuer_ref: { type: 'string', description: 'Issuer that signs.', default: '' },
} as const;

/** @returns the role, or why it is refused */
export function readRole(values: FieldValues<typeof roleFields>): Role | string {
  for (const name of ['cidr_list', 'exclude_cidr_list'] as const) {
    const valid = values[name].split(',').every((block) => block.includes('/') && isCidr(block.trim()));
    if (values[name] !== '' && !valid)
      return name === 'cidr_list'
        ? 'failed to validate cidr_list'
        : 'failed to validate exclude_cidr_list entry';
  }
  const keyType = values.key_type;
  if (keyType === '') return 'missing key type';
  if (keyType === 'dynamic') return 'dynamic key type roles are no longer supported';
  if (keyType === 'otp') {
    if (values.default_user === '') return 'missing default user';
    return {
      keyType,
      defaultUser: values.default_user,
      cidrList: values.cidr_list,
      excludeCidrList: values.exclude_cidr_list,
      port: values.port === 0 ? 22 : values.port,
      allowedUsers: values.allowed_users,
    };
  }
  return keyType === 'ca' ? readCaRole(values) : 'invalid key type';
}

function readCaRole(values: FieldValues<typeof roleFields>): CaRole | string {
  const algorithm = values.algorithm_signer === '' ? 'default' : values.algorithm_signer;
  if (!['default', 'ssh-rsa', 'rsa-sha2-256', 'rsa-sha2-512'].includes(algorithm))
    return `unknown algorithm signer ${JSON.stringify(algorithm)}`;
  if (!values.allow_user_certificates && !values.allow_host_certificates)
    return "Either 'allow_user_certificates' or 'allow_host_certificates' must be set to 'true'";
  const lengths = readLengths(values.allowed_user_key_lengths ?? {});
  if (typeof lengths === 'string') return `error processing allowed_user_key_lengths: ${lengths}`;
  if (values.ttl !== 0 && values.max_ttl !== 0 && values.ttl > values.max_ttl)
    return '"ttl" value must be less than "max_ttl" when both are specified';
  return {
    keyType: 'ca',
    algorithmSigner: algorithm,
    allowBareDomains: values.allow_bare_domains,
    allowCommasInIdentityTemplates: values.allow_commas_in_identity_templates,
    allowEmptyPrincipals: values.allow_empty_principals,
    allowHostCertificates: values.allow_host_certificates,
    allowSubdomains: values.allow_subdomains,
    allowUserCertificates: values.allow_user_certificates,
    allowUserKeyIds: values.allow_user_key_ids,
    allowedCriticalOptions: values.allowed_critical_options,
    allowedDomains: values.allowed_domains,
    allowedDomainsTemplate: values.allowed_domains_template,
    allowedExtensions: values.allowed_extensions,
    allowedUserKeyLengths: lengths,
    allowedUsers: values.allowed_users,
    allowedUsersTemplate: values.allowed_users_template,
    defaultCriticalOptions: values.default_critical_options ?? {},
    defaultExtensions: values.default_extensions ?? {},
    defaultExtensionsTemplate: values.default_extensions_template,
    defaultUser: values.default_user,
    defaultUserTemplate: values.default_user_template,
    issuerRef: values.issuer_ref === '' ? 'default' : values.issuer_ref,
    keyIdFormat: values.key_id_format,
    maxTtl: values.max_ttl,
    notBeforeDuration: values.not_before_duration,
    ttl: values.ttl,
  };
}

function readLengths(given: JsonObject): Record<string, number[]> | string {
  const lengths: Record<string, number[]> = {};
  for (const [type, value] of Object.entries(given)) {
    const list = (Array.isArray(value) ? value : typeof value === 'string' ? value.split(',') : [value]).map(
      Number,
    );
    if (!list.every((each) => Number.isSafeInteger(each) && each >= 0))
      return `the lengths of ${type} are no numbers`;
    lengths[type] = list;
  }
  return lengths;
}

/** A role as reads show it. */
export function renderRole(role: Role): JsonObject {
  if (role.keyType === 'otp') {
    return {
      allowed_users: role.allowedUsers,
      cidr_list: role.cidrList,
      default_user: role.defaultUser,
      exclude_cidr_list: role.excludeCidrList,
      key_type: role.keyType,
      port: role.port,
    };
  }
  const shown: JsonObject = {};
  for (const [name, value] of Object.entries(role) as [string, CaRole[keyof CaRole]][])
    shown[snake(name)] = typeof value === 'object' ? copy(value) : value;
  return shown;
}

function copy(map: Readonly<Record<string, string | readonly number[]>>): JsonObject {
  return Object.fromEntries(
    Object.entries(map).map(([key, value]) => [key, typeof value === 'string' ? value : [...value]]),
  );
}

function snake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
