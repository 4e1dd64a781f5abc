import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createVaultClient } from '../../../src/client/factory.ts';
import { type Clock, systemClock } from '../../../src/lib/clock.ts';
import { createLogger } from '../../../src/lib/log.ts';
import { systemRandom } from '../../../src/lib/random.ts';
import { createControllers } from '../../../src/operator/controllers.ts';
import { Runtime } from '../../../src/operator/runtime/start.ts';
import type { KubernetesObject } from '../../support/cluster/api.ts';
import { until } from '../../support/cluster/command.ts';
import { type ControlPlane, startControlPlane } from '../../support/cluster/controlplane.ts';
import { Kubectl } from '../../support/cluster/kubectl.ts';
import { projectRoot } from '../../support/cluster/paths.ts';
import type { EngineFiles } from './engine.ts';

/** Namespaces of the operator and of vaults; both enforce the restricted level. */
export const OPERATOR = 'sealedvault-system';
export const VAULTS = 'vaults';

/** An object with whatever a test looks into. */
export type Found = KubernetesObject & {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly annotations?: Record<string, string>;
    readonly labels?: Record<string, string>;
    readonly finalizers?: string[];
    readonly ownerReferences?: { readonly uid: string; readonly controller?: boolean }[];
  };
  readonly spec?: Record<string, unknown>;
  readonly data?: Record<string, string>;
  readonly status?: {
    readonly phase?: string;
    readonly conditions?: {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
    }[];
    readonly [field: string]: unknown;
  };
};

const LOG: string[] = [];

/** A real API server with the two kinds, and an operator that can be ended and started. */
export class KindsBench {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'sealedvault-kinds-'));
  readonly plane: ControlPlane;
  readonly kubectl: Kubectl;
  /** Everything the operators logged. */
  readonly log: string[] = LOG;
  /** Of the operators. */
  clock: Clock = systemClock;
  #operators: { readonly stop: AbortController; readonly ended: Promise<number> }[] = [];

  private constructor(plane: ControlPlane) {
    this.plane = plane;
    this.kubectl = new Kubectl(plane.kubectl, plane.kubeconfigPath);
  }

  static async start(): Promise<KindsBench> {
    const dir = mkdtempSync(join(tmpdir(), 'sealedvault-plane-'));
    const bench = new KindsBench(await startControlPlane({ dir, report: () => {} }));
    await bench.kubectl.run(['apply', '-f', join(projectRoot, 'crds')]);
    await bench.kubectl.run(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s']);
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
    for (const name of [OPERATOR, VAULTS])
      await bench.plane.api.apply(`/api/v1/namespaces/${name}`, {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name, labels },
      });
    return bench;
  }

  /** Starts an operator in this process, beside those that run: each believes to be the only one. */
  startOperator(): void {
    const log = createLogger({
      level: 'debug',
      destination: { write: (line: string) => void LOG.push(line) },
    });
    const shared = { log, clock: this.clock, random: systemRandom };
    const runtime = new Runtime({
      controllers: createControllers({
        operatorNamespace: OPERATOR,
        image: 'localhost/sealedvault:test',
        vaultClient: createVaultClient,
        ...shared,
      }),
      kubeconfig: this.plane.kubeconfigPath,
      namespace: OPERATOR,
      leaseName: 'sealedvault-operator',
      instance: 'test',
      watchNamespaces: [],
      leaderElection: false,
      healthPort: 0,
      metricsPort: 0,
      ...shared,
    });
    const stop = new AbortController();
    this.#operators.push({ stop, ended: runtime.run(stop.signal) });
  }

  async stopOperator(): Promise<void> {
    const running = this.#operators.splice(0);
    for (const { stop } of running) stop.abort();
    await Promise.all(running.map(({ ended }) => ended));
  }

  async close(): Promise<void> {
    await this.stopOperator();
    await this.plane.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }

  find(path: string): Promise<Found | undefined> {
    return this.plane.api.find<Found>(path);
  }

  /** A vault's own objects are found by short names such as `statefulset/demo`. */
  get(what: string, namespace: string = VAULTS): Promise<Found | undefined> {
    return this.kubectl.get<Found>(namespace, what);
  }

  async apply(object: KubernetesObject): Promise<void> {
    await this.kubectl.run(['--namespace', VAULTS, 'apply', '--filename', '-'], JSON.stringify(object));
  }

  /** Waits until an object is as a test wants it. */
  wait(what: string, wanted: (found: Found) => boolean, timeoutMs = 40_000): Promise<Found> {
    return until(what, timeoutMs, async () => {
      const found = await this.get(what);
      return found !== undefined && wanted(found) ? found : undefined;
    });
  }

  /** Does what a kubelet and the controller of StatefulSets would: makes the pod, from the template, with an address. */
  async runPod(vault: string, address: string): Promise<void> {
    const pod = await this.podOf(vault);
    const { name } = pod.metadata;
    const root = `/api/v1/namespaces/${VAULTS}/pods`;
    await this.plane.api.call('POST', root, pod);
    const status = { phase: 'Running', podIP: address, podIPs: [{ ip: address }] };
    await this.plane.api.call('PATCH', `${root}/${name}/status`, { status }, 'application/merge-patch+json');
  }

  /** The pod that a StatefulSet asks for: its template, a name, and the claim in place of the claim's template. */
  async podOf(vault: string): Promise<KubernetesObject & { metadata: { name: string } }> {
    const set = await this.wait(`statefulset/${vault}`, () => true);
    const { template } = set.spec as { template: { metadata: object; spec: { volumes: object[] } } };
    const name = `${vault}-0`;
    const data = { name: 'data', persistentVolumeClaim: { claimName: `data-${name}` } };
    const spec = { ...template.spec, volumes: [...template.spec.volumes, data] };
    return { apiVersion: 'v1', kind: 'Pod', metadata: { ...template.metadata, name }, spec };
  }

  async deletePod(name: string): Promise<void> {
    await this.kubectl.run(['--namespace', VAULTS, 'delete', 'pod', name, '--grace-period=0', '--force']);
  }

  /** What would be in the engine's files. */
  async engineFiles(vault: string): Promise<EngineFiles> {
    const secret = await this.wait(`secret/${vault}-tls`, ({ data }) => data?.['tls.key'] !== undefined);
    const trust = await this.wait(
      `configmap/${vault}-ca`,
      ({ data }) => data?.['client-ca.crt'] !== undefined,
    );
    const text = (name: string): string => Buffer.from(secret.data?.[name] ?? '', 'base64').toString();
    return {
      cert: text('tls.crt'),
      key: text('tls.key'),
      clientAuthority: trust.data?.['client-ca.crt'] ?? '',
    };
  }
}

/** A condition of an object. */
export function condition(
  found: Found | undefined,
  type: string,
): { status: string; reason: string; message: string } {
  return (
    found?.status?.conditions?.find((each) => each.type === type) ?? {
      status: 'absent',
      reason: 'absent',
      message: '',
    }
  );
}

/** A SealedVault that takes slot and PIN from the Secret `hsm`. */
export function vaultObject(name: string, spec: object = {}, hsm: object = {}): KubernetesObject {
  return {
    apiVersion: 'sealedvault.io/v1alpha1',
    kind: 'SealedVault',
    metadata: { name, namespace: VAULTS },
    spec: {
      hsm: {
        library: { path: '/usr/lib/softhsm/libsofthsm2.so' },
        slotFrom: { secretKeyRef: { name: 'hsm', key: 'slot' } },
        pinFrom: { secretKeyRef: { name: 'hsm', key: 'pin' } },
        keyLabel: 'root',
        ...hsm,
      },
      storage: { lmdb: { size: '1Gi' } },
      ...spec,
    },
  };
}
