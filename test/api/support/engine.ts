import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEngineConfig } from '../../../src/engine/config.ts';
import type { Vault } from '../../../src/engine/core/vault.ts';
import { type Engine, startEngine } from '../../../src/engine/server.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { createLogger } from '../../../src/lib/log.ts';
import { systemRandom } from '../../../src/lib/random.ts';
import { makeToken, SOFTHSM, type TestToken } from '../../seal/support.ts';

export interface Answer {
  readonly status: number;
  readonly body: any;
  readonly headers: Headers;
}

/** More of a configuration; a function is asked at each start. */
export type More = object | ((token: TestToken) => object);

/** An engine in this process, sealed by a real SoftHSM token, with its log kept in memory. */
export class TestEngine {
  readonly token: TestToken;
  readonly dir: string;
  readonly logLines: string[] = [];
  #more: More;
  #env: Record<string, string> = {};
  #engine: Engine | undefined;
  address = '';
  /** host:port of every listener. */
  addresses: readonly string[] = [];
  root = '';

  private constructor(token: TestToken, more: More) {
    this.token = token;
    this.dir = mkdtempSync(join(tmpdir(), 'sealedvault-api-'));
    this.#more = more;
  }

  /** Starts an engine that is not initialized. */
  static async start(more: More = {}): Promise<TestEngine> {
    const engine = new TestEngine(makeToken('canary-pin-5Xq'), more);
    await engine.boot();
    return engine;
  }

  /** Starts and initializes; `root` is the root token. */
  static async initialized(more: More = {}): Promise<TestEngine> {
    const engine = await TestEngine.start(more);
    const answer = await engine.call('PUT', 'sys/init', { recovery_shares: 3, recovery_threshold: 2 });
    if (answer.status !== 200)
      throw new Error(`init answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    engine.root = answer.body.root_token;
    return engine;
  }

  /** What is inside, for looking at what is stored. */
  get vault(): Vault {
    const vault = this.#engine?.core.vault;
    if (vault === undefined) throw new Error('the vault is not open');
    return vault;
  }

  async boot(): Promise<void> {
    const text = JSON.stringify({
      listener: [{ tcp: { address: '127.0.0.1:0', tls_disable: true } }],
      storage: { lmdb: { path: join(this.dir, 'data') } },
      seal: {
        pkcs11: { lib: SOFTHSM, token_label: this.token.label, key_label: 'root', generate_key: 'true' },
      },
      ...(typeof this.#more === 'function' ? this.#more(this.token) : this.#more),
    });
    const env = { ...this.token.env, VAULT_HSM_PIN: this.token.pin, ...this.#env };
    const { config } = parseEngineConfig(text, env);
    const log = createLogger({
      level: 'debug',
      destination: { write: (line: string) => void this.logLines.push(line) },
    });
    this.#engine = await startEngine({ config, env, clock: systemClock, random: systemRandom, log });
    this.addresses = this.#engine.addresses;
    this.address = `http://${this.#engine.addresses[0]}`;
  }

  /** Stops; what is stored stays. */
  async halt(): Promise<void> {
    await this.#engine?.stop();
    this.#engine = undefined;
  }

  async restart(): Promise<void> {
    await this.reboot();
    await this.active();
  }

  /** Starts again with another configuration, and with more in the environment. */
  async reconfigure(more: object, env: Record<string, string> = {}): Promise<void> {
    this.#more = more;
    this.#env = env;
    await this.reboot();
  }

  /** Stops and starts again, without waiting for an unseal. */
  async reboot(): Promise<void> {
    await this.#engine?.stop();
    await this.boot();
  }

  /** Waits until the vault is unsealed. */
  async active(): Promise<void> {
    for (let tries = 0; tries < 400; tries += 1) {
      if ((await this.call('GET', 'sys/health')).status === 200) return;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    throw new Error('the vault did not unseal');
  }

  async call(
    method: string,
    path: string,
    body?: unknown,
    token: string = this.root,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const response = await fetch(`${this.address}/v1/${path}`, {
      method,
      headers: {
        ...(token === '' ? {} : { 'X-Vault-Token': token }),
        ...(method === 'PATCH' ? { 'Content-Type': 'application/merge-patch+json' } : {}),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      body: text === '' ? undefined : isJson(response) ? JSON.parse(text) : text,
      headers: response.headers,
    };
  }

  async reload(): Promise<void> {
    await this.#engine?.reload();
  }

  async stop(): Promise<void> {
    await this.#engine?.stop();
    rmSync(this.dir, { recursive: true, force: true });
    this.token[Symbol.dispose]();
  }
}

function isJson(response: Response): boolean {
  return response.headers.get('content-type')?.startsWith('application/json') !== false;
}
