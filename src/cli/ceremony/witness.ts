import { headOf } from '../../ceremony/evidence.ts';
import { witnessText } from '../../ceremony/statement.ts';
import { checkEvidence } from './check-evidence.ts';
import { type CeremonyContext, oneWord, required } from './context.ts';
import { CeremonyFailure } from './failure.ts';
import { type Evidence, readEvidence } from './evidence-file.ts';
import { personsGpg } from './gpg.ts';
import { send, sendFile } from './outbox.ts';
import { expectRole, signAfterAsking } from './sign.ts';
import { clusterOf, isFile, loadSource, readText, textAt } from './source.ts';
import { spokenBlock } from './spoken.ts';
import { parseEvidence, sentence } from './verify.ts';

/** `witness NAME|FILE --as WITNESS`: signs the log up to here, with what did not go as planned. It is checked before. */
export async function witness(context: CeremonyContext): Promise<number> {
  const { args, env, terminal } = context;
  const carried = args.get('in');
  if (carried !== undefined) {
    await sendFile(context, carried, 'CeremonyApproval');
    return 0;
  }
  const word = oneWord(context, 'ceremony, or file with evidence,');
  const name = required(context, 'as', 'your name in the plan');
  const deviations = args.get('deviations') ?? '';
  const evidence = readEvidence(parseEvidence(await evidenceText(context, word)));
  const { plan, entries } = evidence;
  const person = expectRole(plan.manifest, name, plan.manifest.witnesses?.names ?? [], 'witness');
  const findings = await checkEvidence(evidence, { open: true });
  terminal.note(...describeLog(evidence), '', ...findings.map(sentence));
  if (findings.some(({ level }) => level === 'wrong'))
    throw new CeremonyFailure('The evidence is not right: do not sign it', {
      hint: 'tell the others what is wrong',
    });
  const head = headOf(entries, plan.digest);
  terminal.note('', ...spokenBlock('End of the log, the same for every witness', head));
  const signature = await signAfterAsking(context, personsGpg(env), {
    text: witnessText(plan.name, { person: name, evidence: head, deviations }),
    person,
    question: 'Is this what you saw?',
  });
  const { ceremony } = plan.manifest;
  await send(context, {
    kind: 'CeremonyApproval',
    name: `${ceremony.name}-witness-${name}`,
    namespace: ceremony.namespace,
    spec: {
      ceremonyRef: { name: ceremony.name },
      person: name,
      role: 'Witness',
      digest: plan.digest,
      evidence: head,
      ...(deviations === '' ? {} : { deviations }),
      signature,
    },
  });
  return 0;
}

/**
 * The text of evidence, from a file or the cluster; from there it must be of the plan that the cluster has.
 * @throws CeremonyFailure when there is none
 */
export async function evidenceText(context: CeremonyContext, word: string): Promise<string> {
  if (isFile(word)) return readText(context, word);
  const { digest, cluster } = await loadSource(context, word);
  const map = await (cluster ?? clusterOf(context)).get('configmaps', `${word}-evidence`);
  const text = textAt(map, 'data', 'evidence.json');
  if (text === undefined)
    throw new CeremonyFailure(`There is no evidence of ${word} yet`, {
      hint: `look at ceremony status ${word}`,
    });
  if (readEvidence(parseEvidence(text)).plan.digest !== digest)
    throw new CeremonyFailure('The evidence is that of another plan', {
      hint: 'somebody may have changed it: sign nothing, and tell the others',
    });
  return text;
}

/** The log in words. */
export function describeLog({ entries }: Evidence): string[] {
  return entries.map(({ number, time, who, step, facts }) => {
    const more = Object.entries(facts).map(([name, value]) => `${name} ${value}`);
    return `${number}. ${time} ${who}: ${step}${more.length === 0 ? '' : `, ${more.join(', ')}`}`;
  });
}
