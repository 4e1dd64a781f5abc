import type { Finding, Reason } from './finding.ts';
import type { SealedVault } from './kind.ts';
import type { EngineState } from './pods.ts';
import { isSameToken, type SealRecord } from './seal-record.ts';
import type { HsmSpec } from './spec.ts';

/** What is true of a vault's seal: whether it works now, whether a restart would, and how its key is kept. */
export function sealFindings(engine: EngineState | undefined): readonly Finding[] {
  return [...usability(engine), restart(engine), key(engine), people(engine)];
}

/** The engine's probe says how the HSM fares; before it was ever used, the warnings say what is wrong. */
function usability(engine: EngineState | undefined): readonly Finding[] {
  const both = (
    status: Finding['status'],
    seals: Reason,
    hsm: Reason,
    message: string,
  ): readonly Finding[] => [
    { type: 'SealHealthy', status, reason: seals, message },
    { type: 'HSMReachable', status, reason: hsm, message },
  ];
  if (engine === undefined)
    return both('Unknown', 'NotObserved', 'NotObserved', 'No engine of the vault answers.');
  const [warning] = engine.warnings;
  if (warning !== undefined) return both('False', 'HSMFailing', 'HSMFailing', sentence(warning) ?? '');
  if (engine.seal?.configured === true && !engine.seal.healthy)
    return both('False', 'HSMFailing', 'HSMFailing', 'The HSM does not do what the seal needs.');
  if (!engine.initialized)
    return both(
      'Unknown',
      'NotInitialized',
      'NotInitialized',
      'The HSM is first used by the initialization.',
    );
  if (engine.sealed)
    return both('Unknown', 'Sealed', 'Sealed', 'The vault is sealed and reports no problem.');
  return both('True', 'SealUsable', 'HSMUsed', 'The HSM wraps the root key.');
}

function restart(engine: EngineState | undefined): Finding {
  const type = 'NextRestartWouldFail';
  const unknown = (reason: Reason, message: string): Finding => ({
    type,
    status: 'Unknown',
    reason,
    message,
  });
  if (engine === undefined) return unknown('NotObserved', 'No engine of the vault answers.');
  const { seal } = engine;
  if (seal?.restartKnown !== true)
    return engine.sealed
      ? unknown('Sealed', 'A vault that is sealed does not rehearse its restart.')
      : unknown('NotObserved', 'The engine does not tell whether a restart would unseal it.');
  const failure = seal.restartFailure;
  if (failure === undefined)
    return {
      type,
      status: 'False',
      reason: 'RestartWorks',
      message: 'A new process would unseal the vault by itself.',
    };
  const why = sentence(failure.message) ?? '';
  return {
    type,
    status: 'True',
    reason: 'WouldNotUnseal',
    message:
      `Do not restart the pod: a new process could not unseal the vault (${failure.code}). ${why}`.trim(),
  };
}

function key(engine: EngineState | undefined): Finding {
  const type = 'SealKeyStrong';
  const found = engine?.seal?.key;
  if (found === undefined)
    return { type, status: 'Unknown', reason: 'NotObserved', message: 'The key was not seen yet.' };
  const warnings = found.warnings.join('; ');
  if (!found.strong) return { type, status: 'False', reason: 'KeyWeak', message: sentence(warnings) ?? '' };
  return {
    type,
    status: 'True',
    reason: 'KeyProtected',
    message: sentence(warnings) ?? 'The key cannot be read out of the HSM, and never could.',
  };
}

function people(engine: EngineState | undefined): Finding {
  const type = 'OpensWithoutHSM';
  if (engine?.seal === undefined)
    return { type, status: 'Unknown', reason: 'NotObserved', message: 'The seal was not seen yet.' };
  if (!engine.seal.breakGlass)
    return { type, status: 'False', reason: 'BreakGlassOff', message: 'The HSM alone opens the vault.' };
  const message =
    'The break-glass seal is on: a quorum of its custodians opens the vault, or a backup of it, without the HSM.';
  return { type, status: 'True', reason: 'BreakGlassOn', message };
}

/** Whether the vault is under the HSM of its specification. */
export function asSpecified({ spec }: SealedVault, { inForce, next }: SealRecord): Finding {
  const type = 'SealAsSpecified';
  if (next !== undefined)
    return {
      type,
      status: 'False',
      reason: 'SealMigrating',
      message: `A ceremony moves the vault to ${tokenOf(next.hsm)}; until it is over, the vault is under ${tokenOf(inForce)}.`,
    };
  if (isSameToken(spec.hsm, inForce))
    return {
      type,
      status: 'True',
      reason: 'SpecifiedHSM',
      message: 'The HSM of spec.hsm is the one of the pods.',
    };
  return {
    type,
    status: 'False',
    reason: 'SealMigrationNeeded',
    message: `spec.hsm names ${tokenOf(spec.hsm)}, and the vault is under ${tokenOf(inForce)}: a RecoveryCeremony of type SealMigration moves it. Nothing is changed until then.`,
  };
}

function tokenOf({ name, tokenLabel, serial, slotFrom }: HsmSpec): string {
  const where =
    tokenLabel ??
    (serial === undefined ? `the slot in Secret ${slotFrom?.secretKeyRef.name ?? ''}` : `serial ${serial}`);
  return name === undefined ? where : `${name} (${where})`;
}

/** A text of the engine as a sentence of bounded length. */
export function sentence(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  return `${text.charAt(0).toUpperCase()}${text.slice(1, 1000)}${/[.!?]$/.test(text) ? '' : '.'}`;
}
