import type { HsmParts } from './hsm.ts';

interface Volume {
  readonly name: string;
  readonly persistentVolumeClaim?: { readonly claimName: string; readonly readOnly?: boolean };
}

/**
 * What of two HSMs goes into one pod. A claim that both use is one volume: a kubelet waits for ever for the second of two
 * volumes of one claim (kubernetes/kubernetes#28502).
 */
export function sideBySide(first: HsmParts, second: HsmParts): readonly [HsmParts, HsmParts] {
  const names = new Map<string, string>();
  const writable = new Set<string>();
  const mine = first.volumes as readonly Volume[];
  const theirs = second.volumes as readonly Volume[];
  for (const { name, persistentVolumeClaim: claim } of theirs) {
    const same = mine.find((each) => claim !== undefined && claimOf(each) === claim.claimName);
    if (same === undefined) continue;
    names.set(name, same.name);
    if (claim?.readOnly !== true) writable.add(same.name);
  }
  const renamed = <T extends object>(mounts: readonly T[]): readonly T[] =>
    mounts.map((mount) => ({ ...mount, name: names.get(nameOf(mount)) ?? nameOf(mount) }));
  return [
    { ...first, volumes: mine.map((each) => (writable.has(each.name) ? forWriting(each) : each)) },
    {
      ...second,
      mounts: renamed(second.mounts),
      volumes: theirs.filter(({ name }) => !names.has(name)),
      before: second.before.map((container) => {
        const { volumeMounts } = container as { readonly volumeMounts: readonly object[] };
        return { ...container, volumeMounts: renamed(volumeMounts) };
      }),
    },
  ];
}

function claimOf({ persistentVolumeClaim }: Volume): string | undefined {
  return persistentVolumeClaim?.claimName;
}

// Whether a container may write is said by its mount.
function forWriting({ persistentVolumeClaim: claim, ...rest }: Volume): Volume {
  return claim === undefined ? rest : { ...rest, persistentVolumeClaim: { claimName: claim.claimName } };
}

function nameOf(mount: object): string {
  return (mount as { readonly name: string }).name;
}
