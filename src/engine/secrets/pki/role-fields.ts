import type { Given } from './path-fields.ts';

const flag = (description: string, fallback = false): Given<'bool'> => ({
  type: 'bool',
  description,
  default: fallback,
});
const texts = (description: string, fallback: string[] = []): Given<'commaList'> => ({
  type: 'commaList',
  description,
  default: fallback,
});
const text = (description: string, fallback = ''): Given<'string'> => ({
  type: 'string',
  description,
  default: fallback,
});
const seconds = (description: string, fallback = 0): Given<'duration'> => ({
  type: 'duration',
  description,
  default: fallback,
});
const number = (description: string): Given<'int'> => ({ type: 'int', description, default: 0 });

type FlagName =
  | 'allow_localhost'
  | 'allowed_domains_template'
  | 'allow_globs_in_identity_templates'
  | 'allow_bare_domains'
  | 'allow_subdomains'
  | 'allow_glob_domains'
  | 'allow_wildcard_certificates'
  | 'allow_any_name'
  | 'enforce_hostnames'
  | 'allow_ip_sans'
  | 'allowed_uri_sans_template'
  | 'server_flag'
  | 'client_flag'
  | 'code_signing_flag'
  | 'email_protection_flag'
  | 'use_pss'
  | 'use_csr_common_name'
  | 'use_csr_sans'
  | 'generate_lease'
  | 'no_store'
  | 'require_cn'
  | 'basic_constraints_valid_for_non_ca';
type ListName =
  | 'allowed_domains'
  | 'allowed_ip_sans_cidr'
  | 'allowed_uri_sans'
  | 'allowed_other_sans'
  | 'allowed_serial_numbers'
  | 'allowed_user_ids'
  | 'key_usage'
  | 'ext_key_usage'
  | 'ext_key_usage_oids'
  | 'ou'
  | 'organization'
  | 'country'
  | 'locality'
  | 'province'
  | 'street_address'
  | 'postal_code'
  | 'cn_validations';
type TextName =
  | 'key_type'
  | 'not_before'
  | 'not_after'
  | 'not_before_bound'
  | 'not_after_bound'
  | 'issuer_ref';
type TimeName = 'ttl' | 'max_ttl' | 'not_before_duration';
type NumberName = 'key_bits' | 'signature_bits';

export type RoleFields = Readonly<
  Record<FlagName, Given<'bool'>> &
    Record<ListName, Given<'commaList'>> &
    Record<TextName, Given<'string'>> &
    Record<TimeName, Given<'duration'>> &
    Record<NumberName, Given<'int'>>
>;

/** The fields of a role, but for its name and policy_identifiers. */
export const roleFields: RoleFields = {
  ttl: seconds('Lifetime of certificates when a request asks for none.'),
  max_ttl: seconds('The longest lifetime of certificates.'),
  allow_localhost: flag('Whether localhost and localdomain are allowed names.', true),
  allowed_domains: texts('Domains for which certificates may be issued.'),
  allowed_domains_template: flag('Whether allowed_domains may hold identity templates.'),
  allow_globs_in_identity_templates: flag('Whether values of identity templates may hold globs.'),
  allow_bare_domains: flag('Whether the allowed domains themselves are allowed names.'),
  allow_subdomains: flag('Whether names below the allowed domains are allowed.'),
  allow_glob_domains: flag('Whether allowed_domains may hold globs.'),
  allow_wildcard_certificates: flag('Whether names may have a wildcard (RFC 6125).', true),
  allow_any_name: flag('Whether every name is allowed.'),
  enforce_hostnames: flag('Whether names must be valid host names.', true),
  allow_ip_sans: flag('Whether IP addresses are allowed.', true),
  allowed_ip_sans_cidr: texts('Blocks in which IP addresses must be.'),
  allowed_uri_sans: texts('Allowed URIs; globs are allowed.'),
  allowed_uri_sans_template: flag('Whether allowed_uri_sans may hold identity templates.'),
  allowed_other_sans: texts('Allowed other names: `<oid>;utf8:<glob>`, or `*` for all.'),
  allowed_serial_numbers: texts('Allowed serial numbers of the subject; globs are allowed.'),
  allowed_user_ids: texts('Allowed user ids of the subject; globs are allowed.'),
  server_flag: flag('Whether certificates are for TLS servers.', true),
  client_flag: flag('Whether certificates are for TLS clients.', true),
  code_signing_flag: flag('Whether certificates are for signing code.'),
  email_protection_flag: flag('Whether certificates are for email.'),
  key_type: text('Type of keys: rsa, ec, ed25519 or any.', 'rsa'),
  key_bits: number('Size of keys; 0 is the usual one of the type.'),
  signature_bits: number('Size of the hash that an RSA issuer signs; 0 is 256.'),
  use_pss: flag('Whether an RSA issuer signs with PSS.'),
  key_usage: texts('Usages of keys.', ['DigitalSignature', 'KeyAgreement', 'KeyEncipherment']),
  ext_key_usage: texts('Extended usages of keys, by name.'),
  ext_key_usage_oids: texts('Extended usages of keys, by OID.'),
  use_csr_common_name: flag("Whether the common name is a signing request's.", true),
  use_csr_sans: flag("Whether the alternative names are a signing request's.", true),
  ou: texts('Organizational units of the subject.'),
  organization: texts('Organizations of the subject.'),
  country: texts('Countries of the subject.'),
  locality: texts('Localities of the subject.'),
  province: texts('Provinces of the subject.'),
  street_address: texts('Street addresses of the subject.'),
  postal_code: texts('Postal codes of the subject.'),
  generate_lease: flag('Whether certificates have leases.'),
  no_store: flag('Whether certificates are not kept; they cannot be listed or revoked then.'),
  require_cn: flag('Whether a common name is needed.', true),
  cn_validations: texts('What a common name must be: email, hostname, or disabled for anything.', [
    'email',
    'hostname',
  ]),
  basic_constraints_valid_for_non_ca: flag('Whether certificates say that they are no authority.'),
  not_before_duration: seconds('How long before its making a certificate is valid.', 30),
  not_before: text('When certificates become valid (RFC 3339).'),
  not_after: text('When certificates end (RFC 3339).'),
  not_before_bound: text('What a request may do with not_before: permit, forbid or duration.', 'permit'),
  not_after_bound: text('What a request may do with not_after: permit, forbid or ttl-limited.', 'permit'),
  issuer_ref: text('The issuer that signs.', 'default'),
};
