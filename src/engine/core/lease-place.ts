import type { Leases } from '../lease/lease.ts';
import type { TokenEntry } from '../logical/request.ts';
import type { Response } from '../logical/response.ts';
import type { CountedLeases, LeaseCountQuotas, LeasePlace } from '../quota/lease-count.ts';
import type { TokenStore } from '../token/token.ts';
import { WRAPPING_POLICY } from './wrapping.ts';

/** The place of the lease that one request may lead to. */
export class RequestPlace {
  readonly #quotas: LeaseCountQuotas;
  readonly #path: string;
  readonly #exempt: boolean;
  #place: LeasePlace | undefined;

  constructor(quotas: LeaseCountQuotas, path: string, token: TokenEntry | undefined) {
    this.#quotas = quotas;
    this.#path = path;
    this.#exempt = token?.policies.includes('root') === true;
  }

  /** Takes the place, once. @returns 429 when a quota has none left */
  async take(): Promise<Response | undefined> {
    this.#place ??= await this.#quotas.take(this.#path, this.#exempt);
    if (this.#place !== undefined) return undefined;
    return {
      kind: 'refusal',
      status: 429,
      errors: [`request path ${JSON.stringify(this.#path)}: lease count quota exceeded`],
    };
  }

  /** The lease is there. Without a place that was taken there is nothing to keep. */
  keep(id: string): void {
    this.#place?.keep(id);
    this.#place = undefined;
  }

  /** The token that an answer holds has a lease when it is a service token that ends. */
  keepToken({ hash, type, expireTime }: TokenEntry): void {
    if (type === 'service' && expireTime !== 0) this.keep(hash);
  }

  giveBack(): void {
    this.#place?.giveBack();
    this.#place = undefined;
  }
}

/** Leases of secrets, by their keys, and of tokens, by their hashes. */
export function countedLeases(leases: Leases, tokens: TokenStore): CountedLeases {
  const ofTokens = async function* (prefix: string): AsyncGenerator<string> {
    for (const name of await tokens.leases(prefix)) {
      if (name.endsWith('/')) yield* ofTokens(prefix + name);
      else {
        const hash = name.slice(1);
        const entry = await tokens.byHash(hash);
        if (entry !== undefined && !entry.policies.includes(WRAPPING_POLICY)) yield hash;
      }
    }
  };
  return {
    below: async function* (prefix) {
      yield* leases.below(prefix);
      yield* ofTokens(prefix);
    },
    children: async (prefix) => [...(await leases.list(prefix)), ...(await tokens.leases(prefix))],
  };
}
