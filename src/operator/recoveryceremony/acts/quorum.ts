import { CeremonyCalls, type CeremonyRequest, type CeremonyState } from '../../../client/ceremony.ts';
import { note } from '../note.ts';
import { type Manifest, personOf } from '../plan/manifest.ts';
import { type ActInput, type ActOutcome, refused, unreachable, waiting } from './act.ts';
import { committed, proving } from './outcome.ts';

/** An act for which the holders of today give their shares to the engine: all but Initialize and Drill. */
export async function quorum(input: ActInput): Promise<ActOutcome> {
  try {
    const client = await input.client();
    if (client === undefined)
      return waiting('Collecting', 'VaultNotReachable', 'No pod of the vault can be reached.');
    return await advance(new CeremonyCalls(client), input);
  } catch (error) {
    return unreachable(error, 'Collecting');
  }
}

async function advance(calls: CeremonyCalls, input: ActInput): Promise<ActOutcome> {
  const { manifest, context, ending, digest, evidence } = input;
  const { signal } = context;
  const { uid } = manifest.ceremony;
  let reply = await calls.state(uid, { signal });
  if (!reply.ok && reply.status === 404) {
    if (evidence.has('shares-made') || evidence.has('committed'))
      return {
        state: 'failed',
        phase: 'Proving',
        note: note('EngineForgot', 'The vault knows nothing of this ceremony any more.'),
      };
    if (ending !== 'no') return ended();
    reply = await calls.open(uid, request(manifest, digest), { signal });
  }
  if (!reply.ok) return refused(reply.status, reply.message, 'Collecting');
  const state = reply.body;
  if (state.digest !== digest)
    return {
      state: 'failed',
      phase: 'Collecting',
      note: note('ManifestChanged', 'The vault has this ceremony with another plan.'),
    };
  if (state.state === 'cancelled') {
    if (ending !== 'no') return ended();
    return {
      state: 'failed',
      phase: 'Collecting',
      note: note('EngineForgot', 'Somebody else cancelled the ceremony at the vault.'),
    };
  }
  if (ending !== 'no' && state.state !== 'committed') {
    const cancelled = await calls.cancel(uid, { signal });
    // It may have been committed between the two calls: the next look tells.
    return cancelled.ok || cancelled.status === 404
      ? ended()
      : refused(cancelled.status === 400 ? 409 : cancelled.status, cancelled.message, 'Collecting');
  }
  const interrupted = record(state, input);
  const outcome = await inState(calls, state, input);
  return { ...outcome, ...(state.nonce === '' ? {} : { nonce: state.nonce }), interrupted };
}

async function inState(calls: CeremonyCalls, state: CeremonyState, input: ActInput): Promise<ActOutcome> {
  switch (state.state) {
    case 'collecting': {
      const progress = `${state.progress}/${state.threshold}`;
      const message = `${progress} shares were given. Whoever gives one compares digest and nonce with the others first.`;
      return { ...waiting('Collecting', 'CollectingShares', message), progress };
    }
    case 'proving':
      return proving(calls, state, input);
    case 'committed':
      return committed(calls, state, input);
    case 'cancelled':
    case 'recorded':
      return ended();
  }
}

/** The outcome of an act that is called off before anything came of it. */
export function ended(phase: ActOutcome['phase'] = 'Collecting'): ActOutcome {
  return { state: 'ended', phase, note: note('Cancelled', 'Nothing came of the ceremony.') };
}

// What the engine saw. A new nonce while shares are collected means that it forgot those it was given.
function record(state: CeremonyState, { ceremony, evidence, context }: ActInput): boolean {
  const now = context.clock.now();
  const time = state.engineTime === '' ? undefined : state.engineTime;
  const before = ceremony.status?.nonce;
  const { nonce } = state;
  const lost = before !== undefined && before !== nonce && state.state === 'collecting';
  if (lost) evidence.add({ who: 'engine', step: 'interrupted', facts: { nonce }, time }, now);
  for (const [index, name] of state.submitted.entries()) {
    const who = name === '' ? `holder ${index + 1}` : name;
    // The nonce is told while shares are collected only; a share that was seen under it is known already.
    if (state.state === 'collecting' || !evidence.has('share-given', who))
      evidence.add({ who, step: 'share-given', facts: nonce === '' ? {} : { nonce }, time }, now);
  }
  return lost || evidence.has('interrupted');
}

function request(manifest: Manifest, digest: string): CeremonyRequest {
  const { namespace, name } = manifest.ceremony;
  const base = { digest, ceremony: { namespace, name } };
  if (manifest.type === 'SealMigration')
    return {
      ...base,
      type: 'seal-migration',
      ...(manifest.sealMigration?.dryRun === true ? { dry_run: true } : {}),
    };
  if (manifest.type !== 'GenerateRoot')
    return {
      ...base,
      type: manifest.type === 'BreakGlass' ? 'break-glass' : 'rotate-recovery',
      threshold: manifest.threshold ?? 0,
      custodians: (manifest.custodians ?? []).map((each) => ({ name: each.name, pgp_key: each.publicKey })),
    };
  const requester = personOf(manifest, manifest.requester ?? '');
  return {
    ...base,
    type: 'generate-root',
    ...(requester === undefined ? {} : { requester: { name: requester.name, pgp_key: requester.publicKey } }),
    ttl: manifest.ttl ?? '1h',
  };
}
