import { DRILL_SCHEDULE } from '../drillschedule/kind.ts';
import { scheduleOf } from '../drillschedule/drillschedule.ts';
import { RECOVERY_CEREMONY, type RecoveryCeremony } from '../recoveryceremony/kind.ts';
import { isOver } from '../recoveryceremony/note.ts';
import type { Cache, KubeObject, ObjectKey, WatchSpec } from '../runtime/runtime.ts';
import type { SealedVault } from '../sealedvault/kind.ts';
import type { PodState } from '../sealedvault/pods.ts';
import { type Readiness, readiness } from './recovery.ts';

/** @returns how well the recovery key of a vault is kept; undefined when no engine told who has its shares or has none */
export function observeRecovery(
  { metadata, spec }: SealedVault,
  pods: readonly PodState[],
  cache: Cache,
  now: number,
): Readiness | undefined {
  const told = pods.map(({ engine }) => engine?.recovery).find((each) => each !== undefined);
  if (told === undefined) return undefined;
  const namespace = metadata.namespace ?? '';
  return readiness({
    shares: told.shares,
    ceremonies: cache
      .list<RecoveryCeremony>(RECOVERY_CEREMONY, namespace)
      .filter((each) => each.spec.vaultRef.name === metadata.name)
      // A vault of the same name that is gone had other shares.
      .filter(({ status }) => status?.vaultUid === undefined || status.vaultUid === metadata.uid),
    schedule: scheduleOf(cache, namespace, metadata.name),
    wanted: spec.recovery?.custodians,
    now,
  });
}

/** Whether the ceremony of a uid is there and not over. */
export function goesOn(uid: string, { metadata }: SealedVault, cache: Cache): boolean {
  return cache
    .list<RecoveryCeremony>(RECOVERY_CEREMONY, metadata.namespace ?? '')
    .some((each) => each.metadata.uid === uid && !isOver(each));
}

/** What changes how well a recovery key is kept. */
export const recoveryWatches: readonly WatchSpec[] = [RECOVERY_CEREMONY, DRILL_SCHEDULE].map((type) => ({
  type,
  map: vaultOf,
}));

function vaultOf(object: KubeObject): readonly ObjectKey[] {
  const { metadata, spec } = object as KubeObject & { readonly spec: { vaultRef: { name: string } } };
  return [{ namespace: metadata.namespace ?? '', name: spec.vaultRef.name }];
}
