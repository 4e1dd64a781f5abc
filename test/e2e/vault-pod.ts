import { names, namespaces, type Progressing } from '../../deploy/demo/names.ts';
import type { KubernetesObject } from '../support/cluster/api.ts';
import { until } from '../support/cluster/command.ts';
import { processesOf } from '../support/cluster/containers.ts';
import type { Kubectl } from '../support/cluster/kubectl.ts';

export interface ContainerStatus {
  readonly name: string;
  readonly containerID: string;
  readonly restartCount: number;
  readonly ready: boolean;
}

export interface Container {
  readonly name: string;
  readonly env?: {
    readonly name: string;
    readonly valueFrom?: { readonly secretKeyRef?: { readonly name: string } };
  }[];
}

export interface Pod extends KubernetesObject {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly spec: {
    readonly containers: Container[];
    readonly initContainers?: Container[];
    readonly volumes?: object[];
  };
  readonly status: {
    readonly containerStatuses: ContainerStatus[];
    readonly initContainerStatuses?: ContainerStatus[];
    readonly conditions: { readonly type: string; readonly status: string }[];
  };
}

export const agentOf = (found: Pod): ContainerStatus | undefined => found.status.initContainerStatuses?.[0];
export const engineOf = (found: Pod): ContainerStatus | undefined => found.status.containerStatuses[0];

/** The pod of the demo's vault, and what can be done to it. */
export class VaultPod {
  readonly name: string = `${names.vault}-0`;
  readonly #kubectl: Kubectl;

  constructor(kubectl: Kubectl) {
    this.#kubectl = kubectl;
  }

  async get(): Promise<Pod> {
    const found = await this.#kubectl.get<Pod>(namespaces.vault, `pod/${this.name}`);
    if (found === undefined) throw new Error(`${this.name} is not there`);
    return found;
  }

  /** Ends every process of a container at once and waits until it was started again and the pod is ready. */
  async killContainer(which: (found: Pod) => ContainerStatus | undefined): Promise<Pod> {
    const before = which(await this.get());
    const processes = before === undefined ? [] : processesOf(before.containerID);
    if (before === undefined || processes.length === 0)
      throw new Error('no such container, or no process in it');
    for (const process_ of processes) process.kill(process_, 'SIGKILL');
    return until(`${before.name} started again`, 120_000, async () => {
      const now = await this.get();
      const ready = now.status.conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
      return ready && (which(now)?.restartCount ?? 0) > before.restartCount ? now : undefined;
    });
  }

  /** Waits until the HSM agent was started anew. */
  async agentAfter(restarts: number): Promise<Pod> {
    return until('an HSM agent that was started anew', 120_000, async () => {
      const now = await this.get();
      return (agentOf(now)?.restartCount ?? 0) > restarts ? now : undefined;
    });
  }

  /** Waits for the vault's condition NextRestartWouldFail. */
  async outlook(wanted: 'True' | 'False'): Promise<Progressing> {
    return until(`NextRestartWouldFail ${wanted}`, 180_000, async () => {
      const found = await this.#kubectl.get<Progressing>(namespaces.vault, `sealedvault/${names.vault}`);
      const told = found?.status?.conditions?.find(({ type }) => type === 'NextRestartWouldFail');
      return told?.status === wanted ? found : undefined;
    });
  }

  /** Changes the vault's specification. */
  async change(spec: object): Promise<void> {
    const patch = JSON.stringify({ spec });
    const what = ['patch', `sealedvault/${names.vault}`, '--type=merge', `--patch=${patch}`];
    await this.#kubectl.run(['--namespace', namespaces.vault, ...what]);
  }
}

/** Where p11KitServer listens, on the volume of the tokens. */
export const P11_KIT_SOCKET = '/var/lib/hsm/p11.sock';

/** A pod that serves the SoftHSM tokens of softhsm.yaml by p11-kit. */
export function p11KitServer(image: string): KubernetesObject {
  const library = '/usr/lib/softhsm/libsofthsm2.so';
  const server = ['p11-kit', 'server', '--foreground', '--provider', library, '--name', P11_KIT_SOCKET];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p11-kit', namespace: namespaces.vault },
    spec: {
      automountServiceAccountToken: false,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 10_001,
        runAsGroup: 10_001,
        fsGroup: 10_001,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [
        {
          name: 'server',
          image,
          command: [...server, 'pkcs11:'],
          env: [{ name: 'SOFTHSM2_CONF', value: '/etc/softhsm/softhsm2.conf' }],
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
          volumeMounts: [
            { name: 'tokens', mountPath: '/var/lib/hsm' },
            { name: 'config', mountPath: '/etc/softhsm' },
          ],
        },
      ],
      volumes: [
        { name: 'tokens', persistentVolumeClaim: { claimName: 'softhsm-tokens' } },
        { name: 'config', configMap: { name: 'softhsm-config' } },
      ],
    },
  } as KubernetesObject;
}
