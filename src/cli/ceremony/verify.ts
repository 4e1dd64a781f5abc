import { type Json, parseJson } from '../../lib/json.ts';
import { checkEvidence } from './check-evidence.ts';
import type { Finding, Known } from './finding.ts';
import { type CeremonyContext, oneWord } from './context.ts';
import { CeremonyFailure } from './failure.ts';
import { type Evidence, readEvidence } from './evidence-file.ts';
import { readText } from './source.ts';
import { spokenBlock, spokenLines } from './spoken.ts';
import { peopleOf } from './manifest.ts';

/** `verify FILE`: checks a report without a network; 1 when anything in it is wrong. */
export async function verify(context: CeremonyContext): Promise<number> {
  const { args, terminal } = context;
  const evidence = await evidenceFrom(context, oneWord(context, 'file'));
  const findings = await checkEvidence(evidence, knownOf(context));
  const { ceremony } = evidence.plan.manifest;
  terminal.print(`Evidence of the ceremony ${ceremony.namespace}/${ceremony.name}`, '');
  terminal.print(...findings.map(sentence));
  const wrongs = findings.filter(({ level }) => level === 'wrong');
  if (wrongs.length > 0) {
    terminal.print('', `Do not rely on this report: ${wrongs.length} of its parts are wrong.`);
    return 1;
  }
  terminal.print(
    '',
    'Nothing is wrong within the report. It holds as far as these are the keys of these people:',
  );
  for (const { name, fingerprint } of peopleOf(evidence.plan.manifest))
    terminal.print(`  ${name}`, `    ${spokenLines(fingerprint).join(' ')}`);
  if (args.get('digest') === undefined)
    terminal.print(
      ...spokenBlock('and as this is the digest of the plan that people agreed to', evidence.plan.digest),
    );
  return 0;
}

export function sentence({ level, text }: Finding): string {
  return `${{ right: 'Right', wrong: 'Wrong', note: 'Note' }[level]}: ${text}`;
}

export function knownOf({ args }: CeremonyContext): Known {
  return { digest: args.get('digest'), engineKey: args.get('engine-key'), open: args.on('open') };
}

/** @throws CeremonyFailure when a file holds no evidence */
export async function evidenceFrom(context: CeremonyContext, file: string): Promise<Evidence> {
  return readEvidence(parseEvidence(await readText(context, file)));
}

export function parseEvidence(text: string): Json {
  try {
    return parseJson(text);
  } catch (cause) {
    throw new CeremonyFailure('This is not JSON: the report is damaged', { cause });
  }
}
