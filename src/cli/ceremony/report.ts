import { isJsonObject, type JsonObject } from '../../lib/json.ts';
import { canonicalJson } from '../../ceremony/canonical.ts';
import { checkEvidence } from './check-evidence.ts';
import { type CeremonyContext, oneWord } from './context.ts';
import { readEvidence } from './evidence-file.ts';
import { writeNew } from './outbox.ts';
import { renderReport } from './report-page.ts';
import { knownOf, parseEvidence, sentence } from './verify.ts';
import { evidenceText } from './witness.ts';

/**
 * `report NAME|FILE`: writes what a ceremony leaves behind: NAME.json, which verify reads, and NAME.html, for paper.
 * @returns 1 when what was written is not right; it is written all the same
 */
export async function report(context: CeremonyContext): Promise<number> {
  const { args, terminal, clock } = context;
  const word = oneWord(context, 'ceremony, or file with evidence,');
  const json = parseEvidence(await evidenceText(context, word));
  const evidence = readEvidence(json);
  const findings = await checkEvidence(evidence, knownOf(context));
  const base = (args.get('out') ?? `${evidence.plan.manifest.ceremony.name}-report`).replace(
    /\.(?:json|html)$/,
    '',
  );
  const whole: JsonObject = isJsonObject(json) ? json : {};
  writeNew(`${base}.json`, `${canonicalJson(whole)}\n`);
  writeNew(`${base}.html`, renderReport(evidence, findings, new Date(clock.now())));
  terminal.print(`Written: ${base}.json, which ceremony verify checks, and ${base}.html, to print and file.`);
  const wrongs = findings.filter(({ level }) => level === 'wrong');
  if (wrongs.length === 0) return 0;
  terminal.note('', 'The report says what is wrong with it:', ...wrongs.map(sentence));
  return 1;
}
