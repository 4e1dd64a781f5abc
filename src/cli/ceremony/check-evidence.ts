import { brokenLink, entryDigest } from '../../ceremony/evidence.ts';
import { inspectCustodianKey } from '../../ceremony/pgp.ts';
import { checkAttestation } from './check-attestation.ts';
import { checkProofs } from './check-proofs.ts';
import { checkStatements } from './check-statements.ts';
import type { Evidence } from './evidence-file.ts';
import { type Finding, type Known, note, right, wrong } from './finding.ts';
import { peopleOf } from './manifest.ts';

/**
 * Checks everything in evidence that can be checked without asking anybody: I1 the plan's digest, I2 the chain of the log,
 * I3 people's signatures, I4 proofs of shares, I5 the engine's signature over the end of the log.
 */
export async function checkEvidence(evidence: Evidence, known: Known): Promise<readonly Finding[]> {
  const { entries, plan } = evidence;
  // Who called it off, or let it run out, owed nothing to its end.
  const open = known.open || wasAbandoned(entries);
  return [
    ...checkPlan(evidence, known),
    ...(await checkKeys(evidence)),
    ...checkChain(evidence),
    ...(await checkStatements(evidence, heads(evidence), { ...known, open })),
    ...checkProofs(evidence, { ...known, open }),
    ...checkAttestation(evidence, known, wasAbandoned(entries)),
    ...(entries.length === 0 ? [wrong(`The log of ${plan.manifest.ceremony.name} is empty.`)] : []),
  ];
}

/** @returns the digest after each entry, the last one last */
export function heads({ entries }: Evidence): readonly string[] {
  return entries.map(entryDigest);
}

function wasAbandoned(entries: Evidence['entries']): boolean {
  const steps = new Set(entries.map(({ step }) => step));
  return !steps.has('committed') && ['cancelled', 'expired', 'failed'].some((step) => steps.has(step));
}

function checkPlan({ plan, entries }: Evidence, { digest }: Known): Finding[] {
  const first = entries[0]?.previous;
  if (digest !== undefined && digest !== plan.digest)
    return [wrong(`The plan is not the one you named: its digest is ${plan.digest}.`)];
  if (first !== undefined && first !== plan.digest)
    return [wrong(`The plan was changed: its digest is ${plan.digest}, the log began with ${first}.`)];
  return [right(`The digest of the plan is ${plan.digest}.`)];
}

// Keys are judged at the time of the ceremony: they may have expired since.
async function checkKeys({ plan, entries }: Evidence): Promise<Finding[]> {
  const then = new Date(entries[0]?.time ?? '');
  if (Number.isNaN(+then)) return [wrong('The log does not say when the ceremony began.')];
  const found: Finding[] = [];
  for (const { name, fingerprint, publicKey } of peopleOf(plan.manifest)) {
    if (publicKey === '') continue;
    const inspected = await inspectCustodianKey(publicKey, then, { receives: false, signs: false });
    if (inspected.ok && inspected.key.fingerprint !== fingerprint.toLowerCase())
      found.push(wrong(`The plan gives ${name} the fingerprint ${fingerprint}, but another key.`));
  }
  return found;
}

function checkChain({ entries, plan }: Evidence): Finding[] {
  const broken = brokenLink(entries, plan.digest);
  if (broken !== undefined) return [wrong(`The log was changed: ${broken}.`)];
  const late = entries.find((each, index) => {
    const before = entries[index - 1];
    return Number.isNaN(Date.parse(each.time)) || (before !== undefined && each.time < before.time);
  });
  if (late !== undefined)
    return [wrong(`The log was changed: entry ${late.number} is older than the one before it.`)];
  const lost = entries.find(({ step }) => step === 'evidence-lost');
  return [
    right(`The log has ${entries.length} entries, each linked to the one before it.`),
    ...(lost === undefined
      ? []
      : [note(`An earlier log was lost or damaged: entry ${lost.number} says so, and this one began anew.`)]),
    ...(wasAbandoned(entries) ? [note('The ceremony ended without effect.')] : []),
  ];
}
