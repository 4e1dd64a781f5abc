import { spawn } from 'node:child_process';
import type { KubernetesObject } from './api.ts';
import { attempt, type CommandResult, run } from './command.ts';
import { freePort } from './controlplane.ts';

/** A forwarded port. */
export interface PortForward {
  readonly port: number;
  stop(): void;
}

/** kubectl with one kubeconfig. */
export class Kubectl {
  readonly #binary: string;
  readonly #kubeconfig: string;

  constructor(binary: string, kubeconfig: string) {
    this.#binary = binary;
    this.#kubeconfig = kubeconfig;
  }

  /**
   * Runs kubectl.
   * @param args Arguments.
   * @param input Standard input.
   * @returns Standard output.
   * @throws {CommandFailed} When its status is not zero.
   */
  run(args: readonly string[], input?: string): Promise<string> {
    return run(
      this.#binary,
      ['--kubeconfig', this.#kubeconfig, ...args],
      input === undefined ? {} : { input },
    );
  }

  /**
   * Runs kubectl, whatever its status.
   * @param args Arguments.
   * @param input Standard input.
   * @returns Status and output.
   */
  attempt(args: readonly string[], input?: string): Promise<CommandResult> {
    return attempt(
      this.#binary,
      ['--kubeconfig', this.#kubeconfig, ...args],
      input === undefined ? {} : { input },
    );
  }

  /**
   * Applies objects; their content goes through standard input and stands in no argument list.
   * @param objects What to apply.
   * @param flags Further flags, for instance `--dry-run=server`.
   * @returns kubectl's lines.
   * @throws {CommandFailed} When the API server refuses one of them.
   */
  apply(objects: readonly KubernetesObject[], flags: readonly string[] = []): Promise<string> {
    const list = { apiVersion: 'v1', kind: 'List', items: objects };
    return this.run(
      ['apply', '--server-side', '--force-conflicts', ...flags, '-f', '-'],
      JSON.stringify(list),
    );
  }

  /**
   * Reads an object.
   * @param namespace Its namespace.
   * @param what `type/name`.
   * @returns The object, or undefined when there is none.
   * @throws {CommandFailed} For any other refusal.
   */
  async get<T>(namespace: string, what: string): Promise<T | undefined> {
    const text = await this.run([
      '--namespace',
      namespace,
      'get',
      what,
      '--ignore-not-found',
      '--output',
      'json',
    ]);
    return text.trim() === '' ? undefined : (JSON.parse(text) as T);
  }

  /**
   * Lists objects.
   * @param namespace Their namespace.
   * @param type Their type.
   * @param selector Label selector.
   * @returns The objects.
   * @throws {CommandFailed} When the API server refuses.
   */
  async list<T>(namespace: string, type: string, selector = ''): Promise<T[]> {
    const flags = selector === '' ? [] : ['--selector', selector];
    const text = await this.run(['--namespace', namespace, 'get', type, ...flags, '--output', 'json']);
    return (JSON.parse(text) as { items: T[] }).items;
  }

  /**
   * Forwards a local port to a pod or Service.
   * @param namespace Its namespace.
   * @param target `pod/name` or `service/name`.
   * @param port Port there.
   * @returns The local port, open for connections.
   * @throws {Error} When forwarding does not begin within 20 seconds.
   */
  async portForward(namespace: string, target: string, port: number): Promise<PortForward> {
    const local = await freePort();
    const args = [
      '--kubeconfig',
      this.#kubeconfig,
      '--namespace',
      namespace,
      'port-forward',
      target,
      `${local}:${port}`,
    ];
    const child = spawn(this.#binary, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    await new Promise<void>((resolve, reject) => {
      const fail = (why: string): void => {
        child.kill('SIGKILL');
        reject(new Error(`port-forward to ${target}: ${why}: ${said.trim()}`));
      };
      const timer = setTimeout(() => fail('not within 20 s'), 20_000);
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        if (!text.includes('Forwarding from')) return;
        clearTimeout(timer);
        resolve();
      });
      child.once('error', (error) => fail(error.message));
      child.once('exit', () => {
        clearTimeout(timer);
        fail('ended');
      });
    });
    return {
      port: local,
      stop: () => {
        child.kill('SIGTERM');
      },
    };
  }
}
