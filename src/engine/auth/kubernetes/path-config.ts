import { createPublicKey } from 'node:crypto';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, empty, notFound } from '../../logical/response.ts';
import type { KubernetesStore } from './store.ts';

/** config: where the API server is, and how it is believed. */
export function configPaths(store: KubernetesStore): Path[] {
  return [
    path({
      pattern: 'config',
      synopsis: 'Configures the JWT Public Key and Kubernetes API information.',
      fields: {
        kubernetes_host: {
          type: 'string',
          description: 'A host, a host:port pair, or the base URL of the Kubernetes API server.',
          default: '',
        },
        kubernetes_ca_cert: {
          type: 'string',
          description: 'PEM of the authority of the API server; the pod’s own when left out.',
          default: '',
        },
        token_reviewer_jwt: {
          type: 'string',
          description: 'The token with which tokens are reviewed; the pod’s own, or else the client’s.',
          default: '',
        },
        pem_keys: {
          type: 'commaList',
          description: 'PEM of public keys or certificates that sign service account tokens.',
          default: [],
        },
        issuer: { type: 'string', description: 'Issuer of the tokens.', default: '', deprecated: true },
        disable_iss_validation: {
          type: 'bool',
          description: 'Do not compare the issuer.',
          default: true,
          deprecated: true,
        },
        disable_local_ca_jwt: {
          type: 'bool',
          description: 'Never use the authority and the token of the engine’s own pod.',
          default: false,
        },
        use_annotations_as_alias_metadata: {
          type: 'bool',
          description: 'Copy annotations of the service account into the metadata of the alias.',
          default: false,
        },
      },
      operations: {
        read: {
          summary: 'Read the configuration.',
          handler: async () => {
            const config = await store.config();
            if (config === undefined) return notFound;
            return data({
              disable_iss_validation: config.disableIssValidation,
              disable_local_ca_jwt: config.disableLocalCaJwt,
              issuer: config.issuer,
              kubernetes_ca_cert: config.caCert,
              kubernetes_host: config.host,
              pem_keys: [...config.pemKeys],
              token_reviewer_jwt_set: config.tokenReviewerJwt !== '',
              ...(config.annotationsAsMetadata ? { use_annotations_as_alias_metadata: true } : {}),
            });
          },
        },
        update: {
          summary: 'Write the configuration; what is left out is set back.',
          handler: async (_request, values) => {
            if (values.kubernetes_host === '') return badRequest('no host provided');
            if (values.disable_local_ca_jwt && values.kubernetes_ca_cert === '')
              return badRequest('kubernetes_ca_cert must be given when disable_local_ca_jwt is true');
            if (!values.pem_keys.every(isPublicKey))
              return badRequest('data does not contain any valid RSA or ECDSA public keys');
            await store.putConfig({
              host: values.kubernetes_host,
              caCert: values.kubernetes_ca_cert,
              tokenReviewerJwt: values.token_reviewer_jwt,
              pemKeys: values.pem_keys,
              issuer: values.issuer,
              disableIssValidation: values.disable_iss_validation,
              disableLocalCaJwt: values.disable_local_ca_jwt,
              annotationsAsMetadata: values.use_annotations_as_alias_metadata,
            });
            return empty;
          },
        },
      },
    }),
  ];
}

function isPublicKey(pem: string): boolean {
  try {
    const kind = createPublicKey(pem).asymmetricKeyType;
    return kind === 'rsa' || kind === 'ec';
  } catch {
    return false;
  }
}
