import { note } from '../note.ts';
import { custodiansOf, proverWith } from '../receipts/judge.ts';
import { type ActInput, type ActOutcome, waiting } from './act.ts';
import { recordProofs } from './outcome.ts';

/** Every holder of a share proves to have it. The plan has the keys of the proofs, so the vault need not be there. */
export async function drill(input: ActInput): Promise<ActOutcome> {
  const { manifest, evidence, context, ending } = input;
  const holders = manifest.holders?.custodians ?? [];
  const keys = new Map(holders.map(({ name, proofKey }) => [name, proofKey]));
  await input.judgeReceipts(proverWith(keys), new Map());
  recordProofs(evidence, context.clock.now());
  const names = custodiansOf(manifest);
  // Only what the keys of the plan confirm counts, whoever wrote it down.
  const check = proverWith(keys);
  const proven = new Set<string>();
  for (const { custodian, text, proof } of evidence.bundle.proofs)
    if ((await check(custodian, text, proof))?.verdict.accepted === true) proven.add(custodian);
  const progress = `${proven.size}/${names.length}`;
  const generation = manifest.holders?.generation;
  const far = { proven, progress, generation };
  const silent = names.filter((name) => !proven.has(name) && !evidence.has('reported-lost', name));
  if (silent.length === 0)
    return {
      ...far,
      state: 'done',
      phase: 'Drilling',
      note: note('Committed', `The drill is over: ${progress}.`),
    };
  if (ending !== 'no')
    return {
      ...far,
      state: 'ended',
      phase: 'Drilling',
      note: note('Cancelled', `The drill ended at ${progress}.`),
    };
  const message = `${progress} custodians proved to have their shares; missing: ${silent.join(', ')}.`;
  return { ...far, ...waiting('Drilling', 'AwaitingProofs', message) };
}
