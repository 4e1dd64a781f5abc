import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../support/cluster/controlplane.ts';
import { SOFTHSM, type TestToken } from '../../seal/support.ts';

const SOURCE = new URL('../../../src/main.ts', import.meta.url).pathname;
/** The compiled program, as the image has it: `npm run build` makes it. */
export const COMPILED: string = new URL('../../../dist/main.js', import.meta.url).pathname;

export interface LaunchOptions {
  readonly seal?: object;
  readonly env?: Record<string, string>;
  readonly mode?: number;
  readonly more?: object;
  /** A program, with its arguments, that starts Node. */
  readonly through?: readonly string[];
  /** Flags of Node. */
  readonly nodeFlags?: readonly string[];
  /** Flags of the program, beside -config. */
  readonly flags?: readonly string[];
}

/** The engine as users run it: a process of its own, with a configuration file. */
export class EngineProcess {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'sealedvault-process-'));
  readonly token: TestToken;
  port = 0;
  output = '';
  exit: Promise<number | string> = Promise.resolve(0);
  readonly #main: string;
  #child: ChildProcess | undefined;

  constructor(token: TestToken, main: string = SOURCE) {
    this.token = token;
    this.#main = main;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get address(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  configFile(seal: object = {}, mode = 0o600, more: object = {}): string {
    const file = join(this.dir, 'config.json');
    const text = JSON.stringify({
      listener: [{ tcp: { address: `127.0.0.1:${this.port}`, tls_disable: true } }],
      storage: { lmdb: { path: join(this.dir, 'data') } },
      seal: {
        pkcs11: {
          lib: SOFTHSM,
          token_label: this.token.label,
          key_label: 'root',
          generate_key: 'true',
          ...seal,
        },
      },
      ...more,
    });
    rmSync(file, { force: true });
    writeFileSync(file, text, { mode });
    return file;
  }

  /** Starts and waits until the port answers. */
  async start(options: LaunchOptions = {}): Promise<void> {
    await this.launch(options);
    await this.until(async () => (await this.call('GET', 'sys/health')) !== undefined);
  }

  /** Starts without waiting. */
  async launch({
    seal = {},
    env = {},
    mode = 0o600,
    more = {},
    through = [],
    nodeFlags = [],
    flags = [],
  }: LaunchOptions = {}): Promise<void> {
    this.port = await freePort();
    const config = this.configFile(seal, mode, more);
    const node = [...through, process.execPath, ...nodeFlags];
    const child = spawn(
      node[0] ?? '',
      [...node.slice(1), this.#main, 'server', `-config=${config}`, ...flags],
      {
        env: { PATH: process.env['PATH'] ?? '', ...this.token.env, VAULT_HSM_PIN: this.token.pin, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.output += chunk.toString();
      });
    }
    this.exit = new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal ?? '')));
    this.#child = child;
  }

  async call(
    method: string,
    path: string,
    body?: object,
    token = '',
  ): Promise<{ status: number; body: any } | undefined> {
    try {
      const response = await fetch(`${this.address}/v1/${path}`, {
        method,
        headers: token === '' ? {} : { 'X-Vault-Token': token },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
    } catch {
      return undefined;
    }
  }

  async until(test: () => Promise<boolean>, what = 'it'): Promise<void> {
    const end = Date.now() + 30_000;
    while (Date.now() < end) {
      if (await test()) return;
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    throw new Error(`${what} did not happen:\n${this.output}`);
  }

  active(): Promise<void> {
    return this.until(async () => (await this.call('GET', 'sys/health'))?.status === 200, 'unsealing');
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | string> {
    this.#child?.kill(signal);
    return this.exit;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.dir, { recursive: true, force: true });
    this.token[Symbol.dispose]();
  }
}
