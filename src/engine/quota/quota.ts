import { BoundedMap } from '../../lib/bounded-map.ts';
import type { Clock } from '../../lib/clock.ts';
import { getJson, jsonPut, type Storage } from '../logical/storage.ts';

/**
 * Rate limit quotas (Vault: `sys/quotas/rate-limit`): so many requests an interval from one client address.
 *
 * I1  Of the quotas that match a request the most specific one counts: path with role, path, mount, global.
 * I2  Deciding touches memory only. Counts are not kept: a restart begins anew.
 * I3  Who exceeds a quota with a block interval is refused for that long, whatever it does meanwhile.
 */
export interface RateLimitQuota {
  readonly name: string;
  /** Mount, or a path below one; empty for everything. A `*` at its end matches what begins so. */
  readonly path: string;
  /** Name of a role that logs in; empty for all. */
  readonly role: string;
  /** Requests an interval. */
  readonly rate: number;
  /** Seconds. */
  readonly interval: number;
  /** Seconds; 0 for none. */
  readonly blockInterval: number;
  readonly inheritable: boolean;
}

export interface QuotaConfig {
  /** Each with what is below it. A leading `/` or `/v1/` is left out. */
  readonly exemptPaths: readonly string[];
  readonly auditRefusals: boolean;
  readonly responseHeaders: boolean;
}

/** How a request fares. */
export interface QuotaVerdict {
  readonly allowed: boolean;
  readonly limit: number;
  readonly remaining: number;
  /** Seconds until the count begins anew, or the block ends. */
  readonly reset: number;
}

const ALWAYS_EXEMPT = [
  'sys/generate-recovery-token/attempt',
  'sys/generate-recovery-token/update',
  'sys/generate-root/attempt',
  'sys/generate-root/update',
  'sys/health',
  'sys/seal-status',
  'sys/unseal',
];
const CLIENTS = 50_000;

interface Window {
  start: number;
  used: number;
  blockedUntil: number;
}

export class Quotas {
  readonly #storage: Storage;
  readonly #clock: Clock;
  #rules: readonly RateLimitQuota[];
  #config: QuotaConfig;
  #windows = new BoundedMap<string, Window>(CLIENTS);

  private constructor(storage: Storage, clock: Clock, rules: readonly RateLimitQuota[], config: QuotaConfig) {
    this.#storage = storage;
    this.#clock = clock;
    this.#rules = rules;
    this.#config = config;
  }

  static async open(storage: Storage, clock: Clock): Promise<Quotas> {
    const rules: RateLimitQuota[] = [];
    for (const name of await storage.list('rate-limit/')) {
      const rule = await getJson<RateLimitQuota>(storage, `rate-limit/${name}`);
      if (rule !== undefined) rules.push(rule);
    }
    const config = (await getJson<QuotaConfig>(storage, 'config')) ?? {
      exemptPaths: ALWAYS_EXEMPT,
      auditRefusals: false,
      responseHeaders: false,
    };
    return new Quotas(storage, clock, rules, config);
  }

  get config(): QuotaConfig {
    return this.#config;
  }

  async configure(config: QuotaConfig): Promise<void> {
    await this.#storage.write([jsonPut('config', config)]);
    this.#config = config;
  }

  names(): string[] {
    return this.#rules.map(({ name }) => name).toSorted();
  }

  get(name: string): RateLimitQuota | undefined {
    return this.#rules.find((rule) => rule.name === name);
  }

  async put(rule: RateLimitQuota): Promise<void> {
    await this.#storage.write([jsonPut(`rate-limit/${rule.name}`, rule)]);
    this.#rules = [...this.#rules.filter(({ name }) => name !== rule.name), rule];
    this.#windows = new BoundedMap(CLIENTS);
  }

  async delete(name: string): Promise<void> {
    await this.#storage.delete(`rate-limit/${name}`);
    this.#rules = this.#rules.filter((rule) => rule.name !== name);
  }

  /** Counts a request. @returns undefined when no quota is about it */
  take(path: string, client: string, role: string | undefined): QuotaVerdict | undefined {
    if (this.#rules.length === 0 || this.#isExempt(path)) return undefined;
    const rule = this.#ruleFor(path, role);
    if (rule === undefined) return undefined;
    const now = this.#clock.now() / 1000;
    const key = `${rule.name}\n${client}`;
    let window = this.#windows.get(key);
    if (window === undefined || now >= window.start + rule.interval) {
      window = { start: now, used: 0, blockedUntil: window?.blockedUntil ?? 0 };
      this.#windows.set(key, window);
    }
    const blocked = window.blockedUntil > now;
    const allowed = !blocked && window.used < rule.rate;
    if (allowed) window.used += 1;
    else if (!blocked && rule.blockInterval > 0) window.blockedUntil = now + rule.blockInterval;
    const reset = Math.max(window.start + rule.interval, window.blockedUntil) - now;
    return {
      allowed,
      limit: rule.rate,
      remaining: Math.max(0, Math.floor(rule.rate - window.used)),
      reset: Math.ceil(reset),
    };
  }

  #isExempt(path: string): boolean {
    return this.#config.exemptPaths.some((exempt) => {
      const pattern = exempt.replace(/^\/?(?:v1\/)?/, '');
      return covers(pattern, path) || path.startsWith(`${pattern}/`);
    });
  }

  #ruleFor(path: string, role: string | undefined): RateLimitQuota | undefined {
    let best: RateLimitQuota | undefined;
    for (const rule of this.#rules) {
      const fits = rule.path === '' || covers(rule.path, path);
      if (!fits || (rule.role !== '' && rule.role !== role)) continue;
      if (best === undefined || specificity(rule) > specificity(best)) best = rule;
    }
    return best;
  }
}

function specificity({ path, role }: RateLimitQuota): number {
  return path.length * 2 + (role === '' ? 0 : 1);
}

/** Whether a quota's path is about a request: a mount covers what is below it, a path only itself, unless a star ends it. */
export function covers(pattern: string, path: string): boolean {
  if (pattern.endsWith('*')) return path.startsWith(pattern.slice(0, -1));
  return pattern.endsWith('/') ? path.startsWith(pattern) : path === pattern || path === `${pattern}/`;
}
