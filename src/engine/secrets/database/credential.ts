/** Fields that roles and static roles share. */
export const credentialFields = {
  credential_type: {
    type: 'string',
    description: 'The type of credential to manage: password, rsa_private_key or client_certificate.',
  },
  credential_config: { type: 'stringMap', description: 'The configuration of the credential type.' },
} as const;

export interface Credential {
  readonly credentialType: string;
  readonly credentialConfig: Readonly<Record<string, string>>;
}

/** @returns the settings with what was given in place, or why it is refused */
export function readCredential(
  given: {
    readonly credential_type?: string | undefined;
    readonly credential_config?: Readonly<Record<string, string>> | undefined;
  },
  before: Credential | undefined,
): Credential | string {
  const credentialType = given.credential_type || (before?.credentialType ?? 'password');
  if (!['password', 'rsa_private_key', 'client_certificate'].includes(credentialType))
    return `invalid credential_type ${JSON.stringify(credentialType)}`;
  const credentialConfig = given.credential_config ?? before?.credentialConfig ?? {};
  if (credentialType === 'password') {
    const unknown = Object.keys(credentialConfig).find((key) => key !== 'password_policy');
    if (unknown !== undefined)
      return `credential_config validation failed: 1 error(s) decoding:\n\n* '' has invalid keys: ${unknown}`;
  }
  return { credentialType, credentialConfig };
}
