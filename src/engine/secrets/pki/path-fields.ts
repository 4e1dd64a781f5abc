import type { Field, FieldTypes } from '../../logical/fields.ts';

/** A field that always has a value: the request's or its default. */
export type Given<T extends keyof FieldTypes> = Field<T> & { readonly default: FieldTypes[T] };
/** A field that is absent where the request has none. */
export type Optional<T extends keyof FieldTypes> = Omit<Field<T>, 'default' | 'required'>;

type Texts<N extends string> = Readonly<Record<N, Given<'string'>>>;
type Lists<N extends string> = Readonly<Record<N, Given<'commaList'>>>;
type Flags<N extends string> = Readonly<Record<N, Given<'bool'>>>;
type Times<N extends string> = Readonly<Record<N, Given<'duration'>>>;
type Numbers<N extends string> = Readonly<Record<N, Given<'int'>>>;

const text = (description: string, fallback = ''): Given<'string'> => ({
  type: 'string',
  description,
  default: fallback,
});
const texts = (description: string, fallback: string[] = []): Given<'commaList'> => ({
  type: 'commaList',
  description,
  default: fallback,
});
const flag = (description: string): Given<'bool'> => ({ type: 'bool', description, default: false });
const seconds = (description: string, fallback = 0): Given<'duration'> => ({
  type: 'duration',
  description,
  default: fallback,
});

export const optionalText = (description: string): Optional<'string'> => ({ type: 'string', description });

export const roleField: Texts<'role'> = { role: text('Name of the role.') };
export const issuerRefField: Texts<'issuer_ref'> = {
  issuer_ref: text('Id or name of an issuer, or `default`.', 'default'),
};
export const keyRefField: Texts<'key_ref'> = {
  key_ref: text('Id or name of a key, or `default`.', 'default'),
};
export const keyNameField: Texts<'key_name'> = { key_name: text('A name for the key.') };

type FormatFields = Texts<'format' | 'private_key_format'>;
const formatFields: FormatFields = {
  format: text('Format of certificates: pem, der or pem_bundle.', 'pem'),
  private_key_format: text("Form of private keys: der for the type's own, or pkcs8.", 'der'),
};

type NameFields = Texts<'common_name' | 'alt_names' | 'serial_number'> &
  Lists<'ip_sans' | 'uri_sans' | 'other_sans'> &
  Flags<'exclude_cn_from_sans'>;
const nameFields: NameFields = {
  common_name: text('The common name.'),
  alt_names: { ...text('Host names and email addresses, between commas.'), separated: true },
  ip_sans: texts('IP addresses.'),
  uri_sans: texts('URIs.'),
  other_sans: texts('Other names: `<oid>;UTF8:<value>`.'),
  serial_number: text("The subject's serial number (RFC 4519 §2.31)."),
  exclude_cn_from_sans: flag('Whether the common name is not an alternative name, too.'),
};

type TimeFields = Times<'ttl'> & Texts<'not_after' | 'not_before'>;
const timeFields: TimeFields = {
  ttl: seconds('How long the certificate is valid.'),
  not_after: text('When the certificate ends (RFC 3339).'),
  not_before: text('When the certificate becomes valid (RFC 3339).'),
};

type UsageFields = Lists<'key_usage' | 'ext_key_usage' | 'ext_key_usage_oids'>;
const usageFields = (usages: string[]): UsageFields => ({
  key_usage: texts('Usages of the key; an authority has its own besides.', usages),
  ext_key_usage: texts('Extended usages of the key, by name.'),
  ext_key_usage_oids: texts('Extended usages of the key, by OID.'),
});

type SignatureFields = Numbers<'signature_bits'> & Flags<'use_pss'>;
const signatureFields: SignatureFields = {
  signature_bits: {
    type: 'int',
    description: 'Size of the hash that an RSA key signs; 0 is 256.',
    default: 0,
  },
  use_pss: flag('Whether an RSA key signs with PSS.'),
};

/** Of everything that is no authority. */
export type LeafFields = NameFields &
  TimeFields &
  FormatFields &
  Lists<'user_ids'> &
  Flags<'remove_roots_from_chain'>;
export const leafFields: LeafFields = {
  ...nameFields,
  ...timeFields,
  ...formatFields,
  user_ids: texts('User ids of the subject.'),
  remove_roots_from_chain: flag('Whether ca_chain is without certificates that sign themselves.'),
};

export const csrField: Texts<'csr'> = { csr: text('A signing request in PEM.') };

/** Of sign-verbatim, besides. */
export const verbatimFields: UsageFields & SignatureFields & Flags<'basic_constraints_valid_for_non_ca'> = {
  ...usageFields(['DigitalSignature', 'KeyAgreement', 'KeyEncipherment']),
  ...signatureFields,
  basic_constraints_valid_for_non_ca: flag('Whether the certificate says that it is no authority.'),
};

type SubjectFields = Lists<
  'ou' | 'organization' | 'country' | 'locality' | 'province' | 'street_address' | 'postal_code'
> &
  Times<'not_before_duration'>;
const subjectFields: SubjectFields = {
  ou: texts('Organizational units.'),
  organization: texts('Organizations.'),
  country: texts('Countries.'),
  locality: texts('Localities.'),
  province: texts('Provinces.'),
  street_address: texts('Street addresses.'),
  postal_code: texts('Postal codes.'),
  not_before_duration: seconds('How long before its making a certificate is valid.', 30),
};

type ManagedKeyFields = Texts<'managed_key_name' | 'managed_key_id'>;
export const managedKeyFields: ManagedKeyFields = {
  managed_key_name: text('With kms: name of the managed key.'),
  managed_key_id: text('With kms: UUID of the managed key.'),
};

type CaKeyFields = Texts<'key_name' | 'key_ref'> &
  ManagedKeyFields & {
    readonly key_type: Optional<'string'>;
    readonly key_bits: Optional<'int'>;
  };
const caKeyFields: CaKeyFields = {
  ...keyNameField,
  ...keyRefField,
  ...managedKeyFields,
  key_type: optionalText('Type of the key: rsa, ec or ed25519; rsa without one.'),
  key_bits: { type: 'int', description: 'Size of the key; 0 is the usual one.' },
};

/** Of a signing request for an authority. */
export type IntermediateFields = NameFields &
  TimeFields &
  FormatFields &
  SubjectFields &
  CaKeyFields &
  Numbers<'signature_bits'> &
  Flags<'add_basic_constraints'>;
export const intermediateFields: IntermediateFields = {
  ...nameFields,
  ...timeFields,
  ...formatFields,
  ...subjectFields,
  ...caKeyFields,
  signature_bits: signatureFields.signature_bits,
  add_basic_constraints: flag('Whether the request says that it is for an authority.'),
};

type ConstraintName =
  `${'permitted' | 'excluded'}_${'dns_domains' | 'ip_ranges' | 'email_addresses' | 'uri_domains'}`;

type AuthorityFields = NameFields &
  TimeFields &
  FormatFields &
  SubjectFields &
  UsageFields &
  SignatureFields &
  Texts<'issuer_name'> &
  Lists<ConstraintName> & { readonly max_path_length: Optional<'int'> };
const authorityFields: AuthorityFields = {
  ...nameFields,
  ...timeFields,
  ...formatFields,
  ...subjectFields,
  ...usageFields([]),
  ...signatureFields,
  issuer_name: text('A name for the issuer.'),
  max_path_length: { type: 'int', description: 'How many authorities may stand below; -1 for any number.' },
  permitted_dns_domains: texts('Domains to which the authority is confined.'),
  excluded_dns_domains: texts('Domains for which the authority may not issue.'),
  permitted_ip_ranges: texts('Blocks of addresses to which the authority is confined.'),
  excluded_ip_ranges: texts('Blocks of addresses for which the authority may not issue.'),
  permitted_email_addresses: texts('Addresses or hosts of mail to which the authority is confined.'),
  excluded_email_addresses: texts('Addresses or hosts of mail for which the authority may not issue.'),
  permitted_uri_domains: texts('Hosts of URIs to which the authority is confined.'),
  excluded_uri_domains: texts('Hosts of URIs for which the authority may not issue.'),
};

/** Of a root. */
export const rootFields: AuthorityFields & CaKeyFields = { ...authorityFields, ...caKeyFields };

/** Of the signing of another authority's request. */
export const signIntermediateFields: AuthorityFields &
  Texts<'csr'> &
  Flags<'use_csr_values'> & { readonly skid: Optional<'string'> } = {
  ...authorityFields,
  ...csrField,
  use_csr_values: flag("Whether subject and extensions are the request's."),
  skid: optionalText('A subject key identifier in hex, in place of the usual one.'),
};

/** Of listings. */
export const pageFields: Texts<'after'> & Numbers<'limit'> = {
  after: { type: 'string', description: 'Where the listing starts.', default: '', query: true },
  limit: { type: 'int', description: 'How many are listed; 0 for all.', default: 0, query: true },
};

/** The page of a listing, as storage takes it. */
export function pageOf({ after, limit }: { readonly after: string; readonly limit: number }): {
  readonly after: string;
  readonly limit?: number;
} {
  return limit > 0 ? { after, limit } : { after };
}
