import { Refused } from './refused.ts';
import { readRole, type Role } from './role.ts';

/** A role that allows everything, with which authorities and verbatim certificates are made. */
export function openRole(): Role {
  const role = readRole({
    allow_any_name: true,
    enforce_hostnames: false,
    key_type: 'any',
    require_cn: false,
    allowed_uri_sans: ['*'],
    allowed_other_sans: ['*'],
    allowed_serial_numbers: ['*'],
    allowed_user_ids: ['*'],
    cn_validations: ['disabled'],
    server_flag: false,
    client_flag: false,
    use_csr_common_name: false,
    use_csr_sans: false,
    key_usage: [],
  });
  if (role instanceof Refused) throw new TypeError('the open role is refused');
  return role;
}

/** The role of sign-verbatim: what a request says, in the time and the ways of a role. */
export function verbatimRole(
  fields: {
    readonly key_usage: string[];
    readonly ext_key_usage: string[];
    readonly ext_key_usage_oids: string[];
    readonly signature_bits: number;
    readonly use_pss: boolean;
    readonly basic_constraints_valid_for_non_ca: boolean;
  },
  role: Role | undefined,
): Role {
  return {
    ...openRole(),
    use_csr_common_name: true,
    use_csr_sans: true,
    key_usage: fields.key_usage,
    ext_key_usage: fields.ext_key_usage,
    ext_key_usage_oids: fields.ext_key_usage_oids,
    signature_bits: fields.signature_bits,
    use_pss: fields.use_pss,
    basic_constraints_valid_for_non_ca: fields.basic_constraints_valid_for_non_ca,
    ...(role === undefined
      ? {}
      : {
          ttl: role.ttl,
          max_ttl: role.max_ttl,
          generate_lease: role.generate_lease,
          no_store: role.no_store,
          issuer_ref: role.issuer_ref,
          not_before_duration: role.not_before_duration,
        }),
  };
}
