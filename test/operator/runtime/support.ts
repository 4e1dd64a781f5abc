import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../src/lib/clock.ts';
import type { Logger } from '../../../src/lib/log.ts';
import { systemRandom } from '../../../src/lib/random.ts';
import { connect, type Connection } from '../../../src/operator/runtime/api/connection.ts';
import { Metrics } from '../../../src/operator/runtime/report/metrics.ts';
import type { KubeObject, ResourceType } from '../../../src/operator/runtime/runtime.ts';
import { Informers, type Listener } from '../../../src/operator/runtime/watch/informers.ts';
import type { ReflectorTimes } from '../../../src/operator/runtime/watch/reflector.ts';
import { type ControlPlane, startControlPlane } from '../../support/cluster/controlplane.ts';
import { FaultProxy } from './proxy.ts';

export const CONFIG_MAP: ResourceType = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' };
export const SECRET: ResourceType = { apiVersion: 'v1', kind: 'Secret', plural: 'secrets' };

/** Times at which faults can be waited for. */
export const QUICK: Partial<ReflectorTimes> = {
  pageSize: 5,
  retryInitialMs: 50,
  retryMaxMs: 1_000,
  inactivityMs: 2_000,
};

/** A log that keeps its lines. */
export class Lines {
  readonly lines: string[] = [];
  readonly log: Logger = this.#logger({});

  #logger(bindings: object): Logger {
    const take =
      (level: string) =>
      (fields: object, message: string): void => {
        this.lines.push(JSON.stringify({ level, ...bindings, ...fields, message }, printed));
      };
    return {
      debug: take('debug'),
      info: take('info'),
      warn: take('warn'),
      error: take('error'),
      child: (more) => this.#logger({ ...bindings, ...more }),
    };
  }
}

function printed(_key: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  return { type: value.name, text: value.message, cause: value.cause, fields: Object.entries(value) };
}

/** A real API server behind a proxy that can break things, and a connection through it. */
export class Bench {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'sealedvault-runtime-'));
  readonly lines: Lines = new Lines();
  #plane: ControlPlane | undefined;
  #proxy: FaultProxy | undefined;
  kubeconfig = '';

  get plane(): ControlPlane {
    if (this.#plane === undefined) throw new Error('not started');
    return this.#plane;
  }

  get proxy(): FaultProxy {
    if (this.#proxy === undefined) throw new Error('not started');
    return this.#proxy;
  }

  async start(): Promise<void> {
    this.#plane = await startControlPlane({ dir: join(this.dir, 'plane') });
    this.#proxy = new FaultProxy(this.#plane.admin);
    const server = await this.#proxy.start();
    this.kubeconfig = join(this.dir, 'kubeconfig');
    writeFileSync(
      this.kubeconfig,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'proxy',
        clusters: [{ name: 'proxy', cluster: { server, 'insecure-skip-tls-verify': true } }],
        users: [{ name: 'proxy', user: {} }],
        contexts: [{ name: 'proxy', context: { cluster: 'proxy', user: 'proxy' } }],
      }),
    );
  }

  async stop(): Promise<void> {
    await this.#proxy?.stop();
    await this.#plane?.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }

  connect(metrics?: Metrics): Connection {
    return connect({
      kubeconfig: this.kubeconfig,
      clock: systemClock,
      ...(metrics === undefined ? {} : { metrics }),
    });
  }

  informers(connection: Connection, namespaces: readonly string[]): Informers {
    return new Informers({
      connection,
      namespaces,
      clock: systemClock,
      random: systemRandom,
      log: this.lines.log,
      metrics: new Metrics(),
      times: QUICK,
    });
  }

  async namespace(name: string): Promise<string> {
    await this.plane.api.call('POST', '/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name },
    });
    return name;
  }

  async put(namespace: string, name: string, data: Record<string, string>): Promise<void> {
    await this.plane.api.apply(`/api/v1/namespaces/${namespace}/configmaps/${name}`, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace },
      data,
    });
  }

  async drop(namespace: string, name: string): Promise<void> {
    await this.plane.api.call('DELETE', `/api/v1/namespaces/${namespace}/configmaps/${name}`);
  }

  /** Name and data of every ConfigMap that the API server has in a namespace. */
  async truth(namespace: string): Promise<Map<string, string>> {
    const list = await this.plane.api.call<{ items: KubeObject[] }>(
      'GET',
      `/api/v1/namespaces/${namespace}/configmaps`,
    );
    return contents(list.items);
  }
}

/** Name and data of ConfigMaps, to compare. */
export function contents(objects: readonly KubeObject[]): Map<string, string> {
  return new Map(
    objects.map((object) => [object.metadata.name, JSON.stringify(Reflect.get(object, 'data') ?? {})]),
  );
}

/** Waits until something holds. */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  ms = 20_000,
): Promise<void> {
  const end = performance.now() + ms;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await systemClock.sleep(25);
  }
}

/** A listener that remembers which names it was told of. */
export function recorder(): { readonly listener: Listener; readonly names: string[] } {
  const names: string[] = [];
  return {
    names,
    listener: {
      changed: (before, after) => {
        names.push((after ?? before)?.metadata.name ?? '');
      },
      synced: () => undefined,
      namespaces: () => [],
    },
  };
}
