import { activePod, bestEngine, findings } from './conditions.ts';
import type { Finding } from './finding.ts';
import type { SealedVault } from './kind.ts';
import { selectorText } from './names.ts';
import type { Observed } from './sealedvault.ts';
import type { Condition, Phase, SealedVaultStatus } from './status-schema.ts';

/** The status of a vault; the same observation gives the same status, so that nothing is written twice. */
export function statusOf(
  vault: SealedVault,
  observed: Observed,
  now: number,
  operatorNamespace: string,
): SealedVaultStatus {
  const before = vault.status;
  const engine = bestEngine(observed);
  const wasInitialized = before?.initialized === true;
  const found = [
    ...findings(vault, observed, wasInitialized, now, operatorNamespace),
    ...recoveryFinding(observed, before),
  ];
  const recovery = observed.recovery === undefined ? before?.recovery : observed.recovery.recovery;
  const { tls, statefulSet } = observed;
  const active = activePod(observed);
  const version = engine?.version || before?.version;
  const sealType = engine?.sealType ?? before?.sealType;
  const generation = vault.metadata.generation;
  const key = { namespace: vault.metadata.namespace ?? '', name: vault.metadata.name };
  return {
    phase: phaseOf(found, wasInitialized),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    conditions: found.map((finding) => conditionOf(finding, before?.conditions, generation, now)),
    initialized: wasInitialized || engine?.initialized === true,
    ...(engine === undefined ? {} : { sealed: engine.sealed }),
    ...(active === undefined ? {} : { activePod: active }),
    ...(sealType === undefined ? {} : { sealType }),
    ...(version === undefined ? {} : { version }),
    ...moment('certificateExpires', tls.ok ? tls.certificateExpires : undefined),
    ...moment('authorityExpires', tls.ok ? tls.authorityExpires : undefined),
    replicas: statefulSet?.status?.replicas ?? 0,
    readyReplicas: statefulSet?.status?.readyReplicas ?? 0,
    selector: selectorText(key),
    ...(recovery === undefined ? {} : { recovery }),
  };
}

// While no engine tells who has the shares, what was last known of them stays.
function recoveryFinding(
  { recovery }: Observed,
  before: SealedVaultStatus | undefined,
): readonly Pick<Condition, 'type' | 'status' | 'reason' | 'message'>[] {
  const type = 'RecoveryReady';
  if (recovery !== undefined) {
    const { status, reason, message } = recovery;
    return [{ type, status, reason, message }];
  }
  const last = before?.conditions?.find((each) => each.type === type);
  return last === undefined ? [] : [last];
}

/** The status of a vault that is going away. */
export function deletingStatus(vault: SealedVault): SealedVaultStatus {
  return { ...vault.status, phase: 'Deleting' };
}

/** The condition that a finding becomes: its time of transition moves only when its status does. */
export function conditionOf(
  finding: Omit<Condition, 'lastTransitionTime' | 'observedGeneration'>,
  before: readonly Condition[] | undefined,
  generation: number | undefined,
  now: number,
): Condition {
  const last = before?.find(({ type }) => type === finding.type);
  return {
    type: finding.type,
    status: finding.status,
    reason: finding.reason,
    message: finding.message,
    lastTransitionTime: last?.status === finding.status ? last.lastTransitionTime : isoSeconds(now),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
  };
}

/** A moment as Kubernetes writes it: whole seconds. */
export function isoSeconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');
}

function phaseOf(
  found: readonly Pick<Condition, 'type' | 'status' | 'reason'>[],
  wasInitialized: boolean,
): Phase {
  const by = (type: Finding['type']): Pick<Condition, 'status' | 'reason'> | undefined =>
    found.find((each) => each.type === type);
  const ready = by('Ready');
  if (ready?.status === 'True') {
    const troubled = (['SealHealthy', 'TLSReady', 'CredentialsAvailable'] as const).some(
      (type) => by(type)?.status === 'False',
    );
    return troubled || by('NextRestartWouldFail')?.status === 'True' ? 'Degraded' : 'Ready';
  }
  if (ready?.reason === 'NotInitialized') return 'Uninitialized';
  if (ready?.reason === 'Sealed') return 'Sealed';
  return ready?.reason === 'Unreachable' && wasInitialized ? 'Degraded' : 'Pending';
}

function moment(name: string, date: Date | undefined): object {
  return date === undefined ? {} : { [name]: isoSeconds(date.getTime()) };
}

/** What a person should hear of: conditions whose status or reason changed. */
export function transitions(
  before: SealedVaultStatus | undefined,
  after: SealedVaultStatus,
): readonly { readonly type: 'Normal' | 'Warning'; readonly reason: string; readonly message: string }[] {
  return (after.conditions ?? []).flatMap((condition) => {
    const last = before?.conditions?.find(({ type }) => type === condition.type);
    if (last?.status === condition.status && last.reason === condition.reason) return [];
    // Not knowing is no news, and each of these says what Ready says in other words.
    if (condition.status === 'Unknown' || condition.type === 'Unsealed' || condition.type === 'Progressing')
      return [];
    if (condition.type === 'HSMReachable' && last === undefined && condition.status === 'True') return [];
    const badWhenTrue = condition.type === 'NextRestartWouldFail' || condition.type === 'OpensWithoutHSM';
    const quiet = badWhenTrue || condition.type === 'SealKeyStrong' || condition.type === 'SealAsSpecified';
    const bad = badWhenTrue ? 'True' : 'False';
    if (quiet && condition.status !== bad && (last === undefined || last.status === 'Unknown')) return [];
    const warning =
      condition.status === bad &&
      !['NotInitialized', 'PodsPending', 'ScaledToZero'].includes(condition.reason);
    return [
      {
        type: warning ? ('Warning' as const) : ('Normal' as const),
        reason: condition.reason,
        message: condition.message,
      },
    ];
  });
}
