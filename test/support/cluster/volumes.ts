import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ApiClient } from './api.ts';

/** Name of the default StorageClass. */
export const storageClass = 'local';

/**
 * Offers folders of this machine as PersistentVolumes. They are of the `local` kind,
 * for which the kubelet applies a pod's fsGroup: a hostPath volume would stay root's.
 * @param api The API server.
 * @param dir Folder to make them in.
 * @param node Name of the node.
 * @param count How many.
 */
export async function offerVolumes(api: ApiClient, dir: string, node: string, count = 24): Promise<void> {
  await api.apply(`/apis/storage.k8s.io/v1/storageclasses/${storageClass}`, {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: {
      name: storageClass,
      annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' },
    } as { name: string },
    provisioner: 'kubernetes.io/no-provisioner',
    volumeBindingMode: 'WaitForFirstConsumer',
  });
  const offers = Array.from({ length: count }, async (_, index) => {
    const name = `local-${String(index).padStart(2, '0')}`;
    const path = join(dir, name);
    mkdirSync(path, { recursive: true, mode: 0o755 });
    await api.apply(`/api/v1/persistentvolumes/${name}`, {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name },
      spec: {
        capacity: { storage: '10Gi' },
        accessModes: ['ReadWriteOnce', 'ReadWriteMany'],
        persistentVolumeReclaimPolicy: 'Retain',
        storageClassName: storageClass,
        local: { path },
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [
              { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] },
            ],
          },
        },
      },
    });
  });
  await Promise.all(offers);
}
