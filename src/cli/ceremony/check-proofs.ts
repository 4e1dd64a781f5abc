import { isShareProof } from '../../ceremony/share-proof.ts';
import { possessionText } from '../../ceremony/statement.ts';
import { type Finding, type Known, note, right, wrong } from './finding.ts';
import type { Evidence } from './evidence-file.ts';
import { listed } from './spoken.ts';

/** Checks proofs of shares: each by the key that the log or the vault has for the custodian, and no two by one share. */
export function checkProofs({ plan, proofs, entries }: Evidence, { open }: Known): Finding[] {
  const found: Finding[] = [];
  const proven = new Set<string>();
  const keys = new Map<string, string>();
  for (const { custodian, text, proof, proofKey } of proofs) {
    // In a drill the plan itself says which share is whose.
    const planned =
      plan.manifest.type === 'Drill'
        ? plan.manifest.holders?.custodians.find(({ name }) => name === custodian)?.proofKey
        : undefined;
    const recorded = entries.find(({ who, facts }) => who === custodian && facts['proofKey'] !== undefined);
    const twin = keys.get(proofKey);
    if (text !== possessionText(plan.name, custodian))
      found.push(wrong(`The proof of ${custodian} is over another text than that of this ceremony.`));
    else if (!isShareProof(proofKey, text, proof))
      found.push(wrong(`The proof of ${custodian} was not made with the share of this key.`));
    else if (recorded !== undefined && recorded.facts['proofKey'] !== proofKey)
      found.push(wrong(`The proof of ${custodian} is by another share than the log says.`));
    else if (planned !== undefined && planned !== proofKey)
      found.push(wrong(`The proof of ${custodian} is by another share than the plan says.`));
    else if (twin !== undefined && twin !== custodian)
      found.push(wrong(`${custodian} and ${twin} proved the same share.`));
    else {
      proven.add(custodian);
      found.push(right(`${custodian} proved to have a share.`));
    }
    keys.set(proofKey, custodian);
  }
  for (const { step, who, number } of entries)
    if (step === 'proved' && !proven.has(who))
      found.push(wrong(`Entry ${number} says that ${who} proved a share, but there is no valid proof.`));
  const missing = plan.manifest.custodians.map(({ name }) => name).filter((name) => !proven.has(name));
  if (missing.length === 0) return found;
  const text = `There is no proof of a share by ${listed(missing)}.`;
  // New shares come into force only when everybody has proved theirs.
  const must = ['RotateRecovery', 'BreakGlass'].includes(plan.manifest.type) && !open;
  return [...found, must ? wrong(text) : note(text)];
}
