import { checkSignature } from '../../../ceremony/pgp-signature.ts';
import { approvalText, witnessText } from '../../../ceremony/statement.ts';
import { type Bundle, type Statement, wasHead } from '../evidence/bundle.ts';
import { ceremonyName, type FrozenPerson, type Manifest, personOf } from '../plan/manifest.ts';
import { accept, refuse, type Verdict } from '../verdict.ts';
import type { CeremonyApproval, CeremonyApprovalSpec } from './kind.ts';

/**
 * Whether something that a person signed counts.
 *
 * A1  The plan alone says who may sign and with which key: nothing of the object is believed but a signature that
 *     this key made over the text that this plan gives.
 * A2  A refusal changes nothing but the status of what was refused, and says why.
 */
export interface Judged {
  readonly verdict: Verdict;
  /** What goes into the evidence when it is accepted. */
  readonly statement?: Statement;
  readonly fingerprint?: string;
}

/** Where the ceremony is, as far as it matters. */
export interface JudgingTime {
  /** An approver can still consent. */
  readonly approving: boolean;
  /** Number of the entry from which on a witness can sign; undefined before the end. */
  readonly witnessFrom: number | undefined;
}

export async function judgeApproval(
  { spec }: CeremonyApproval,
  manifest: Manifest,
  bundle: Bundle,
  time: JudgingTime,
  now: Date,
): Promise<Judged> {
  const ceremony = ceremonyName(manifest);
  const no = (message: string): Judged => ({ verdict: refuse(message) });
  if (spec.digest !== ceremony.digest)
    return no('It is over another plan: compare the digest with status.manifestDigest of the ceremony.');
  const { role, person: name } = spec;
  const allowed = role === 'Approver' ? manifest.approvals?.approvers : manifest.witnesses?.names;
  const person = personOf(manifest, name);
  if (allowed?.includes(name) !== true || person === undefined)
    return no(`The plan does not name this person as ${role === 'Approver' ? 'an approver' : 'a witness'}.`);
  const stranger = notTheUser(person, spec.username);
  if (stranger !== undefined) return no(stranger);
  if (role === 'Approver' && !time.approving)
    return no('It came too late: the ceremony is past its approval.');
  if (role === 'Witness') {
    if (time.witnessFrom === undefined)
      return no('It came too early: a witness signs when everything else is done.');
    if (!wasHead(bundle, spec.evidence ?? '', time.witnessFrom))
      return no('The evidence is another: look at status.evidence.head of the ceremony and sign that.');
  }
  const text = signedText(manifest, spec);
  const found = await checkSignature(text, spec.signature, person.publicKey, now);
  if (!found.ok) return no(`The signature does not count: ${found.message}.`);
  return {
    verdict: accept(`The signature is that of ${name}, made with the key of the plan.`),
    statement: { person: name, role, text, signature: spec.signature, publicKey: person.publicKey },
    fingerprint: found.keyFingerprint,
  };
}

/** @returns why a Kubernetes user may not speak for a person; undefined when they may */
export function notTheUser(person: FrozenPerson, username: string | undefined): string | undefined {
  if (person.username === undefined || person.username === username) return undefined;
  return 'The plan lets another Kubernetes user speak for this person: spec.username must be theirs.';
}

function signedText(manifest: Manifest, spec: CeremonyApprovalSpec): string {
  const ceremony = ceremonyName(manifest);
  const { person, role, evidence = '', deviations = '' } = spec;
  return role === 'Approver'
    ? approvalText(ceremony, person)
    : witnessText(ceremony, { person, evidence, deviations });
}
