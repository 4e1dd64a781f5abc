import { makesShares, type RecoveryCeremony, testsKeys } from './kind.ts';
import type { Note } from './note.ts';
import type { CustodianStatus } from './spec.ts';
import type { Progress } from './status.ts';

/** Conditions as they are decided, in the order in which a ceremony reaches them. */
export type Drafts = readonly {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}[];

/** What a ceremony has reached and what it has not, by its type; a step that is reached stays so. */
export function drafts(
  ceremony: RecoveryCeremony,
  progress: Progress,
  custodians: readonly CustodianStatus[],
): Drafts {
  const { type } = ceremony.spec;
  const { note, phase, act, manifest, keyTest } = progress;
  const reached = (name: string): boolean =>
    ceremony.status?.conditions?.some((each) => each.type === name && each.status === 'True') === true;
  const step = (name: string, met: boolean, reason: string, message: string, why = note): Drafts => {
    const old = ceremony.status?.conditions?.find((each) => each.type === name);
    if (met) return [{ type: name, status: 'True', reason, message }];
    if (old?.status === 'True') return [{ ...old, status: 'True' }];
    return [{ type: name, status: 'False', ...why }];
  };
  const all = (flag: (each: CustodianStatus) => boolean): boolean =>
    custodians.length > 0 && custodians.every(flag);
  const shares = makesShares(ceremony);
  const proves = type === 'Drill' || (shares && type !== 'Initialize');
  // A plan of before key tests asks for none.
  const tested = manifest === undefined ? testsKeys(ceremony) : keyTest !== undefined;
  const done = act?.state === 'done' || phase === 'Completed';
  const messages = act?.messages ?? [];
  const delivered =
    messages.length > 0 && messages.every(({ secretName }) => act?.delivered?.has(secretName) === true);
  return [
    // Keys are looked at once: what was said of them then stays.
    ...step(
      'PreflightPassed',
      manifest !== undefined && !reached('PreflightPassed'),
      'KeysAccepted',
      preflightWords(progress),
    ),
    ...(ceremony.spec.approvals === undefined
      ? []
      : step('Approved', isApproved(progress), 'Approved', 'Enough approvers signed the plan.')),
    ...(tested
      ? step(
          'KeysTested',
          all(({ keyTest: answer }) => answer === 'Answered'),
          'KeysTested',
          'Every custodian decrypted a test message and signed the answer.',
          ['AwaitingApproval', 'TestingKeys'].includes(phase) ? keyTest?.missing : note,
        )
      : []),
    ...(shares
      ? step(
          'SharesGenerated',
          act?.generated === true || reached('SharesGenerated'),
          'SharesGenerated',
          type === 'Initialize'
            ? 'The vault is initialized and gave out its encrypted shares.'
            : 'The vault made new shares and gave them out encrypted.',
        )
      : []),
    ...(type === 'SealMigration'
      ? step(
          'SealsProven',
          act?.sealsProven === true,
          'SealsProven',
          'Both HSMs did what the vault needs of them.',
        )
      : []),
    ...(!shares && type !== 'GenerateRoot'
      ? []
      : step(
          'Delivered',
          delivered,
          'Delivered',
          shares
            ? 'Every share is in the Secret of its custodian.'
            : 'The root token is in a Secret, encrypted to the requester.',
        )),
    ...(proves
      ? step(
          'Verified',
          all(({ proven }) => proven === true),
          'Verified',
          'Every custodian proved to have their share.',
        )
      : []),
    ...step('Committed', done, 'Committed', 'The ceremony is complete.'),
    ...sealedDraft(progress),
    ...occurred(ceremony, progress),
  ];
}

function preflightWords({ warnings }: Progress): string {
  const good = 'Every person has a key that can be used.';
  if (warnings.size === 0) return good;
  return `${good} But ${[...warnings].map(([name, words]) => `${name}: ${words}`).join('; ')}.`;
}

function isApproved({ manifest, consent }: Progress): boolean {
  return manifest?.approvals !== undefined && consent >= manifest.approvals.required;
}

function sealedDraft({ phase, sealed, evidence }: Progress): Drafts {
  const over = ['Completed', 'Cancelled', 'Expired'].includes(phase);
  if (!over || evidence === undefined) return [];
  const type = 'EvidenceSealed';
  return sealed
    ? [{ type, status: 'True', reason: 'Signed', message: 'The vault signed the end of the evidence.' }]
    : [
        {
          type,
          status: 'False',
          reason: 'VaultNotReachable',
          message: 'The vault has not signed the end of the evidence yet.',
        },
      ];
}

// Conditions that are there only when they happened.
function occurred({ status }: RecoveryCeremony, { phase, note, act }: Progress): Drafts {
  const found = (type: string, happened: boolean, now: Note): Drafts => {
    const old = status?.conditions?.find((each) => each.type === type);
    if (happened) return [{ type, status: 'True', ...now }];
    if (old === undefined) return [];
    // A failure can heal; what is interrupted or over stays told.
    return type === 'Failed' ? [{ ...old, status: 'False' }] : [{ ...old, status: 'True' }];
  };
  return [
    ...found('Expired', phase === 'Expired', {
      reason: 'Expired',
      message: 'The ceremony was not complete in time; nothing came of it.',
    }),
    ...found('Interrupted', act?.interrupted === true, {
      reason: 'CollectingShares',
      message:
        'The vault was restarted and forgot the shares it had: they are given again, under the new nonce. Nobody has to approve anew.',
    }),
    ...found('Failed', phase === 'Failed', note),
  ];
}
