import { conditionOf, isoSeconds } from '../sealedvault/status.ts';
import type { KeyFinding } from './custodians.ts';
import type { RecoveryCeremony } from './kind.ts';
import type { Message } from './messages.ts';
import type { FrozenRequest } from './request.ts';
import type { CeremonyPhase, CustodianStatus, Delivery, RecoveryCeremonyStatus } from './spec.ts';

/** Why a ceremony is where it is. */
export type CeremonyReason =
  | 'AwaitingPreflight'
  | 'Committed'
  | 'Delivered'
  | 'EngineAnswerUnusable'
  | 'KeysAccepted'
  | 'KeysRefused'
  | 'NotPermitted'
  | 'Refused'
  | 'SealNotUsable'
  | 'SecretConflict'
  | 'SharesGenerated'
  | 'VaultAlreadyInitialized'
  | 'VaultNotFound'
  | 'VaultNotReachable'
  | 'VaultSealed'
  | 'WritingSecrets';

export interface Note {
  readonly reason: CeremonyReason;
  readonly message: string;
}

/** How far a ceremony has come, for its status. */
export interface Progress {
  readonly phase: CeremonyPhase;
  readonly findings: readonly KeyFinding[];
  readonly request: FrozenRequest | undefined;
  readonly messages: readonly Message[];
  /** Names of Secrets that are durable. */
  readonly delivered: ReadonlySet<string>;
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
  const { phase, note, request, messages, delivered, vaultUid } = progress;
  const generation = ceremony.metadata.generation;
  const complete = phase === 'Completed';
  const reached = (type: string): boolean =>
    before?.conditions?.some((each) => each.type === type && each.status === 'True') === true;
  // What was once generated stays so, although this look could not see it.
  const generated = messages.length > 0 || reached('SharesGenerated');
  const all = messages.length > 0 && messages.every(({ secretName }) => delivered.has(secretName));
  const condition = (type: string, met: boolean, yes: Note): RecoveryCeremonyStatus['conditions'] => [
    conditionOf(
      met ? { type, status: 'True', ...yes } : { type, status: 'False', ...note },
      before?.conditions,
      generation,
      now,
    ),
  ];
  const root = messages.find(({ kind }) => kind === 'root-token');
  const holder = ceremony.spec.rootToken.encryptTo;
  const custodians = ceremony.spec.custodians.map(({ name }) =>
    custodianStatus(
      name,
      progress,
      before?.custodians?.find((each) => each.name === name),
    ),
  );
  return {
    phase,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    conditions: [
      ...(condition('PreflightPassed', request !== undefined, {
        reason: 'KeysAccepted',
        message: 'Every custodian has a key that a share can be encrypted to.',
      }) ?? []),
      ...(condition('SharesGenerated', generated, {
        reason: 'SharesGenerated',
        message: 'The vault is initialized and gave out its encrypted shares.',
      }) ?? []),
      ...(condition('Delivered', all, {
        reason: 'Delivered',
        message: 'Every share is in the Secret of its custodian.',
      }) ?? []),
      ...(condition('Committed', complete, { reason: 'Committed', message: 'The ceremony is complete.' }) ??
        []),
    ],
    custodians,
    ...(holder === undefined
      ? {}
      : { rootToken: { custodian: holder, ...delivery(root, delivered, before?.rootToken) } }),
    delivered: `${custodians.filter((each) => each.delivery === 'Delivered').length}/${custodians.length}`,
    ...(vaultUid === undefined ? {} : { vaultUid }),
    ...(complete ? { completedAt: before?.completedAt ?? isoSeconds(now) } : {}),
  };
}

function custodianStatus(
  name: string,
  { findings, request, messages, delivered }: Progress,
  before: CustodianStatus | undefined,
): CustodianStatus {
  const frozen = request?.custodians.find((each) => each.name === name);
  const finding = findings.find((each) => each.name === name);
  const message = messages.find((each) => each.kind === 'share' && each.custodian.name === name);
  const expires = frozen?.expires ?? finding?.key?.expires?.toISOString();
  return {
    name,
    ...present('fingerprint', frozen?.fingerprint ?? finding?.key?.fingerprint),
    ...present('encryptionKey', frozen?.encryptionKey ?? finding?.key?.encryptionKeyFingerprint),
    ...present('algorithm', frozen?.algorithm ?? finding?.key?.algorithm),
    ...present('expires', expires === undefined ? undefined : isoSeconds(Date.parse(expires))),
    ...present('problem', finding?.problem),
    ...delivery(message, delivered, before),
  };
}

function delivery(
  message: Message | undefined,
  delivered: ReadonlySet<string>,
  before: Delivery | undefined,
): Delivery {
  if (message === undefined) {
    const { delivery: state = 'Pending', secretName, sha256 } = before ?? {};
    return { delivery: state, ...present('secretName', secretName), ...present('sha256', sha256) };
  }
  const { secretName, sha256 } = message;
  return { delivery: delivered.has(secretName) ? 'Delivered' : 'Pending', secretName, sha256 };
}

function present(name: string, value: string | undefined): object {
  return value === undefined ? {} : { [name]: value };
}
