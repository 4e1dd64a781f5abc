import type { EvidenceEntry } from '../../../ceremony/evidence.ts';
import { checkSignature } from '../../../ceremony/pgp-signature.ts';
import { approvalText, witnessText } from '../../../ceremony/statement.ts';
import { type Bundle, type Statement, wasHead } from '../evidence/bundle.ts';
import { signedBy } from '../people/moment.ts';
import { ceremonyName, personOf } from '../plan/manifest.ts';

/**
 * Whose statements in the evidence count. The log says when somebody signed; that they did, only their signature says,
 * so that nothing is won by writing into the evidence.
 *
 * @param now the moment at which a key must be valid while consent is still to be acted on
 * @param pending whether it is; a key that expires after the act has begun takes nothing back
 * @returns names of approvers
 */
export async function consentOf(bundle: Bundle, now: Date, pending: boolean): Promise<ReadonlySet<string>> {
  const { manifest, statements, entries } = bundle;
  const ceremony = ceremonyName(manifest);
  const names = new Set<string>();
  for (const statement of statements) {
    const { person, role } = statement;
    if (role !== 'Approver' || manifest.approvals?.approvers.includes(person) !== true) continue;
    const time = entries.find(({ step, who }) => step === 'approved' && who === person)?.time;
    const moment = pending || time === undefined ? now : signedBy(Date.parse(time));
    if (await isSigned(bundle, statement, approvalText(ceremony, person), moment)) names.add(person);
  }
  return names;
}

/** @returns names of witnesses who signed the log as it was at its end */
export async function witnessesOf(bundle: Bundle): Promise<ReadonlySet<string>> {
  const { manifest, statements, entries } = bundle;
  const ended = entries.find(({ step }) => step === 'committed')?.number;
  const names = new Set<string>();
  if (ended === undefined) return names;
  for (const statement of statements) {
    const { person, role } = statement;
    if (role !== 'Witness' || manifest.witnesses?.names.includes(person) !== true) continue;
    for (const entry of entries)
      if (
        entry.step === 'witnessed' &&
        entry.who === person &&
        (await isSeen(bundle, statement, entry, ended))
      )
        names.add(person);
  }
  return names;
}

async function isSeen(
  bundle: Bundle,
  statement: Statement,
  { facts, time }: EvidenceEntry,
  ended: number,
): Promise<boolean> {
  const { evidence = '', deviations = '' } = facts;
  if (!wasHead(bundle, evidence, ended)) return false;
  const said = { person: statement.person, evidence, deviations };
  return isSigned(
    bundle,
    statement,
    witnessText(ceremonyName(bundle.manifest), said),
    signedBy(Date.parse(time)),
  );
}

async function isSigned(
  { manifest }: Bundle,
  { person, text, signature }: Statement,
  wanted: string,
  moment: Date,
): Promise<boolean> {
  const known = personOf(manifest, person);
  if (known === undefined || text !== wanted) return false;
  return (await checkSignature(wanted, signature, known.publicKey, moment)).ok;
}
