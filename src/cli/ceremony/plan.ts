import { canonicalJson } from '../../ceremony/canonical.ts';
import type { CeremonyContext } from './context.ts';
import { oneWord } from './context.ts';
import { writeNew } from './outbox.ts';
import { loadSource } from './source.ts';
import { describePlan } from './words.ts';

/** `plan NAME|FILE`: the plan in words, with the digest computed from the manifest itself; --out keeps it for a machine without a network. */
export async function plan(context: CeremonyContext): Promise<number> {
  const word = oneWord(context, 'ceremony, or file with a manifest,');
  const source = await loadSource(context, word);
  const { args, terminal } = context;
  terminal.print(...describePlan(source));
  if (source.cluster !== undefined)
    terminal.print('', 'The cluster publishes the same digest for this ceremony.');
  const file = args.get('out');
  if (file !== undefined) {
    writeNew(file, `${canonicalJson(source.json)}\n`);
    terminal.print('', `Written to ${file}. It holds no secret.`);
  }
  return 0;
}
