import { KubeConfig } from '@kubernetes/client-node';
import { type OutgoingHttpHeaders, request as httpRequest } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { isJsonObject, type Json, type JsonObject, parseJson } from '../../lib/json.ts';
import { CeremonyFailure } from './failure.ts';

/**
 * The cluster as the person's own kubeconfig sees it: their user, their permissions. Reading objects and making them is all
 * that is done; what exists is never changed.
 */
export interface Cluster {
  /** Where names without a namespace are looked for. */
  readonly namespace: string;
  /** @returns undefined when there is no such object */
  get(plural: Plural, name: string): Promise<JsonObject | undefined>;
  /** @throws CeremonyFailure, also when an object of that name exists */
  create(plural: Plural, object: JsonObject): Promise<void>;
  /** @returns who the API server takes the person for; undefined when it does not say */
  username(): Promise<string | undefined>;
}

const ROOTS = {
  recoveryceremonies: 'apis/sealedvault.io/v1alpha1',
  ceremonyapprovals: 'apis/sealedvault.io/v1alpha1',
  sharereceipts: 'apis/sealedvault.io/v1alpha1',
  configmaps: 'api/v1',
  secrets: 'api/v1',
} as const;
export type Plural = keyof typeof ROOTS;

const TIMEOUT_MS = 30_000;
const MAX_BODY = 4 * 1024 * 1024;

export interface ClusterOptions {
  /** Instead of KUBECONFIG and ~/.kube/config. */
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  readonly namespace: string | undefined;
}

/** @throws CeremonyFailure when there is no usable kubeconfig */
export function connectCluster(options: ClusterOptions): Cluster {
  const config = new KubeConfig();
  try {
    if (options.kubeconfig === undefined) config.loadFromDefault();
    else config.loadFromFile(options.kubeconfig);
    if (options.context !== undefined) config.setCurrentContext(options.context);
  } catch (cause) {
    throw unusable(cause);
  }
  const context = config.getContextObject(config.getCurrentContext());
  const namespace = options.namespace ?? context?.namespace ?? 'default';
  const path = (plural: Plural, name = ''): string =>
    `${ROOTS[plural]}/namespaces/${encodeURIComponent(namespace)}/${plural}${name === '' ? '' : '/'}${encodeURIComponent(name)}`;
  return {
    namespace,
    get: async (plural, name) => {
      const { status, body } = await call(config, 'GET', path(plural, name), undefined);
      if (status === 404) return undefined;
      if (status !== 200 || body === undefined) throw refused(`read ${plural}/${name}`, status, body);
      return body;
    },
    create: async (plural, object) => {
      const { status, body } = await call(config, 'POST', path(plural), object);
      if (status === 409)
        throw new CeremonyFailure(`There is one already: ${plural}/${nameOf(object)} in ${namespace}`, {
          hint: `look at it with kubectl get; if it is to be replaced, delete it first`,
        });
      if (status !== 201) throw refused(`create ${plural}/${nameOf(object)}`, status, body);
    },
    username: async () => {
      const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
      const { status, body } = await call(
        config,
        'POST',
        'apis/authentication.k8s.io/v1/selfsubjectreviews',
        review,
      );
      const found = body?.['status'];
      const user = status === 201 && isObject(found) ? found['userInfo'] : undefined;
      const name = isObject(user) ? user['username'] : undefined;
      return typeof name === 'string' ? name : undefined;
    },
  };
}

async function call(
  config: KubeConfig,
  method: string,
  path: string,
  body: JsonObject | undefined,
): Promise<{ readonly status: number; readonly body: JsonObject | undefined }> {
  const server = config.getCurrentCluster()?.server;
  if (server === undefined || !URL.canParse(server)) throw unusable(undefined);
  const options: RequestOptions = { headers: {} };
  try {
    await config.applyToHTTPSOptions(options);
  } catch (cause) {
    throw unusable(cause);
  }
  const text = body === undefined ? undefined : JSON.stringify(body);
  const url = new URL(`${server.replace(/\/$/, '')}/${path}`);
  const answer = await exchange(
    url,
    {
      ...options,
      method,
      timeout: TIMEOUT_MS,
      headers: {
        ...(options.headers as OutgoingHttpHeaders),
        accept: 'application/json',
        'user-agent': 'kubectl-sealedvault',
        ...(text === undefined ? {} : { 'content-type': 'application/json' }),
      },
    },
    text,
  );
  return { status: answer.status, body: readObject(answer.text) };
}

function exchange(
  url: URL,
  options: RequestOptions,
  body: string | undefined,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const sent = (url.protocol === 'http:' ? httpRequest : httpsRequest)(url, options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > MAX_BODY) response.destroy(new Error('the answer is too long'));
      });
      response.once('error', fail);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    const fail = (cause: Error): void =>
      reject(
        new CeremonyFailure(`The API server at ${url.origin} cannot be reached`, {
          cause,
          hint: 'does kubectl get namespaces work with the same kubeconfig?',
        }),
      );
    sent.once('timeout', () => sent.destroy(new Error('no answer in time')));
    sent.once('error', fail);
    sent.end(body);
  });
}

function refused(act: string, status: number, body: JsonObject | undefined): CeremonyFailure {
  const said = body?.['message'];
  const detail = typeof said === 'string' ? said : `status ${status}`;
  return new CeremonyFailure(
    `The API server does not let you ${act}: ${detail}`,
    status === 403 ? { hint: 'ask for the role that the ceremony guide names for your part' } : {},
  );
}

// The library's messages may quote the file.
function unusable(cause: unknown): CeremonyFailure {
  return new CeremonyFailure('Your kubeconfig cannot be used', {
    cause,
    hint: 'name one with --kubeconfig or KUBECONFIG, and a context with --context',
  });
}

function readObject(text: string): JsonObject | undefined {
  try {
    const parsed: Json = parseJson(text);
    return isJsonObject(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: Json | undefined): value is JsonObject {
  return value !== undefined && isJsonObject(value);
}

function nameOf(object: JsonObject): string {
  const metadata = object['metadata'];
  const name = isObject(metadata) ? metadata['name'] : undefined;
  return typeof name === 'string' ? name : '';
}
