import type { Clock } from '../../../lib/clock.ts';
import type { Random } from '../../../lib/random.ts';
import type { FieldValues } from '../../logical/fields.ts';
import { type Path, path } from '../../logical/logical.ts';
import type { LogicalRequest } from '../../logical/request.ts';
import { badRequest, data, type Response } from '../../logical/response.ts';
import { signCertificate } from './certificate.ts';
import {
  grantCriticalOptions,
  grantExtensions,
  grantPrincipals,
  grantTtl,
  keyRefusal,
  newKeyRefusal,
  Refused,
} from './grants.ts';
import { generatePrivateKey, parsePrivateKey } from './private-key.ts';
import { authorizedKey, keyHash, parsePublicKey, type SshPublicKey, sshPublicKey } from './public-key.ts';
import type { CaRole } from './role.ts';
import type { SshStore } from './store.ts';

/** What signing needs besides the records. */
export interface SigningContext {
  readonly store: SshStore;
  readonly clock: Clock;
  readonly random: Random;
  /** Fills identity templates in; undefined when a value is missing. */
  readonly renderIdentity: (text: string, entityId: string) => Promise<string | undefined>;
}

const fields = {
  role: { type: 'string', description: 'The role with configuration for this request.', required: true },
  ttl: { type: 'duration', description: 'The requested time to live for the certificate.' },
  valid_principals: {
    type: 'string',
    description: 'Users or hosts that the certificate is good for.',
    separated: true,
  },
  cert_type: { type: 'string', description: 'Type of certificate: user or host.', default: 'user' },
  key_id: { type: 'string', description: 'Key ID of the certificate.', default: '' },
  critical_options: { type: 'stringMap', description: 'Critical options of the certificate.' },
  extensions: { type: 'stringMap', description: 'Extensions of the certificate.' },
} as const;

type SignFields = FieldValues<typeof fields>;

/** sign/:role and issue/:role: certificates for keys of clients, or for keys made here. */
export function signPaths(context: SigningContext): Path[] {
  const { store, random } = context;
  return [
    path({
      pattern: 'sign/:role',
      names: { role: 'with-at' },
      synopsis: 'Request signing an SSH key using a certain role with the provided details.',
      fields: {
        ...fields,
        public_key: { type: 'string', description: 'SSH public key that should be signed.', default: '' },
      },
      operations: {
        update: {
          summary: 'Sign a public key.',
          handler: async (request, values) => {
            const role = await store.role(values.role);
            if (role === undefined) return badRequest(`Unknown role: ${values.role}`);
            if (role.keyType !== 'ca')
              return badRequest(`role key type '${role.keyType}' not allowed to sign keys`);
            if (values.public_key === '') return badRequest('missing public_key');
            const key = parsePublicKey(values.public_key);
            if (key === undefined)
              return badRequest('failed to parse public_key as SSH key: it is no key that can be signed');
            const refused = keyRefusal(role, key);
            if (refused !== undefined)
              return badRequest(`public_key failed to meet the key requirements: ${refused}`);
            return sign(context, request, role, values, key);
          },
        },
      },
    }),
    path({
      pattern: 'issue/:role',
      names: { role: 'with-at' },
      synopsis: 'Request a certificate using a certain role with the provided details.',
      fields: {
        ...fields,
        key_type: { type: 'string', description: 'Type of the key: rsa, ed25519 or ec.', default: 'rsa' },
        key_bits: { type: 'int', description: 'Length of the key; 0 for the usual.', default: 0 },
      },
      operations: {
        update: {
          summary: 'Make a key pair and sign it.',
          handler: async (request, values) => {
            const role = await store.role(values.role);
            if (role === undefined) return badRequest(`unknown role: ${values.role}`);
            if (role.keyType !== 'ca')
              return badRequest(`role key type '${role.keyType}' not allowed to issue key pairs`);
            const { key_type: type, key_bits: bits } = values;
            const refused = newKeyRefusal(role, type, bits);
            if (refused !== undefined) return badRequest(refused);
            const made = await generatePrivateKey(type, bits, random);
            if ('refused' in made) return badRequest(made.refused);
            const key = sshPublicKey(made.key);
            if (key === undefined) throw new TypeError('a new key has no SSH form');
            const more = { private_key: made.pem, private_key_type: type };
            return sign(context, request, role, values, key, more);
          },
        },
      },
    }),
  ];
}

async function sign(
  { store, clock, random, renderIdentity }: SigningContext,
  request: LogicalRequest,
  role: CaRole,
  values: SignFields,
  key: SshPublicKey,
  more: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const entityId = request.token?.entityId ?? '';
  const render = (text: string): Promise<string | undefined> => renderIdentity(text, entityId);
  if (values.key_id !== '' && !role.allowUserKeyIds)
    return badRequest('setting key_id is not allowed by role');
  const type = values.cert_type;
  if (type !== 'user' && type !== 'host') return badRequest("cert_type must be either 'user' or 'host'");
  if (!(type === 'user' ? role.allowUserCertificates : role.allowHostCertificates))
    return badRequest(`cert_type '${type}' is not allowed by role`);
  const principals = await grantPrincipals(role, type, values.valid_principals, render);
  if (principals instanceof Refused) return badRequest(principals.message);
  const ttl = grantTtl(role, values.ttl, request.leaseTtl);
  if (ttl instanceof Refused) return badRequest(ttl.message);
  const criticalOptions = grantCriticalOptions(role, values.critical_options ?? {});
  if (criticalOptions instanceof Refused) return badRequest(criticalOptions.message);
  const granted = await grantExtensions(role, values.extensions ?? {}, entityId !== '', render);
  if (granted instanceof Refused) return badRequest(granted.message);
  const issuer = await store.issuer(role.issuerRef);
  if ('refused' in issuer) return badRequest(issuer.refused);
  const caKey = parsePrivateKey(issuer.privateKey);
  const caPublic = caKey === undefined ? undefined : sshPublicKey(caKey);
  if (caKey === undefined || caPublic === undefined) throw new TypeError('a stored CA key does not parse');

  const now = Math.floor(clock.now() / 1000);
  const serial = serialNumber(random);
  const certificate = signCertificate(
    {
      key,
      serial,
      type,
      keyId: values.key_id || keyId(role, request, values.role, key),
      principals,
      validAfter: Math.max(now - role.notBeforeDuration, 0),
      validBefore: now + ttl,
      criticalOptions,
      extensions: granted.extensions,
      nonce: random.bytes(32),
    },
    { key: caKey, publicKey: caPublic, algorithm: role.algorithmSigner },
  );
  if (certificate === undefined) {
    const reason = `algorithm ${role.algorithmSigner} is not for keys of type ${caPublic.type}`;
    return {
      kind: 'refusal',
      status: 500,
      errors: [`failed to generate signed SSH key: sign error: ${reason}`],
    };
  }
  return data(
    {
      issuer_id: issuer.id,
      ...more,
      serial_number: serial.toString(16),
      signed_key: authorizedKey(certificate.type, certificate.blob),
    },
    granted.skipped
      ? [
          'default_extension templating enabled with at least one extension requiring identity templating. However, this request lacked identity entity information, causing one or more extensions to be skipped from the generated certificate.',
        ]
      : undefined,
  );
}

function keyId(role: CaRole, request: LogicalRequest, roleName: string, key: SshPublicKey): string {
  const displayName = request.token?.displayName ?? '';
  const usual =
    displayName === '' ? 'vault-{{public_key_hash}}' : 'vault-{{token_display_name}}-{{public_key_hash}}';
  const values: Readonly<Record<string, string>> = {
    token_display_name: displayName,
    role_name: roleName,
    public_key_hash: keyHash(key),
  };
  return (role.keyIdFormat || usual).replaceAll(
    /\{\{(token_display_name|role_name|public_key_hash)\}\}/g,
    (_whole, name: string) => values[name] ?? '',
  );
}

function serialNumber(random: Random): bigint {
  const bytes = random.bytes(8);
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0);
}
