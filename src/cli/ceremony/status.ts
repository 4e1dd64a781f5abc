import type { JsonObject } from '../../lib/json.ts';
import { type CeremonyContext, oneWord } from './context.ts';
import { engineOf, hasAddress } from './engine.ts';
import { clusterOf, findCeremony, listAt, objectAt, textAt } from './source.ts';
import { listed, spokenBlock } from './spoken.ts';

/** `status NAME`: where a ceremony stands, whom it waits for, and what is to be compared. */
export async function status(context: CeremonyContext): Promise<number> {
  const name = oneWord(context, 'ceremony');
  const { terminal } = context;
  const cluster = clusterOf(context);
  const ceremony = await findCeremony(cluster, name);
  const now = objectAt(ceremony, 'status');
  const digest = textAt(now, 'manifestDigest');
  terminal.print(
    `Ceremony ${cluster.namespace}/${name}, type ${textAt(ceremony, 'spec', 'type') ?? 'unknown'}`,
    `Phase: ${textAt(now, 'phase') ?? 'Pending'}`,
  );
  const progress = textAt(now, 'progress');
  if (progress !== undefined) terminal.print(`Shares given: ${progress}`);
  const approvals = textAt(now, 'approvals');
  if (approvals !== undefined) terminal.print(`Approvals: ${approvals}`);
  const expires = textAt(now, 'expiresAt');
  if (expires !== undefined) terminal.print(`Ends by itself at ${expires}`);
  if (digest !== undefined) terminal.print('', ...spokenBlock('Digest of the plan', digest));
  const nonce = textAt(now, 'nonce');
  if (nonce !== undefined && nonce !== '') terminal.print(...spokenBlock('Nonce', nonce));
  people(terminal, listAt(now, 'custodians'));
  conditions(terminal, listAt(now, 'conditions'));
  if (hasAddress(context)) await vault(context, textAt(ceremony, 'metadata', 'uid') ?? '');
  return 0;
}

function people(terminal: CeremonyContext['terminal'], custodians: readonly JsonObject[]): void {
  if (custodians.length === 0) return;
  terminal.print('', 'Custodians:');
  for (const each of custodians) {
    const facts = [
      textAt(each, 'keyTest') === undefined
        ? undefined
        : `key test ${textAt(each, 'keyTest')?.toLowerCase()}`,
      textAt(each, 'delivery') === undefined ? undefined : `share ${textAt(each, 'delivery')?.toLowerCase()}`,
      textAt(each, 'receipt') === undefined ? undefined : `receipt ${textAt(each, 'receipt')?.toLowerCase()}`,
      each['proven'] === true ? 'proved' : each['proven'] === false ? 'not proved yet' : undefined,
      textAt(each, 'problem'),
      textAt(each, 'warning'),
    ].filter((fact) => fact !== undefined);
    terminal.print(`  ${textAt(each, 'name') ?? ''}${facts.length === 0 ? '' : `: ${facts.join(', ')}`}`);
  }
}

function conditions(terminal: CeremonyContext['terminal'], found: readonly JsonObject[]): void {
  if (found.length === 0) return;
  terminal.print('', 'Steps:');
  for (const each of found) {
    const word = textAt(each, 'status') === 'True' ? 'yes' : 'not yet';
    terminal.print(`  ${textAt(each, 'type') ?? ''}: ${word}. ${textAt(each, 'message') ?? ''}`);
  }
}

async function vault(context: CeremonyContext, uid: string): Promise<void> {
  const engine = engineOf(context);
  const seen = await engine.status(uid);
  context.terminal.print(
    '',
    `The vault at ${engine.address} says: ${seen.state}, ${seen.progress} of ${seen.threshold} shares given${seen.submitted.length === 0 ? '' : ` by ${listed(seen.submitted)}`}.`,
    ...spokenBlock('Digest that the vault works for', seen.digest),
    ...(seen.nonce === '' ? [] : spokenBlock('Nonce of the vault', seen.nonce)),
  );
}
