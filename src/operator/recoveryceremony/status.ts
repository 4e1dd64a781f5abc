import { conditionOf, isoSeconds } from '../sealedvault/status.ts';
import type { Condition } from '../sealedvault/status-schema.ts';
import type { ActOutcome } from './acts/act.ts';
import { type Drafts, drafts } from './conditions.ts';
import { custodianStatus, deliveryOf } from './custodian-status.ts';
import { makesShares, type RecoveryCeremony } from './kind.ts';
import type { Note } from './note.ts';
import type { KeyFinding } from './people/keys.ts';
import type { Manifest } from './plan/manifest.ts';
import type { CeremonyPhase, CustodianStatus, EvidenceStatus, RecoveryCeremonyStatus } from './spec.ts';

/** How far a ceremony has come, for its status. */
export interface Progress {
  readonly phase: CeremonyPhase;
  readonly findings: readonly KeyFinding[];
  /** What is soon wrong with keys, by name. */
  readonly warnings: ReadonlyMap<string, string>;
  readonly manifest: Manifest | undefined;
  readonly digest: string | undefined;
  /** Approvals that count. */
  readonly consent: number;
  /** Undefined when the plan asks for no key test, or there is none yet. */
  readonly keyTest: { readonly answered: ReadonlySet<string>; readonly missing: Note } | undefined;
  /** What the act told, when it was tried. */
  readonly act: ActOutcome | undefined;
  readonly evidence: EvidenceStatus | undefined;
  /** Whether the engine has signed the last digest. */
  readonly sealed: boolean;
  readonly received: ReadonlyMap<string, 'Accepted' | 'Lost'>;
  /** What holds it up, or what it has reached. */
  readonly note: Note;
  readonly vaultUid: string | undefined;
}

/** The status of a ceremony; pure, and the same for the same progress. */
export function ceremonyStatus(
  ceremony: RecoveryCeremony,
  progress: Progress,
  now: number,
): RecoveryCeremonyStatus {
  const before = ceremony.status;
  const { phase, manifest, digest, act, evidence, vaultUid } = progress;
  const generation = ceremony.metadata.generation;
  const over = phase === 'Completed' || phase === 'Cancelled' || phase === 'Expired';
  const custodians = people(ceremony, manifest).map((name) => custodianStatus(name, progress, before));
  const root = rootTokenOf(ceremony, progress);
  const approvals = manifest?.approvals ?? ceremony.spec.approvals;
  return {
    phase,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    conditions: settled(drafts(ceremony, progress, custodians), before?.conditions, generation, now),
    ...present('manifestDigest', digest ?? before?.manifestDigest),
    ...present('nonce', act?.nonce ?? before?.nonce),
    ...present('progress', act?.progress ?? before?.progress),
    ...(approvals === undefined || manifest === undefined
      ? {}
      : { approvals: `${progress.consent}/${approvals.required}` }),
    custodians,
    ...(root === undefined ? {} : { rootToken: root }),
    ...(makesShares(ceremony) ? { delivered: deliveredOf(custodians) } : {}),
    ...present('generation', act?.generation ?? before?.generation),
    ...present('vaultUid', vaultUid),
    ...present('expiresAt', manifest?.expiresAt),
    ...present('evidence', evidence ?? before?.evidence),
    ...(over ? { completedAt: before?.completedAt ?? isoSeconds(now) } : {}),
  };
}

function settled(
  found: Drafts,
  before: readonly Condition[] | undefined,
  generation: number | undefined,
  now: number,
): Condition[] {
  return found.map((draft) => conditionOf(draft, before, generation, now));
}

function people({ spec, status }: RecoveryCeremony, manifest: Manifest | undefined): readonly string[] {
  const custodians = manifest?.custodians ?? (spec.custodians.length > 0 ? spec.custodians : undefined);
  return (custodians ?? status?.custodians ?? []).map(({ name }) => name);
}

function rootTokenOf(
  { spec, status }: RecoveryCeremony,
  { act }: Progress,
): RecoveryCeremonyStatus['rootToken'] {
  const holder = spec.type === 'GenerateRoot' ? spec.requester : spec.rootToken?.encryptTo;
  if (holder === undefined) return undefined;
  const message = act?.messages?.find(({ kind }) => kind === 'root-token');
  const before = status?.rootToken;
  const token = act?.token ?? before;
  return {
    custodian: holder,
    ...deliveryOf(message, act?.delivered, before),
    ...present('expiresAt', token?.expiresAt),
    ...present('state', token?.state),
  };
}

function deliveredOf(custodians: readonly CustodianStatus[]): string {
  return `${custodians.filter((each) => each.delivery === 'Delivered').length}/${custodians.length}`;
}

function present(name: string, value: unknown): object {
  return value === undefined ? {} : { [name]: value };
}
