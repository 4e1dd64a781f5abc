import type { KubeObject } from '../../runtime/runtime.ts';
import { RECOVERY_CEREMONY, type RecoveryCeremony } from '../kind.ts';
import { CEREMONY_LABEL, ceremonyLabels } from '../labels.ts';
import { type Manifest, manifestText, parseManifest } from './manifest.ts';

/** A ConfigMap as far as ceremonies read it. */
export type Data = KubeObject & { readonly data?: Readonly<Record<string, string>> };

/** The name of the ConfigMap that holds the frozen plan. */
export function manifestName(ceremony: RecoveryCeremony): string {
  return `${ceremony.metadata.name}-manifest`;
}

/** The ConfigMap of a frozen plan: it cannot be changed, and goes with the ceremony. */
export function manifestObject(ceremony: RecoveryCeremony, manifest: Manifest): KubeObject {
  return {
    ...ownedMap(ceremony, manifestName(ceremony), { 'manifest.json': manifestText(manifest) }),
    immutable: true,
  } as KubeObject;
}

/** A ConfigMap that goes with the ceremony. */
export function ownedMap(
  ceremony: RecoveryCeremony,
  mapName: string,
  data: Readonly<Record<string, string>>,
): Data {
  const { name, namespace, uid } = ceremony.metadata;
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: mapName,
      ...(namespace === undefined ? {} : { namespace }),
      labels: ceremonyLabels(ceremony),
      ownerReferences: [
        {
          apiVersion: RECOVERY_CEREMONY.apiVersion,
          kind: RECOVERY_CEREMONY.kind,
          name,
          uid: uid ?? '',
          controller: true,
        },
      ],
    },
    data,
  };
}

/** @returns the plan of this very ceremony; undefined when the object is another's or not one */
export function readManifest(ceremony: RecoveryCeremony, object: Data | undefined): Manifest | undefined {
  const text = object?.data?.['manifest.json'];
  if (!isOwned(ceremony, object) || text === undefined) return undefined;
  const manifest = parseManifest(text);
  return manifest?.ceremony.uid === ceremony.metadata.uid ? manifest : undefined;
}

/**
 * Whether an object belongs to this very ceremony, and not to one of the same name. The label counts as well: the chart's
 * admission policies let nobody but the operator write what has it.
 */
export function isOwned(ceremony: RecoveryCeremony, object: KubeObject | undefined): boolean {
  const { labels, ownerReferences } = object?.metadata ?? {};
  const ours = ceremonyLabels(ceremony)[CEREMONY_LABEL];
  return (
    labels?.[CEREMONY_LABEL] === ours &&
    ownerReferences?.some(({ uid }) => uid === ceremony.metadata.uid) === true
  );
}
