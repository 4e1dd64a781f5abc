import type { JsonObject } from '../../../lib/json.ts';
import { type GivenTokenFields, noTokenParameters, readTokenFields } from '../token-fields.ts';
import { listOf } from './claims.ts';
import type { JwtRole } from './store.ts';

const OAUTH2_METADATA: readonly string[] = ['id_token', 'refresh_token', 'access_token'];

/** The fields as they were given. */
export interface GivenRole extends GivenTokenFields {
  readonly role_type: string;
  readonly expiration_leeway: number | undefined;
  readonly not_before_leeway: number | undefined;
  readonly clock_skew_leeway: number | undefined;
  readonly bound_audiences: readonly string[] | undefined;
  readonly bound_subject: string | undefined;
  readonly bound_claims_type: string;
  readonly bound_claims: JsonObject | undefined;
  readonly claim_mappings: Readonly<Record<string, string>> | undefined;
  readonly oauth2_metadata: readonly string[] | undefined;
  readonly user_claim: string | undefined;
  readonly user_claim_json_pointer: boolean | undefined;
  readonly groups_claim: string | undefined;
  readonly oidc_scopes: readonly string[] | undefined;
  readonly allowed_redirect_uris: readonly string[] | undefined;
  readonly callback_mode: string;
  readonly oidc_disable_confirmation: boolean | undefined;
  readonly poll_interval: number | undefined;
  readonly verbose_oidc_logging: boolean | undefined;
  readonly max_age: number | undefined;
  readonly token_policies_template_claims: boolean;
}

type Edited = Omit<JwtRole, 'type' | 'boundClaimsType' | 'callbackMode'> & {
  readonly type: string;
  readonly boundClaimsType: string;
  readonly callbackMode: string;
};

/** A role with what was given in place, or why it is refused. */
export function editRole(before: JwtRole | undefined, given: GivenRole): JwtRole | string {
  const token = readTokenFields(before?.token ?? noTokenParameters, given);
  if (typeof token === 'string') return token;
  if (given.token_policies_template_claims) return 'token_policies_template_claims is not supported';
  const role: Edited = {
    type: given.role_type === '' ? 'oidc' : given.role_type,
    expirationLeeway: given.expiration_leeway ?? before?.expirationLeeway ?? 0,
    notBeforeLeeway: given.not_before_leeway ?? before?.notBeforeLeeway ?? 0,
    clockSkewLeeway: given.clock_skew_leeway ?? before?.clockSkewLeeway ?? 0,
    boundAudiences: given.bound_audiences ?? before?.boundAudiences ?? null,
    boundSubject: given.bound_subject ?? before?.boundSubject ?? '',
    boundClaimsType: given.bound_claims_type,
    boundClaims: given.bound_claims ?? before?.boundClaims ?? null,
    claimMappings: given.claim_mappings ?? before?.claimMappings ?? null,
    oauth2Metadata: given.oauth2_metadata ?? before?.oauth2Metadata ?? null,
    userClaim: given.user_claim ?? before?.userClaim ?? '',
    userClaimIsPointer: given.user_claim_json_pointer ?? before?.userClaimIsPointer ?? false,
    groupsClaim: given.groups_claim ?? before?.groupsClaim ?? '',
    scopes: given.oidc_scopes ?? before?.scopes ?? null,
    redirectUris: given.allowed_redirect_uris ?? before?.redirectUris ?? null,
    callbackMode: given.callback_mode,
    disableConfirmation: given.oidc_disable_confirmation ?? before?.disableConfirmation ?? false,
    pollInterval: given.poll_interval ?? before?.pollInterval ?? 0,
    verboseLogging: given.verbose_oidc_logging ?? before?.verboseLogging ?? false,
    maxAge: given.max_age ?? before?.maxAge ?? 0,
    token,
  };
  if (!isTyped(role)) {
    if (role.type !== 'jwt' && role.type !== 'oidc') return `invalid 'role_type': ${role.type}`;
    if (role.boundClaimsType !== 'string' && role.boundClaimsType !== 'glob')
      return `invalid 'bound_claims_type': ${role.boundClaimsType}`;
    return `invalid 'callback_mode': ${role.callbackMode}`;
  }
  return check(role) ?? role;
}

function isTyped(role: Edited): role is JwtRole {
  return (
    ['jwt', 'oidc'].includes(role.type) &&
    ['string', 'glob'].includes(role.boundClaimsType) &&
    ['client', 'direct', 'device'].includes(role.callbackMode)
  );
}

function check(role: JwtRole): string | undefined {
  for (const value of role.boundClaimsType === 'glob' ? Object.values(role.boundClaims ?? {}) : []) {
    const list = listOf(value);
    if (list === undefined) return `claim is not a string or list: ${JSON.stringify(value)}`;
    const other = list.find((each) => typeof each !== 'string');
    if (other !== undefined) return `claim is not a string: ${JSON.stringify(other)}`;
  }
  const targets = new Set<string>();
  for (const target of Object.values(role.claimMappings ?? {})) {
    if (target === 'role')
      return `metadata key ${JSON.stringify(target)} is reserved and may not be a mapping destination`;
    if (targets.has(target)) return `multiple keys are mapped to metadata key ${JSON.stringify(target)}`;
    targets.add(target);
  }
  const unknown = role.oauth2Metadata?.find((each) => !OAUTH2_METADATA.includes(each));
  if (unknown !== undefined) return `Unrecognized oauth2 metadata name ${unknown}`;
  if (role.userClaim === '') return 'a user claim must be defined on the role';
  if (role.type === 'oidc') {
    return (role.redirectUris ?? []).length === 0
      ? "'allowed_redirect_uris' must be set if 'role_type' is 'oidc' or unspecified."
      : undefined;
  }
  const isBound =
    (role.boundAudiences ?? []).length > 0 ||
    role.token.boundCidrs.length > 0 ||
    role.boundSubject !== '' ||
    Object.keys(role.boundClaims ?? {}).length > 0;
  return isBound ? undefined : 'must have at least one bound constraint when creating/updating a role';
}
