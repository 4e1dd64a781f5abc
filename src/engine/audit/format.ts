import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { isJsonObject, type Json, type JsonObject, setMember } from '../../lib/json.ts';
import type { DeviceOptions } from './config.ts';
import { jsonx } from './jsonx.ts';
import type { AuditAuth, AuditEntry, AuditRequest, AuditResponse, AuditWrapInfo } from './entry.ts';

interface AuthText {
  readonly text: string;
  readonly token: string | undefined;
  readonly accessor: string | undefined;
}

/**
 * Vault's audit lines. What is HMACed: tokens, accessors (unless told otherwise) and every string inside of
 * request and response data. What is not: names of parameters, numbers, bools, paths, display names, policies.
 */
export class Formatter {
  readonly #options: DeviceOptions;
  // As a key object: importing the bytes for each value would cost seven times the HMAC itself.
  readonly #key: KeyObject;
  // The same objects come with the request and with its response, and the same token with many requests: their text is
  // made once, and goes with them.
  readonly #auths = new WeakMap<object, AuthText>();
  readonly #requests = new WeakMap<AuditRequest, string>();
  /** Of the entry whose line is being made: hashes that were made before. */
  #prepared: ReadonlyMap<string, string> | undefined;

  constructor(options: DeviceOptions, key: Uint8Array) {
    this.#options = options;
    this.#key = createSecretKey(key);
  }

  /**
   * Makes the hashes of an entry with very many strings, a few at a time: others have their turn in between.
   * @returns undefined for every other entry
   */
  prepare({ request, response }: AuditEntry): Promise<ReadonlyMap<string, string>> | undefined {
    if (this.#options.logRaw) return undefined;
    const parts = [this.#requests.has(request) ? undefined : request.data, response?.data ?? undefined];
    return parts.some((each) => each !== undefined && isLarge(each)) ? this.#prepare(parts) : undefined;
  }

  async #prepare(parts: readonly (JsonObject | undefined)[]): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    let work = 0;
    for (const value of strings(parts)) {
      if (found.has(value)) continue;
      found.set(value, this.hash(value));
      work += BYTES_A_HASH + value.length;
      if (work < BYTES_A_TURN) continue;
      work = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
    return found;
  }

  /** @param time RFC 3339. @param prepared what `prepare` gave for the entry. @returns one line with its end */
  line(
    type: 'request' | 'response',
    time: string,
    entry: AuditEntry,
    prepared?: ReadonlyMap<string, string>,
  ): string {
    this.#prepared = prepared;
    try {
      return this.#line(type, time, entry);
    } finally {
      this.#prepared = undefined;
    }
  }

  #line(type: 'request' | 'response', time: string, entry: AuditEntry): string {
    const { auth, request, response, error } = entry;
    let text = `{"time":"${time}","type":"${type}"`;
    const known = auth === undefined ? undefined : this.#auth(auth);
    if (known !== undefined) text += `,"auth":${known.text}`;
    text += `,"request":${this.#request(request, entry, known)}`;
    if (type === 'response' && response !== undefined)
      text += `,"response":${this.#response(response, entry)}`;
    if (error !== undefined && error !== '') text += `,"error":${JSON.stringify(error)}`;
    text = this.#options.format === 'jsonx' ? jsonx(`${text}}`) : `${text}}`;
    return `${this.#options.prefix}${text}\n`;
  }

  hash(value: string): string {
    const known = this.#prepared?.get(value);
    if (known !== undefined) return known;
    return `hmac-sha256:${createHmac('sha256', this.#key).update(value).digest('hex')}`;
  }

  #auth(auth: AuditAuth): AuthText {
    const { source = auth } = auth;
    const known = this.#auths.get(source);
    if (known !== undefined) return known;
    const fields = this.#authFields(auth);
    const made = { text: JSON.stringify(fields), token: fields.client_token, accessor: fields.accessor };
    this.#auths.set(source, made);
    return made;
  }

  #authFields(auth: AuditAuth): { client_token?: string; accessor?: string } {
    return {
      ...(auth.clientToken ? { client_token: this.#secret(auth.clientToken) } : {}),
      ...(auth.accessor ? { accessor: this.#accessor(auth.accessor) } : {}),
      ...(auth.displayName ? { display_name: auth.displayName } : {}),
      ...(auth.policies?.length ? { policies: auth.policies } : {}),
      ...(auth.tokenPolicies?.length ? { token_policies: auth.tokenPolicies } : {}),
      ...(auth.identityPolicies?.length ? { identity_policies: auth.identityPolicies } : {}),
      ...(auth.policyResults === undefined ? {} : { policy_results: auth.policyResults }),
      ...(auth.metadata ? { metadata: auth.metadata } : {}),
      ...(auth.entityId ? { entity_id: auth.entityId } : {}),
      ...(auth.tokenType ? { token_type: auth.tokenType } : {}),
      ...(auth.tokenTtl ? { token_ttl: auth.tokenTtl } : {}),
      ...(auth.tokenIssueTime ? { token_issue_time: auth.tokenIssueTime } : {}),
    };
  }

  #request(request: AuditRequest, entry: AuditEntry, auth: AuthText | undefined): string {
    const known = this.#requests.get(request);
    if (known !== undefined) return known;
    const { clientToken, clientTokenAccessor } = request;
    const sameToken = clientToken !== undefined && clientToken === entry.auth?.clientToken;
    const sameAccessor = clientTokenAccessor !== undefined && clientTokenAccessor === entry.auth?.accessor;
    const text = JSON.stringify({
      id: request.id,
      ...(request.clientId ? { client_id: request.clientId } : {}),
      operation: request.operation,
      ...(request.mountPoint ? { mount_point: request.mountPoint } : {}),
      ...(request.mountType ? { mount_type: request.mountType } : {}),
      ...(request.mountAccessor ? { mount_accessor: request.mountAccessor } : {}),
      ...(request.mountClass ? { mount_class: request.mountClass } : {}),
      ...(clientToken ? { client_token: (sameToken && auth?.token) || this.#secret(clientToken) } : {}),
      ...(clientTokenAccessor
        ? { client_token_accessor: (sameAccessor && auth?.accessor) || this.#accessor(clientTokenAccessor) }
        : {}),
      namespace: { id: 'root' },
      path: request.path,
      ...(request.data === undefined ? {} : { data: this.#data(request.data, entry.nonHmacRequestKeys) }),
      ...(request.headers === undefined ? {} : { headers: this.#headers(request.headers) }),
      ...(request.remoteAddress ? { remote_address: request.remoteAddress } : {}),
      ...(request.remotePort ? { remote_port: request.remotePort } : {}),
      ...(request.wrapTtl ? { wrap_ttl: request.wrapTtl } : {}),
      ...(request.clientName ? { client_certificate_common_name: request.clientName } : {}),
    });
    this.#requests.set(request, text);
    return text;
  }

  #headers(headers: AuditRequest['headers'] & object): Record<string, string[]> {
    return Object.fromEntries(
      Object.entries(headers).map(([name, { values, hmac }]) => [
        name,
        values.map((value) => (hmac && !this.#options.logRaw ? this.hash(value) : value)),
      ]),
    );
  }

  #response(response: AuditResponse, { request, nonHmacResponseKeys }: AuditEntry): string {
    const { auth, data, secret, warnings, wrapInfo } = response;
    return JSON.stringify({
      ...(auth === undefined ? {} : { auth: this.#authFields(auth) }),
      ...(request.mountPoint ? { mount_point: request.mountPoint } : {}),
      ...(request.mountType ? { mount_type: request.mountType } : {}),
      ...(request.mountAccessor ? { mount_accessor: request.mountAccessor } : {}),
      ...(request.mountClass ? { mount_class: request.mountClass } : {}),
      ...(secret?.leaseId ? { secret: { lease_id: secret.leaseId } } : {}),
      ...(data ? { data: this.#data(this.#elided(data, request), nonHmacResponseKeys) } : {}),
      ...(warnings?.length ? { warnings } : {}),
      ...(wrapInfo === undefined ? {} : { wrap_info: this.#wrapInfo(wrapInfo) }),
    });
  }

  #wrapInfo(info: AuditWrapInfo): object {
    return {
      ttl: info.ttl,
      token: this.#secret(info.token),
      accessor: this.#accessor(info.accessor),
      creation_time: info.creationTime,
      creation_path: info.creationPath,
      ...(info.wrappedAccessor ? { wrapped_accessor: this.#accessor(info.wrappedAccessor) } : {}),
    };
  }

  // Long lists say little and cost much: their lengths stay.
  #elided(data: JsonObject, request: AuditRequest): JsonObject {
    if (!this.#options.elideListResponses || request.operation !== 'list') return data;
    const elided = { ...data };
    if (Array.isArray(elided['keys'])) elided['keys'] = elided['keys'].length;
    const info = elided['key_info'];
    if (info !== undefined && isJsonObject(info)) elided['key_info'] = Object.keys(info).length;
    return elided;
  }

  #data(data: JsonObject, plainKeys: readonly string[] | undefined): JsonObject {
    if (this.#options.logRaw) return data;
    const hashed: JsonObject = {};
    for (const key of Object.keys(data)) {
      const value = data[key];
      if (value === undefined) continue;
      setMember(hashed, key, plainKeys?.includes(key) === true ? value : this.#hashed(value));
    }
    return hashed;
  }

  #hashed(value: Json): Json {
    if (typeof value === 'string') return this.hash(value);
    if (Array.isArray(value)) return value.map((item) => this.#hashed(item));
    if (!isJsonObject(value)) return value;
    const hashed: JsonObject = {};
    for (const key of Object.keys(value)) {
      const member = value[key];
      if (member !== undefined) setMember(hashed, key, this.#hashed(member));
    }
    return hashed;
  }

  #secret(value: string): string {
    return this.#options.logRaw ? value : this.hash(value);
  }

  #accessor(value: string): string {
    return this.#options.logRaw || !this.#options.hmacAccessor ? value : this.hash(value);
  }
}

/** What a hash costs besides its text, in bytes that take as long. */
const BYTES_A_HASH = 1000;
const BYTES_A_TURN = 5_000_000;
const MANY = 2000;

/** Whether a value has more than is hashed at once without anybody's notice. */
function isLarge(value: Json): boolean {
  let left = MANY;
  let bytes = BYTES_A_TURN;
  const walk = (each: Json): void => {
    if (typeof each === 'string') {
      left -= 1;
      bytes -= each.length;
    } else if (Array.isArray(each)) {
      for (let at = 0; at < each.length && left > 0; at += 1) walk(each[at] ?? null);
    } else if (isJsonObject(each)) {
      for (const key in each) {
        if (left <= 0) return;
        walk(each[key] ?? null);
      }
    }
  };
  walk(value);
  return left <= 0 || bytes <= 0;
}

function* strings(value: unknown): Generator<string> {
  if (typeof value === 'string') yield value;
  else if (typeof value === 'object' && value !== null)
    for (const each of Object.values(value)) yield* strings(each);
}
