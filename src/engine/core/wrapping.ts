import { parseDuration } from '../../lib/duration.ts';
import { type JsonObject, parseJson } from '../../lib/json.ts';
import { getJson, jsonPut, type Storage } from '../logical/storage.ts';
import type { Response, WrapInfo } from '../logical/response.ts';
import type { TokenEntry } from '../logical/request.ts';
import type { TokenStore } from '../token/token.ts';
import { envelope } from './envelope.ts';

/** What lies in the cubbyhole of a wrapping token. */
interface Wrapped {
  /** The whole answer, as JSON text. */
  readonly response: string;
  readonly creationTtl: number;
  readonly creationTime: string;
  readonly creationPath: string;
}

/** The policy that a wrapping token carries; it is built in, and nobody can write it. */
export const WRAPPING_POLICY = 'response-wrapping';

/** Single-use tokens that stand for an answer: the answer waits in the token's cubbyhole. */
export class Wrapping {
  readonly #tokens: TokenStore;
  readonly #cubbyhole: () => Storage;

  constructor(tokens: TokenStore, cubbyhole: () => Storage) {
    this.#tokens = tokens;
    this.#cubbyhole = cubbyhole;
  }

  /** Puts an answer away. @param ttl seconds */
  async wrap(response: Response, requestId: string, path: string, ttl: number): Promise<Response> {
    const { body } = envelope(response, requestId);
    const accessor = accessorIn(response);
    return this.#store(JSON.stringify(body ?? null), path, ttl, accessor);
  }

  /** What is known of a wrapping token, without using it up. */
  async lookup(text: string): Promise<JsonObject | undefined> {
    const found = await this.#find(await this.#tokens.lookup(text));
    if (found === undefined) return undefined;
    return {
      creation_path: found.creationPath,
      creation_time: found.creationTime,
      creation_ttl: found.creationTtl,
    };
  }

  /** Gives the answer once. The token may be the caller's own, whose single use was just counted. */
  async unwrap(entry: TokenEntry | undefined): Promise<JsonObject | undefined> {
    const found = await this.#find(entry);
    if (found === undefined || entry === undefined) return undefined;
    await this.#tokens.revoke(entry.hash);
    return parseJson(found.response) as JsonObject;
  }

  /** Moves an answer to a new token with the same lifetime, and revokes the old one. */
  async rewrap(entry: TokenEntry | undefined): Promise<Response | undefined> {
    const found = await this.#find(entry);
    if (found === undefined || entry === undefined) return undefined;
    const moved = await this.#store(found.response, found.creationPath, found.creationTtl, undefined);
    await this.#tokens.revoke(entry.hash);
    return moved;
  }

  async #store(
    response: string,
    path: string,
    ttl: number,
    wrappedAccessor: string | undefined,
  ): Promise<Response> {
    const issued = await this.#tokens.create({
      parent: '',
      policies: [WRAPPING_POLICY],
      path,
      displayName: '',
      meta: null,
      numUses: 1,
      ttl,
      explicitMaxTtl: ttl,
      period: 0,
      renewable: false,
      orphan: true,
      entityId: '',
    });
    if (issued === undefined)
      return { kind: 'refusal', status: 500, errors: ['failed to create wrapping token'] };
    const creationTime = new Date(issued.entry.creationTime * 1000).toISOString();
    const wrapped: Wrapped = { response, creationTtl: ttl, creationTime, creationPath: path };
    await this.#cubbyhole().write([jsonPut(`${issued.entry.hash}/response`, wrapped)]);
    const info: WrapInfo = {
      token: issued.text,
      accessor: issued.entry.accessor,
      ttl,
      creationTime,
      creationPath: path,
      ...(wrappedAccessor === undefined ? {} : { wrappedAccessor }),
    };
    return { kind: 'wrapped', info };
  }

  async #find(entry: TokenEntry | undefined): Promise<Wrapped | undefined> {
    if (entry === undefined || entry.policies[0] !== WRAPPING_POLICY) return undefined;
    return getJson<Wrapped>(this.#cubbyhole(), `${entry.hash}/response`);
  }
}

/** @returns the seconds that X-Vault-Wrap-TTL asks for: 0 for none, undefined for what is no duration. */
export function wrapTtl(header: string): number | undefined {
  const seconds = parseDuration(header);
  return seconds === undefined || seconds < 0 ? undefined : Math.ceil(seconds);
}

// Of a token, or of a secret ID of AppRole: who hands the wrapping token on can take back what it wraps.
function accessorIn(response: Response): string | undefined {
  if (response.kind === 'auth') return response.auth.entry.accessor;
  const accessor = response.kind === 'data' ? response.data?.['secret_id_accessor'] : undefined;
  return typeof accessor === 'string' ? accessor : undefined;
}
