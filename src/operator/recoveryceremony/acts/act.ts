import type { VaultApi } from '../../../client/factory.ts';
import type { CeremonyReason, Note } from '../note.ts';
import type { ReconcileContext } from '../../runtime/runtime.ts';
import type { SealRecord } from '../../sealedvault/seal-record.ts';
import type { Evidence } from '../evidence/evidence.ts';
import type { RecoveryCeremony } from '../kind.ts';
import type { Message } from '../messages.ts';
import type { Manifest } from '../plan/manifest.ts';
import type { Prover } from '../receipts/judge.ts';
import type { CeremonyPhase, RootTokenStatus } from '../spec.ts';
import { VaultClientError } from '../../../client/errors.ts';

/**
 * What a type of ceremony does once there is consent. An act is tried again and again until it is done: each time it
 * looks at what the engine and the cluster say, does what can be done, and tells how far it is.
 *
 * C1  Every call to the engine carries the ceremony's uid and asks what the plan says, so that a repeated one does
 *     nothing twice.
 * C2  What cannot be reached is waited for, with the reason; nothing is given up for it.
 * C3  An act that is to end ends only while nothing has come of it: what is in force stays, and is delivered.
 */
export interface ActInput {
  readonly ceremony: RecoveryCeremony;
  readonly manifest: Manifest;
  readonly digest: string;
  readonly evidence: Evidence;
  readonly context: ReconcileContext;
  /** A client of the vault; undefined while no pod can be reached. */
  readonly client: () => Promise<VaultApi | undefined>;
  readonly ending: Ending;
  /** Changes under which HSM the vault is, or is moved to; undefined when there is no vault. */
  readonly changeSeal: (change: (record: SealRecord) => SealRecord) => Promise<SealRecord | undefined>;
  /** Judges the receipts that came, by a prover, and what was sent. */
  readonly judgeReceipts: (prove: Prover, sent: ReadonlyMap<string, string>) => Promise<void>;
}

export type Ending = 'no' | 'cancel' | 'expire' | 'delete';

export interface ActOutcome {
  readonly state: 'waiting' | 'failed' | 'ended' | 'done';
  /** While it waits. */
  readonly phase: CeremonyPhase;
  readonly note: Note;
  readonly nonce?: string;
  readonly progress?: string;
  readonly messages?: readonly Message[];
  /** Names of Secrets that are durable. */
  readonly delivered?: ReadonlySet<string>;
  /** The new shares exist. */
  readonly generated?: boolean;
  readonly generation?: number | undefined;
  readonly proven?: ReadonlySet<string>;
  readonly token?: Pick<RootTokenStatus, 'expiresAt' | 'state'>;
  readonly interrupted?: boolean;
  /** Both HSMs proved themselves. */
  readonly sealsProven?: boolean;
}

/** An act that waits for a reason. */
export function waiting(phase: CeremonyPhase, reason: CeremonyReason, message: string): ActOutcome {
  return { state: 'waiting', phase, note: { reason, message } };
}

/** The outcome of an act that stumbled over an engine that cannot be asked. @throws what is something else */
export function unreachable(error: unknown, phase: CeremonyPhase): ActOutcome {
  if (!(error instanceof VaultClientError)) throw error;
  return waiting(phase, 'VaultNotReachable', `The vault was asked: ${error.message}.`);
}

/** The outcome of an act that the engine refused for now. */
export function refused(status: number, message: string, phase: CeremonyPhase): ActOutcome {
  if (status === 403)
    return waiting(phase, 'NotPermitted', 'The vault does not know the operator’s certificate yet.');
  if (status === 503)
    return waiting(phase, 'VaultSealed', 'The vault is sealed; the ceremony goes on when it is not.');
  if (status === 409) return waiting(phase, 'AnotherCeremony', `The vault is busy: ${message}.`);
  if (status >= 500) return waiting(phase, 'SealNotUsable', `The vault cannot do it now: ${message}.`);
  return { state: 'failed', phase, note: { reason: 'Refused', message: `The vault refused: ${message}.` } };
}
