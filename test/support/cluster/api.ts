import { Agent, request } from 'node:https';

/** How to reach and enter an API server. */
export interface ApiAccess {
  readonly server: string;
  readonly authority: string;
  readonly certificate?: string;
  readonly key?: string;
  readonly token?: string;
}

/** The API server refused a request. */
export class ApiError extends Error {
  readonly status: number;
  readonly reason: string;

  constructor(method: string, path: string, status: number, reason: string, message: string) {
    super(`${method} ${path}: ${status} ${reason}: ${message}`);
    this.name = 'ApiError';
    this.status = status;
    this.reason = reason;
  }
}

/** A Kubernetes object, as far as the harness looks into it. */
export interface KubernetesObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: {
    readonly name?: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly labels?: Record<string, string>;
  };
  readonly [field: string]: unknown;
}

/** A few calls on an API server, without a client library, so that the harness cannot share its faults with the product. */
export class ApiClient {
  readonly #access: ApiAccess;
  readonly #agent: Agent;

  constructor(access: ApiAccess) {
    this.#access = access;
    this.#agent = new Agent({
      keepAlive: false,
      ca: access.authority,
      ...(access.certificate === undefined ? {} : { cert: access.certificate }),
      ...(access.key === undefined ? {} : { key: access.key }),
    });
  }

  /**
   * Sends one request.
   * @param method HTTP method.
   * @param path Path with query.
   * @param body Sent as JSON.
   * @param contentType For patches.
   * @returns The decoded answer, or its text when it is not JSON.
   * @throws {ApiError} When the status is 400 or more.
   * @throws {Error} When the server cannot be reached within 10 seconds.
   */
  async call<T>(method: string, path: string, body?: unknown, contentType = 'application/json'): Promise<T> {
    const { status, text } = await this.#send(
      method,
      path,
      body === undefined ? undefined : JSON.stringify(body),
      contentType,
    );
    const parsed = parse(text);
    if (status >= 400) {
      const failure = (typeof parsed === 'object' && parsed !== null ? parsed : {}) as {
        reason?: string;
        message?: string;
      };
      throw new ApiError(method, path, status, failure.reason ?? '', failure.message ?? text.slice(0, 500));
    }
    return parsed as T;
  }

  /**
   * Asks for an object that may be missing.
   * @param path Path of the object.
   * @returns The object, or undefined when there is none.
   * @throws {ApiError} For any other refusal.
   */
  async find<T = KubernetesObject>(path: string): Promise<T | undefined> {
    try {
      return await this.call<T>('GET', path);
    } catch (error: unknown) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  /**
   * Creates or updates an object by server-side apply.
   * @param path Path of the object, with its name.
   * @param object The whole object.
   * @returns The object as stored.
   * @throws {ApiError} When it is refused.
   */
  apply(path: string, object: KubernetesObject): Promise<KubernetesObject> {
    return this.call('PATCH', `${path}?fieldManager=test&force=true`, object, 'application/apply-patch+yaml');
  }

  #send(
    method: string,
    path: string,
    body: string | undefined,
    contentType: string,
  ): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const headers: Record<string, string> = { accept: 'application/json' };
      if (body !== undefined) headers['content-type'] = contentType;
      if (this.#access.token !== undefined) headers['authorization'] = `Bearer ${this.#access.token}`;
      const sent = request(
        new URL(path, this.#access.server),
        { method, headers, agent: this.#agent, timeout: 10_000 },
        (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => {
            text += chunk;
          });
          response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
          response.on('error', reject);
        },
      );
      sent.on('timeout', () => sent.destroy(new Error(`${method} ${path}: no answer within 10 s`)));
      sent.on('error', reject);
      sent.end(body);
    });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
