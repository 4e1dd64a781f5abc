import { trimEnd } from '../../../lib/trim.ts';
import { type HttpAnswer, httpCall, HttpFailure, jsonOf } from '../../../lib/http-call.ts';
import { isJsonObject, type JsonObject, member } from '../../../lib/json.ts';
import type { KubernetesConfig } from './store.ts';

/** Whom the API server knows by a token. */
export interface Reviewed {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
}

/** Why the API server does not vouch; for whoever debugs, not for clients. */
export class KubeRefusal {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

/** The few calls on a cluster's API server that logins need. */
export class KubeApi {
  readonly #config: KubernetesConfig;
  readonly #signal: AbortSignal;

  constructor(config: KubernetesConfig, signal: AbortSignal) {
    this.#config = config;
    this.#signal = signal;
  }

  /** Asks whether a token is good now (TokenReview, authentication.k8s.io/v1); the answer is for one of the audiences. */
  async review(token: string, audiences: readonly string[]): Promise<Reviewed | KubeRefusal> {
    const answer = await this.#call(
      '/apis/authentication.k8s.io/v1/tokenreviews',
      this.#config.tokenReviewerJwt || token,
      {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenReview',
        spec: { token, ...(audiences.length === 0 ? {} : { audiences: [...audiences] }) },
      },
    );
    if (answer instanceof KubeRefusal) return answer;
    const status = member(answer, 'status');
    if (!isJsonObject(status)) return new KubeRefusal('lookup failed: unexpected answer');
    if (status['authenticated'] !== true)
      return new KubeRefusal('lookup failed: service account jwt not valid');
    const accepted = status['audiences'];
    if (audiences.length > 0 && Array.isArray(accepted) && accepted.length > 0) {
      if (!accepted.some((each) => typeof each === 'string' && audiences.includes(each)))
        return new KubeRefusal('lookup failed: service account jwt is for another audience');
    }
    const user = status['user'];
    const username = isJsonObject(user) ? user['username'] : undefined;
    const uid = isJsonObject(user) ? user['uid'] : undefined;
    const parts = typeof username === 'string' ? username.split(':') : [];
    if (parts.length !== 4 || parts[0] !== 'system' || parts[1] !== 'serviceaccount')
      return new KubeRefusal('lookup failed: unexpected username format');
    return { namespace: parts[2] ?? '', name: parts[3] ?? '', uid: typeof uid === 'string' ? uid : '' };
  }

  async namespaceLabels(namespace: string): Promise<Record<string, string> | KubeRefusal> {
    if (this.#config.tokenReviewerJwt === '') {
      return new KubeRefusal(
        'namespace lookup failed: TokenReviewer JWT needs to be configured to use namespace selectors',
      );
    }
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}`;
    return texts(await this.#call(path, this.#config.tokenReviewerJwt), 'labels');
  }

  async annotations(
    namespace: string,
    name: string,
    token: string,
  ): Promise<Record<string, string> | KubeRefusal> {
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/serviceaccounts/${encodeURIComponent(name)}`;
    return texts(await this.#call(path, this.#config.tokenReviewerJwt || token), 'annotations');
  }

  async #call(path: string, token: string, body?: JsonObject): Promise<JsonObject | KubeRefusal> {
    const { host, caCert } = this.#config;
    const base = trimEnd(host.includes('://') ? host : `https://${host}`, '/');
    const answer: HttpAnswer | HttpFailure = await httpCall({
      url: base + path,
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        Accept: 'application/json',
        Authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ca: caCert,
      signal: this.#signal,
    });
    if (answer instanceof HttpFailure) return new KubeRefusal(answer.message);
    if (answer.status === 401) {
      return new KubeRefusal(
        'lookup failed: service account unauthorized; this could mean it has been deleted or recreated with a new token',
      );
    }
    if (answer.status < 200 || answer.status > 299)
      return new KubeRefusal(`the API server answered ${answer.status}`);
    return jsonOf(answer) ?? new KubeRefusal('the API server did not answer in JSON');
  }
}

function texts(object: JsonObject | KubeRefusal, name: string): Record<string, string> | KubeRefusal {
  if (object instanceof KubeRefusal) return object;
  const metadata = member(object, 'metadata');
  const map = isJsonObject(metadata) ? member(metadata, name) : undefined;
  const found: [string, string][] = [];
  for (const [key, value] of Object.entries(isJsonObject(map) ? map : {}))
    if (typeof value === 'string') found.push([key, value]);
  return Object.fromEntries(found);
}
