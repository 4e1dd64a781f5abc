import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../support/cluster/command.ts';
import { freePort } from '../../support/cluster/controlplane.ts';

const MAIN = new URL('../../../src/main.ts', import.meta.url).pathname;
export const ROOT_TOKEN = 'root';

/** A server as users start one: a process of its own, with everything in memory. */
export class ServerProcess {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'sealedvault-client-'));
  readonly address: string;
  output = '';
  readonly #child: ChildProcess;
  readonly #gone: Promise<unknown>;

  private constructor(address: string, args: (dir: string) => readonly string[]) {
    this.address = address;
    this.#child = spawn(process.execPath, [MAIN, 'server', ...args(this.dir)], {
      env: { PATH: process.env['PATH'] ?? '', HOME: this.dir },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#gone = new Promise((resolve) => this.#child.once('exit', resolve));
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.output += chunk.toString();
      });
    }
  }

  /** The authority of the listener. */
  get caFile(): string {
    return join(this.dir, 'tls', 'vault-ca.pem');
  }

  /** A dev server with TLS: open, with KV v2 at secret/ and the root token `root`. */
  static async dev(): Promise<ServerProcess> {
    const port = await freePort();
    return ServerProcess.#start(`https://127.0.0.1:${port}`, (dir) => [
      '-dev-tls',
      `-dev-tls-cert-dir=${join(dir, 'tls')}`,
      `-dev-root-token-id=${ROOT_TOKEN}`,
      `-dev-listen-address=127.0.0.1:${port}`,
    ]);
  }

  /** A server that nobody has initialized, sealed by shares. @param config a file of its configuration */
  static async fresh(config: (dir: string, port: number) => string): Promise<ServerProcess> {
    const port = await freePort();
    return ServerProcess.#start(`http://127.0.0.1:${port}`, (dir) => [`-config=${config(dir, port)}`]);
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#gone;
    rmSync(this.dir, { recursive: true, force: true });
  }

  static async #start(address: string, args: (dir: string) => readonly string[]): Promise<ServerProcess> {
    const server = new ServerProcess(address, args);
    await until('the server', 60_000, () => {
      if (server.#child.exitCode !== null) throw new Error(server.output);
      return server.output.includes('Vault server started!') ? true : undefined;
    });
    return server;
  }
}
