import { CeremonyCalls, type CeremonyState } from '../../../client/ceremony.ts';
import type { VaultApi } from '../../../client/factory.ts';
import { isSameToken, type SealRecord } from '../../sealedvault/seal-record.ts';
import { hsm } from '../../sealedvault/schema.ts';
import type { HsmSpec } from '../../sealedvault/spec.ts';
import { TERMINAL } from '../note.ts';
import type { Manifest } from '../plan/manifest.ts';
import { type ActInput, type ActOutcome, unreachable, waiting } from './act.ts';
import { ended, quorum } from './quorum.ts';

/**
 * Moves a vault to another HSM: its pods are replaced by such that reach both, both prove themselves, a quorum of the
 * holders of today gives its shares, and the pods are replaced by such that reach the new one only. The vault serves
 * all the while but for the two replacements. A dry run ends when both have proved themselves.
 */
export async function sealMigration(input: ActInput): Promise<ActOutcome> {
  const client = await input.client();
  try {
    if (client !== undefined) return await advance(client, input);
  } catch (error) {
    const stuck = unreachable(error, 'ProvingSeals');
    return (await backOut(input)) ?? stuck;
  }
  const nobody = 'No pod of the vault can be reached.';
  return (await backOut(input)) ?? waiting('ProvingSeals', 'VaultNotReachable', nobody);
}

// Pods that never came up with both HSMs go back without being asked: nobody can have given them a share.
async function backOut({
  ending,
  evidence,
  manifest,
  changeSeal,
}: ActInput): Promise<ActOutcome | undefined> {
  if (ending === 'no' || evidence.has('seals-proven')) return undefined;
  await changeSeal(withoutNext(manifest.ceremony.uid));
  return ended('ProvingSeals');
}

async function advance(client: VaultApi, input: ActInput): Promise<ActOutcome> {
  const { manifest, context, ending, evidence } = input;
  const { uid } = manifest.ceremony;
  const calls = new CeremonyCalls(client);
  const before = await calls.state(uid, { signal: context.signal });
  const begun = before.ok && before.body.state !== 'cancelled';
  if (ending === 'no' && !(begun && before.body.state === 'committed')) {
    const record = await input.changeSeal(withNext(input));
    if (record?.next !== undefined && record.next.ceremony !== uid)
      return waiting('ProvingSeals', 'AnotherCeremony', 'Another ceremony moves the vault to another HSM.');
  }
  const outcome = await quorum(input);
  // What may still heal keeps its pods: they would be replaced to and fro otherwise.
  if (outcome.state === 'ended' || (outcome.state === 'failed' && TERMINAL.has(outcome.note.reason))) {
    await input.changeSeal(withoutNext(uid));
    return outcome;
  }
  const after = await calls.state(uid, { signal: context.signal });
  if (!after.ok) {
    const words = `The pods are replaced by such that reach both HSMs, which then prove themselves. ${outcome.note.message}`;
    return { ...outcome, phase: 'ProvingSeals', note: { reason: 'ProvingSeals', message: words } };
  }
  if (after.body.seals?.ready === true) tell(after.body, input);
  const proven = { ...outcome, sealsProven: evidence.has('seals-proven') };
  return outcome.state === 'done' ? settle(client, proven, input) : proven;
}

// What was wrapped by the old HSM while it changed is wrapped anew before the pods lose it.
async function settle(client: VaultApi, outcome: ActOutcome, input: ActInput): Promise<ActOutcome> {
  const { manifest, context } = input;
  const { uid } = manifest.ceremony;
  if (manifest.sealMigration?.dryRun === true) {
    await input.changeSeal(withoutNext(uid));
    return outcome;
  }
  const { body } = await client.sealBackends({ signal: context.signal });
  if (body?.fullyWrapped !== true) {
    const message = 'The vault is under its new HSM, which wraps what the old one still wraps.';
    return { ...outcome, ...waiting('Collecting', 'Rewrapping', message) };
  }
  const to = targetOf(manifest);
  if (to !== undefined)
    await input.changeSeal((record) =>
      record.next?.ceremony === uid || !isSameToken(record.inForce, to) ? { inForce: to } : record,
    );
  return outcome;
}

function withNext({ manifest }: ActInput): (record: SealRecord) => SealRecord {
  const to = targetOf(manifest);
  return (record) =>
    record.next !== undefined || to === undefined
      ? record
      : { ...record, next: { hsm: to, ceremony: manifest.ceremony.uid } };
}

// With the defaults of today.
function targetOf({ sealMigration: move }: Manifest): HsmSpec | undefined {
  return move === undefined ? undefined : hsm.parse(move.to);
}

function withoutNext(uid: string): (record: SealRecord) => SealRecord {
  return (record) => (record.next?.ceremony === uid ? { inForce: record.inForce } : record);
}

function tell({ seals, engineTime }: CeremonyState, { evidence, context }: ActInput): void {
  const key = (side: 'from' | 'to'): string => {
    const { label = '', id = '' } = seals?.[side].key ?? {};
    return [label, id].filter((each) => each !== '').join(' ');
  };
  const facts = { from: key('from'), to: key('to') };
  evidence.add({ who: 'engine', step: 'seals-proven', facts, time: engineTime }, context.clock.now());
}
