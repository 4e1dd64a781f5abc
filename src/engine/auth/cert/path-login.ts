import { toHex } from '../../../lib/bytes.ts';
import { isInBlocks } from '../../../lib/cidr.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, permissionDenied, type Response } from '../../logical/response.ts';
import { loginWith } from '../token-fields.ts';
import { extensionMetadata } from './constraints.ts';
import { verifyClient, type VerifyContext } from './verify.ts';

/** login: a token for the certificate of the connection. */
export function loginPaths(context: VerifyContext): Path[] {
  return [
    path({
      pattern: 'login',
      synopsis: 'Log in with the client certificate of the TLS connection.',
      access: 'unauthenticated',
      fields: {
        name: {
          type: 'string',
          description: 'The trusted certificate to authenticate against; any when left out.',
          default: '',
        },
      },
      operations: {
        update: {
          summary: 'Log in.',
          handler: async (request, values): Promise<Response> => {
            const config = await context.store.config();
            context.ocsp.resize(config.ocspCacheSize);
            const verified = await verifyClient(context, request.clientCertificates?.(), values.name);
            if ('refused' in verified) return badRequest(verified.refused);
            const { client, entry } = verified;
            if (!isInBlocks(request.remoteAddress, entry.token.boundCidrs)) return permissionDenied;
            const metadata = {
              authority_key_id: withColons(client.authorityKeyId),
              cert_name: entry.name,
              common_name: client.commonName,
              serial_number: client.serial,
              subject_key_id: withColons(client.subjectKeyId),
              ...extensionMetadata(client, entry),
            };
            return {
              kind: 'login',
              login: {
                ...loginWith(entry.token, request.remoteAddress),
                displayName: entry.displayName,
                meta: metadata,
                alias:
                  client.commonName === ''
                    ? undefined
                    : { name: client.commonName, ...(config.aliasMetadata ? { metadata } : {}) },
                groups: [],
                renewal: { fingerprint: client.x509.fingerprint256 },
              },
            };
          },
        },
      },
    }),
  ];
}

function withColons(bytes: Uint8Array): string {
  return (toHex(bytes).match(/../g) ?? []).join(':');
}
