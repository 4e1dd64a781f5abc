import type { CeremonyCalls, CeremonyState } from '../../../client/ceremony.ts';
import { isoSeconds } from '../../sealedvault/status.ts';
import type { Evidence } from '../evidence/evidence.ts';
import { type Message, readMessages } from '../messages.ts';
import { note } from '../note.ts';
import { type FrozenPerson, type Manifest, personOf } from '../plan/manifest.ts';
import { type Prover, proverWith } from '../receipts/judge.ts';
import type { RootTokenStatus } from '../spec.ts';
import { accept, refuse } from '../verdict.ts';
import { type ActInput, type ActOutcome, refused, waiting } from './act.ts';
import { deliver } from './deliver.ts';
import { proofKeysOf, sharesInForce } from './in-force.ts';
import { counts } from './initialize.ts';

/** New shares exist and are not in force: they are delivered, and their custodians prove that they have them. */
export async function proving(
  calls: CeremonyCalls,
  state: CeremonyState,
  input: ActInput,
): Promise<ActOutcome> {
  const { manifest, evidence, context } = input;
  const now = context.clock.now();
  evidence.add({ who: 'engine', step: 'shares-made', facts: counts(manifest), time: state.engineTime }, now);
  const fetched = await fetchMessages(calls, input);
  if ('outcome' in fetched) return fetched.outcome;
  const { messages } = fetched;
  const { names: delivered, conflict } = await deliver(messages, input);
  const made = { messages, delivered, generated: true };
  await input.judgeReceipts(engineProver(calls, input), sentOf(messages));
  const after = await calls.state(manifest.ceremony.uid, { signal: context.signal });
  if (!after.ok) return { ...refused(after.status, after.message, 'Proving'), ...made };
  if (after.body.state === 'committed') return committed(calls, after.body, input);
  const proven = provenOf(after.body);
  for (const who of proven) evidence.add({ who, step: 'proof-given' }, now);
  const progress = `${proven.size}/${after.body.custodians.length}`;
  if (conflict !== undefined)
    return { ...made, proven, progress, state: 'failed', phase: 'Delivering', note: conflict };
  const message = `${progress} custodians proved to have their new shares; until all did, the old ones are in force.`;
  return { ...made, ...waiting('Proving', 'AwaitingProofs', message), proven, progress };
}

/** What was asked for is in force. */
export async function committed(
  calls: CeremonyCalls,
  state: CeremonyState,
  input: ActInput,
): Promise<ActOutcome> {
  const { manifest, evidence, context } = input;
  const now = context.clock.now();
  const fetched = await fetchMessages(calls, input);
  if ('outcome' in fetched) return fetched.outcome;
  const { messages } = fetched;
  if (makesShares(manifest))
    evidence.add({ who: 'engine', step: 'shares-made', facts: counts(manifest) }, now);
  const { names: delivered, conflict } = await deliver(messages, input);
  const done = { messages, delivered, note: note('Committed', 'The ceremony is complete.') } as const;
  if (conflict !== undefined) return { ...done, state: 'failed', phase: 'Delivering', note: conflict };
  if (manifest.type === 'GenerateRoot')
    return { ...done, state: 'done', phase: 'Delivering', ...tokenOf(state) };
  // The break-glass seal was turned off.
  if (!makesShares(manifest)) return { ...done, state: 'done', phase: 'Collecting' };
  const inForce = await sharesInForce(calls, context.signal);
  if (inForce === undefined)
    return { ...done, ...waiting('Proving', 'VaultNotReachable', 'The vault does not answer now.') };
  const keys = proofKeysOf(inForce, manifest.type);
  evidence.settle(keys);
  await input.judgeReceipts(proverWith(keys), sentOf(messages));
  const proven = provenOf(state);
  recordProofs(evidence, now);
  const progress = `${proven.size}/${state.custodians.length}`;
  const sets = manifest.type === 'RotateRecovery' ? { generation: inForce.generation } : {};
  return { ...done, state: 'done', phase: 'Proving', generated: true, ...sets, proven, progress };
}

/** Every proof that is checked is a step, with the key that checks it. */
export function recordProofs(evidence: Evidence, now: number): void {
  for (const { custodian, proofKey } of evidence.bundle.proofs)
    evidence.add({ who: custodian, step: 'proved', facts: { proofKey } }, now);
}

/** @returns what a status says of a root token */
export function tokenOf({ token }: CeremonyState): {
  readonly token?: Pick<RootTokenStatus, 'expiresAt' | 'state'>;
} {
  const state = (['active', 'revoked', 'expired'] as const).find((each) => each === token?.state);
  if (token === undefined || state === undefined) return {};
  const expires = Date.parse(token.expiresAt);
  return {
    token: { state, ...(Number.isNaN(expires) ? {} : { expiresAt: isoSeconds(expires) }) },
  };
}

async function fetchMessages(
  calls: CeremonyCalls,
  { manifest, context }: ActInput,
): Promise<{ readonly messages: readonly Message[] } | { readonly outcome: ActOutcome }> {
  if (manifest.type !== 'GenerateRoot' && !makesShares(manifest)) return { messages: [] };
  const reply = await calls.messages(manifest.ceremony.uid, { signal: context.signal });
  if (!reply.ok) return { outcome: refused(reply.status, reply.message, 'Delivering') };
  const { shares, rootToken } = reply.body;
  const given = {
    shares: (manifest.custodians ?? []).map(({ name }) => shares[name]),
    rootToken,
  };
  const messages = readMessages(manifest, given, holderOf(manifest));
  if (messages !== undefined) return { messages };
  const message = 'The vault answered with something that is not one OpenPGP message for each person.';
  return {
    outcome: { state: 'failed', phase: 'Delivering', note: note('EngineAnswerUnusable', message) },
  };
}

function makesShares({ custodians = [] }: Manifest): boolean {
  return custodians.length > 0;
}

function holderOf(manifest: Manifest): FrozenPerson | undefined {
  return manifest.type === 'GenerateRoot' ? personOf(manifest, manifest.requester ?? '') : undefined;
}

// The engine alone knows the keys of shares that are not in force; a proof that it took is right.
function engineProver(calls: CeremonyCalls, { manifest, context }: ActInput): Prover {
  return async (custodian, _text, proof) => {
    const reply = await calls.prove(manifest.ceremony.uid, custodian, proof, { signal: context.signal });
    if (reply.ok) return { verdict: accept('The vault took the proof.'), proofKey: '' };
    if (reply.status !== 400) return undefined;
    return { verdict: refuse(`The vault refused the proof: ${reply.message}.`), proofKey: '' };
  };
}

function provenOf({ custodians }: CeremonyState): ReadonlySet<string> {
  return new Set(custodians.filter(({ proven }) => proven).map(({ name }) => name));
}

/** SHA-256 of the share that each custodian got. */
export function sentOf(messages: readonly Message[]): ReadonlyMap<string, string> {
  return new Map(
    messages.filter(({ kind }) => kind === 'share').map(({ custodian, sha256 }) => [custodian.name, sha256]),
  );
}
