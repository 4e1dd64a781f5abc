import type { KubeObject } from '../../runtime/runtime.ts';
import type { SealedVault } from '../kind.ts';
import { CONFIG_REVISION, namesOf, ownedMeta, PIN_REVISION, selectorLabels } from '../names.ts';
import { type PodInputs, podTemplate } from './pod.ts';

export interface StatefulSet extends KubeObject {
  readonly spec?: {
    readonly replicas?: number;
    readonly template?: { readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> } };
  };
  readonly status?: {
    readonly replicas?: number;
    readonly readyReplicas?: number;
    readonly updatedReplicas?: number;
    readonly currentRevision?: string;
    readonly updateRevision?: string;
    readonly observedGeneration?: number;
  };
}

/**
 * The pods of a vault.
 *
 * RollingUpdate and not OnDelete: one pod has no order to keep. Parallel, because with OrderedReady a pod that cannot
 * become ready (a wrong PIN) is never replaced by one that could.
 */
export function statefulSet(vault: SealedVault, inputs: PodInputs): StatefulSet {
  const key = { namespace: vault.metadata.namespace ?? '', name: vault.metadata.name };
  const { size, storageClassName } = vault.spec.storage.lmdb;
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: ownedMeta(vault, vault.metadata.name),
    spec: {
      replicas: vault.spec.replicas,
      serviceName: namesOf(key).headless,
      podManagementPolicy: 'Parallel',
      updateStrategy: { type: 'RollingUpdate' },
      revisionHistoryLimit: 5,
      // Deleting data is a decision of its own: deletion.ts.
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
      selector: { matchLabels: selectorLabels(key) },
      template: podTemplate(vault, inputs),
      volumeClaimTemplates: [
        {
          apiVersion: 'v1',
          kind: 'PersistentVolumeClaim',
          metadata: { name: 'data', labels: selectorLabels(key) },
          spec: {
            accessModes: ['ReadWriteOnce'],
            resources: { requests: { storage: size } },
            ...(storageClassName === undefined ? {} : { storageClassName }),
          },
        },
      ],
    },
  } as StatefulSet;
}

/** The revisions of slot and PIN, and of the configuration, that the running pods were made with. */
export function revisionsOf(live: StatefulSet | undefined): {
  readonly pin: string | undefined;
  readonly config: string | undefined;
} {
  const annotations = live?.spec?.template?.metadata?.annotations;
  return { pin: annotations?.[PIN_REVISION], config: annotations?.[CONFIG_REVISION] };
}
