import { createPublicKey } from 'node:crypto';
import { isInBlocks } from '../../../lib/cidr.ts';
import type { Clock } from '../../../lib/clock.ts';
import { matchesGlob } from '../../../lib/glob.ts';
import type { JsonObject } from '../../../lib/json.ts';
import { audiencesOf, checkClaims } from '../../../lib/jwt/claims.ts';
import { ALGORITHMS, JwtRefusal, unverifiedClaims, verifyJwt } from '../../../lib/jwt/verify.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, permissionDenied, type Response } from '../../logical/response.ts';
import { loginWith } from '../token-fields.ts';
import { KubeApi, KubeRefusal } from './kube-api.ts';
import { parseSelector, selects } from './label-selector.ts';
import { type ServiceAccount, serviceAccountOf } from './service-account.ts';
import type { KubernetesConfig, KubernetesRole, KubernetesStore } from './store.ts';

const DEFAULT_ISSUER = 'kubernetes/serviceaccount';
const ANNOTATION = 'vault.hashicorp.com/alias-metadata-';
const SIGNING = ALGORITHMS.filter((each) => each !== 'EdDSA');

/** login: a service account's token for one of this vault. */
export function loginPaths(store: KubernetesStore, clock: Clock): Path[] {
  return [
    path({
      pattern: 'login',
      synopsis: 'Authenticates Kubernetes service accounts with Vault.',
      access: 'unauthenticated',
      fields: {
        role: { type: 'string', description: 'Name of the role.', default: '' },
        jwt: { type: 'string', description: 'A signed JWT of a service account.', default: '' },
      },
      operations: {
        update: {
          summary: 'Log in.',
          handler: async (request, values) => {
            if (values.role === '') return badRequest('missing role');
            if (values.jwt === '') return badRequest('missing jwt');
            const role = await store.role(values.role);
            if (role === undefined) return badRequest(`invalid role name ${JSON.stringify(values.role)}`);
            if (!isInBlocks(request.remoteAddress, role.token.boundCidrs)) return permissionDenied;
            const config = await store.effectiveConfig();
            if (config === undefined) return refused('could not load backend configuration', 500);

            const now = clock.now() / 1000;
            const claims = await believe(values.jwt, role, config, now);
            if (claims instanceof JwtRefusal) {
              return claims.message.includes('verifying token signature')
                ? permissionDenied
                : refused(claims.message);
            }
            const account = serviceAccountOf(claims);
            const api = new KubeApi(config, request.signal);
            const unbound = await notBound(account, role, api);
            if (unbound !== undefined) return refused(unbound);
            if (account.uid === '') return refused('could not parse UID from claims');

            const audiences = role.audience === '' ? audiencesOf(claims) : [role.audience];
            const reviewed = await api.review(values.jwt, audiences);
            if (reviewed instanceof KubeRefusal || !isSame(account, reviewed)) return permissionDenied;
            const annotated = config.annotationsAsMetadata ? await annotations(api, account, values.jwt) : {};
            if (annotated instanceof KubeRefusal) return badRequest(annotated.message);
            return login(account, role, values.role, annotated, request.remoteAddress);
          },
        },
      },
    }),
  ];
}

async function believe(
  token: string,
  role: KubernetesRole,
  config: KubernetesConfig,
  now: number,
): Promise<JsonObject | JwtRefusal> {
  const claims =
    config.pemKeys.length === 0
      ? unverifiedClaims(token, SIGNING)
      : await verifyJwt(
          token,
          config.pemKeys.map((pem) => createPublicKey(pem)),
          SIGNING,
        );
  if (claims instanceof JwtRefusal) return claims;
  const wrong = checkClaims(
    claims,
    {
      issuer: config.disableIssValidation ? '' : config.issuer || DEFAULT_ISSUER,
      audiences: role.audience.trim() === '' ? [] : [role.audience],
      timesOptional: true,
    },
    now,
  );
  return wrong ?? claims;
}

async function notBound(
  { name, namespace }: ServiceAccount,
  role: KubernetesRole,
  api: KubeApi,
): Promise<string | undefined> {
  if (!role.names.some((pattern) => matchesGlob(pattern, name))) return 'service account name not authorized';
  if (role.namespaces.some((pattern) => matchesGlob(pattern, namespace))) return undefined;
  const selector = role.namespaceSelector === '' ? undefined : parseSelector(role.namespaceSelector);
  if (selector === undefined) return 'namespace not authorized';
  const labels = await api.namespaceLabels(namespace);
  if (labels instanceof KubeRefusal) return `namespace not authorized err=${labels.message}`;
  return selects(selector, labels) ? undefined : 'namespace not authorized';
}

async function annotations(
  api: KubeApi,
  account: ServiceAccount,
  token: string,
): Promise<Record<string, string> | KubeRefusal> {
  const all = await api.annotations(account.namespace, account.name, token);
  if (all instanceof KubeRefusal) return all;
  const found = Object.entries(all)
    .filter(([key]) => key.startsWith(ANNOTATION))
    .map(([key, value]) => [key.slice(ANNOTATION.length), value] as const);
  return found.some(([key]) => key.startsWith('service_account_'))
    ? new KubeRefusal('entity alias metadata keys for only internal use found')
    : Object.fromEntries(found);
}

function isSame(account: ServiceAccount, reviewed: Omit<ServiceAccount, 'secretName'>): boolean {
  return (
    account.name === reviewed.name && account.namespace === reviewed.namespace && account.uid === reviewed.uid
  );
}

function login(
  account: ServiceAccount,
  role: KubernetesRole,
  roleName: string,
  annotated: Readonly<Record<string, string>>,
  remoteAddress: string,
): Response {
  const metadata = {
    service_account_name: account.name,
    service_account_namespace: account.namespace,
    service_account_secret_name: account.secretName,
    service_account_uid: account.uid,
  };
  return {
    kind: 'login',
    login: {
      ...loginWith(role.token, remoteAddress),
      displayName: `${account.namespace}-${account.name}`,
      meta: { role: roleName, ...metadata },
      alias: {
        name:
          role.aliasNameSource === 'serviceaccount_name'
            ? `${account.namespace}/${account.name}`
            : account.uid,
        metadata: { ...annotated, ...metadata },
      },
      groups: [],
      renewal: { role: roleName },
    },
  };
}

function refused(message: string, status = 403): Response {
  return { kind: 'refusal', status, errors: [message] };
}
