import type { ControllerOptions } from '../options.ts';
import type {
  Controller,
  KubeObject,
  ObjectKey,
  ReconcileContext,
  ReconcileResult,
} from '../runtime/runtime.ts';
import { SEALED_VAULT } from '../sealedvault/kind.ts';
import { CEREMONY_APPROVAL } from './approvals/kind.ts';
import { RECOVERY_CEREMONY, type RecoveryCeremony } from './kind.ts';
import { SHARE_RECEIPT } from './receipts/kind.ts';
import { nextStep } from './recoveryceremony.ts';
import { CeremonyRun } from './run.ts';
import { ceremonyStatus } from './status.ts';
import type { CeremonyPhase } from './spec.ts';
import { tend } from './tend.ts';
import { VaultIndex } from './vault-index.ts';
import { writeStatus } from './write-status.ts';

const RETRY_MS = 2_000;
const FAILED_MS = 30_000;

/** Leads every RecoveryCeremony from its people's keys to its evidence. */
export function createRecoveryCeremonyController(options: ControllerOptions): Controller {
  const byVault = new VaultIndex();
  return {
    name: 'recoveryceremony',
    primary: RECOVERY_CEREMONY,
    watches: [
      { type: SEALED_VAULT, map: (vault) => byVault.keysOf(vault) },
      { type: CEREMONY_APPROVAL, map: ceremonyOf },
      { type: SHARE_RECEIPT, map: ceremonyOf },
    ],
    concurrency: 4,
    deadlineMs: 120_000,
    reconcile: (key, context) => reconcile(key, options, context, byVault),
  };
}

function ceremonyOf(object: KubeObject): readonly ObjectKey[] {
  const { metadata, spec } = object as KubeObject & { readonly spec: { ceremonyRef: { name: string } } };
  return [{ namespace: metadata.namespace ?? '', name: spec.ceremonyRef.name }];
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
  if (run.finished()) byVault.forget(key);
  else byVault.set(key, ceremony.spec.vaultRef.name);
  await run.store();
  const report = async (phase: CeremonyPhase): Promise<void> => {
    // A status tells the head of the evidence, so that goes first.
    await run.store();
    await writeStatus(ceremony, ceremonyStatus(ceremony, run.progress(phase), context.clock.now()), context);
  };
  for (;;) {
    const step = nextStep(run.facts());
    switch (step) {
      case 'stop':
        return run.finished() ? tend(run, report) : {};
      case 'wait':
        await report(run.waitingPhase());
        return { requeueAfterMs: RETRY_MS };
      case 'fail':
        await run.fail();
        await report('Failed');
        return { requeueAfterMs: FAILED_MS };
      case 'complete':
      case 'end':
        await run.perform(step);
        await report(step === 'complete' ? 'Completed' : endOf(run));
        // The event of this write brings the reconcile that takes the finalizer away.
        return { requeueAfterMs: RETRY_MS };
      case 'release':
        await run.perform(step);
        return {};
      case 'act':
        if (isNews(run.waitingPhase(), ceremony.status?.phase)) await report(run.waitingPhase());
        await run.perform(step);
        break;
      case 'inspect-keys':
      case 'hold':
      case 'freeze':
      case 'test-keys':
      case 'recheck-keys':
      case 'start':
        await run.perform(step);
    }
  }
}

function endOf(run: CeremonyRun): CeremonyPhase {
  return run.ending() === 'expire' ? 'Expired' : 'Cancelled';
}

// Only the step into the act is told before it is done: what is tried again would otherwise be written at each try,
// and each write brings the next.
function isNews(phase: CeremonyPhase, before: CeremonyPhase | undefined): boolean {
  const early: readonly (CeremonyPhase | undefined)[] = [
    undefined,
    'Pending',
    'Preflight',
    'AwaitingApproval',
    'TestingKeys',
  ];
  return early.includes(before) && !early.includes(phase);
}
