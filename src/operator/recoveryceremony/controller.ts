import type { ControllerOptions } from '../options.ts';
import type {
  Controller,
  KubeObject,
  ObjectKey,
  ReconcileContext,
  ReconcileResult,
} from '../runtime/runtime.ts';
import { SEALED_VAULT } from '../sealedvault/kind.ts';
import { RECOVERY_CEREMONY, type RecoveryCeremony } from './kind.ts';
import { nextStep } from './recoveryceremony.ts';
import { CeremonyRun } from './run.ts';
import { ceremonyStatus } from './status.ts';
import type { CeremonyPhase, RecoveryCeremonyStatus } from './spec.ts';

const RETRY_MS = 2_000;
const FAILED_MS = 30_000;

/** Leads every RecoveryCeremony from its custodians' keys to their Secrets. */
export function createRecoveryCeremonyController(options: ControllerOptions): Controller {
  const byVault = new VaultIndex();
  return {
    name: 'recoveryceremony',
    primary: RECOVERY_CEREMONY,
    watches: [{ type: SEALED_VAULT, map: (vault) => byVault.keysOf(vault) }],
    concurrency: 4,
    deadlineMs: 120_000,
    reconcile: (key, context) => reconcile(key, options, context, byVault),
  };
}

async function reconcile(
  key: ObjectKey,
  options: ControllerOptions,
  context: ReconcileContext,
  byVault: VaultIndex,
): Promise<ReconcileResult> {
  const ceremony = context.cache.get<RecoveryCeremony>(RECOVERY_CEREMONY, key);
  if (ceremony === undefined) {
    byVault.forget(key);
    return {};
  }
  const run = await CeremonyRun.begin(ceremony, options, context);
  if (run.facts().finished) byVault.forget(key);
  else byVault.set(key, ceremony.spec.vaultRef.name);
  const report = (phase: CeremonyPhase): Promise<void> =>
    writeStatus(ceremony, ceremonyStatus(ceremony, run.progress(phase), context.clock.now()), context);
  for (;;) {
    const step = nextStep(run.facts());
    switch (step) {
      case 'stop':
        return {};
      case 'wait':
        await report(run.waitingPhase());
        return { requeueAfterMs: RETRY_MS };
      case 'fail':
        await report('Failed');
        return { requeueAfterMs: FAILED_MS };
      case 'commit':
        await report('Completed');
        // The event of this write brings the reconcile that takes the finalizer away.
        return { requeueAfterMs: RETRY_MS };
      case 'release':
        await run.perform(step);
        return {};
      case 'initialize':
      case 'deliver':
        if (isNews(run.waitingPhase(), ceremony.status?.phase)) await report(run.waitingPhase());
        await run.perform(step);
        break;
      case 'inspect-keys':
      case 'hold':
      case 'freeze':
        await run.perform(step);
    }
  }
}

// Only steps forward are told before they are done: what is tried again would otherwise be written at each try,
// and each write brings the next.
function isNews(phase: CeremonyPhase, before: CeremonyPhase | undefined): boolean {
  const order: readonly (CeremonyPhase | undefined)[] = [
    undefined,
    'Pending',
    'Preflight',
    'Initializing',
    'Delivering',
  ];
  return before !== 'Failed' && order.indexOf(phase) > order.indexOf(before);
}

async function writeStatus(
  ceremony: RecoveryCeremony,
  status: RecoveryCeremonyStatus,
  { api, events, signal }: ReconcileContext,
): Promise<void> {
  const { apiVersion, kind, metadata } = ceremony;
  const { name, namespace } = metadata;
  const object = {
    apiVersion,
    kind,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
    status,
  };
  if ((await api.applyStatus(RECOVERY_CEREMONY, object, signal)) === 'unchanged') return;
  for (const condition of status.conditions ?? []) {
    const before = ceremony.status?.conditions?.find(({ type }) => type === condition.type);
    if (condition.status === 'True' && before?.status !== 'True')
      events.record(ceremony, 'Normal', condition.reason, condition.message);
  }
  const committed = status.conditions?.find(({ type }) => type === 'Committed');
  if (status.phase === 'Failed' && ceremony.status?.phase !== 'Failed' && committed !== undefined)
    events.record(ceremony, 'Warning', committed.reason, committed.message);
}

/** Which unfinished ceremonies wait for which vault. */
class VaultIndex {
  readonly #vaults = new Map<string, { readonly key: ObjectKey; readonly vault: string }>();

  set(key: ObjectKey, vault: string): void {
    this.#vaults.set(`${key.namespace}/${key.name}`, { key, vault });
  }

  forget(key: ObjectKey): void {
    this.#vaults.delete(`${key.namespace}/${key.name}`);
  }

  keysOf({ metadata }: KubeObject): readonly ObjectKey[] {
    return [...this.#vaults.values()]
      .filter(({ key, vault }) => key.namespace === metadata.namespace && vault === metadata.name)
      .map(({ key }) => key);
  }
}
