import { makesShares } from './kind.ts';
import { CeremonyCalls } from '../../client/ceremony.ts';
import { VaultClientError } from '../../client/errors.ts';
import type { ReconcileResult } from '../runtime/runtime.ts';
import { proofKeysOf, sharesInForce } from './acts/in-force.ts';
import { recordProofs, tokenOf } from './acts/outcome.ts';
import type { Evidence } from './evidence/evidence.ts';
import { manifestDigest } from './plan/manifest.ts';
import { type Prover, proverWith } from './receipts/judge.ts';
import type { CeremonyRun } from './run.ts';
import type { CeremonyPhase } from './spec.ts';
import { refuse } from './verdict.ts';

const LATER_MS = 30_000;

/**
 * What is left to do for a ceremony that is over: receipts that come late, losses, the end of a root token, and the
 * engine's signature over the last digest, anew whenever there was something to add.
 */
export async function tend(
  run: CeremonyRun,
  report: (phase: CeremonyPhase) => Promise<void>,
): Promise<ReconcileResult> {
  const { evidence, ceremony } = run;
  const phase = ceremony.status?.phase;
  if (evidence === undefined || phase === undefined) return {};
  let asked = true;
  try {
    await lateReceipts(run, evidence);
    await watchToken(run, evidence);
    asked = await seal(run, evidence);
  } catch (error) {
    if (!(error instanceof VaultClientError)) throw error;
    asked = false;
  }
  await report(phase);
  const active = run.progress(phase).act?.token?.state ?? ceremony.status?.rootToken?.state;
  const again = !asked || active === 'active' || run.receipts.unjudged().length > 0;
  return again ? { requeueAfterMs: LATER_MS } : {};
}

/** @returns whether the last digest is signed */
async function seal(run: CeremonyRun, evidence: Evidence): Promise<boolean> {
  const { head } = evidence;
  if (evidence.bundle.attestation?.head === head) return true;
  const client = await run.client();
  if (client === undefined) return false;
  const { signal } = run.context;
  const { manifest } = evidence.bundle;
  const { uid, namespace, name } = manifest.ceremony;
  const calls = new CeremonyCalls(client);
  let reply = await calls.attest(uid, head, { signal });
  if (!reply.ok && reply.status === 404 && isOfPeopleAlone(evidence)) {
    const digest = manifestDigest(manifest);
    const kept = await calls.open(uid, { type: 'record', digest, ceremony: { namespace, name } }, { signal });
    if (kept.ok) reply = await calls.attest(uid, head, { signal });
  }
  // An engine that no longer knows what it did says nothing of it, however often it is asked.
  if (!reply.ok) return reply.status === 404;
  evidence.attest({ head, ...reply.body });
  return true;
}

// A drill; what ended before the engine was asked; an initialization by an engine that did not keep its plan.
function isOfPeopleAlone(evidence: Evidence): boolean {
  const { type } = evidence.bundle.manifest;
  return (
    type === 'Drill' || type === 'Initialize' || !(evidence.has('committed') || evidence.has('shares-made'))
  );
}

async function lateReceipts(run: CeremonyRun, evidence: Evidence): Promise<void> {
  if (run.receipts.unjudged().length > 0) await judgeLate(run, evidence);
  // From the evidence, not from this look: what an earlier one judged may not have come into the status.
  const proven = new Set(evidence.bundle.proofs.map(({ custodian }) => custodian));
  if (proven.size > 0) run.observe({ proven });
}

async function judgeLate(run: CeremonyRun, evidence: Evidence): Promise<void> {
  const { status } = run.ceremony;
  const sent = new Map(
    (status?.custodians ?? []).flatMap(({ name, sha256 }) => (sha256 === undefined ? [] : [[name, sha256]])),
  );
  const inForce = makesShares(run.ceremony) && status?.phase === 'Completed';
  await run.receipts.judge(evidence, inForce ? lateProver(run) : tooLate, sent);
  recordProofs(evidence, run.context.clock.now());
}

const tooLate: Prover = async () => ({ verdict: refuse('The ceremony is over.'), proofKey: '' });

// Shares of an earlier set prove nothing any more.
function lateProver(run: CeremonyRun): Prover {
  return async (custodian, text, proof) => {
    const client = await run.client();
    if (client === undefined) return undefined;
    const shares = await sharesInForce(new CeremonyCalls(client), run.context.signal);
    if (shares === undefined) return undefined;
    const { generation } = run.ceremony.status ?? {};
    if (generation !== undefined && generation !== shares.generation)
      return { verdict: refuse('These shares were replaced: they are not in force any more.'), proofKey: '' };
    return proverWith(proofKeysOf(shares, run.ceremony.spec.type))(custodian, text, proof);
  };
}

async function watchToken(run: CeremonyRun, evidence: Evidence): Promise<void> {
  const { status, spec } = run.ceremony;
  const token = status?.rootToken;
  if (spec.type !== 'GenerateRoot' || token?.state !== 'active') return;
  const client = await run.client();
  if (client === undefined) return;
  const calls = new CeremonyCalls(client);
  const { signal, clock, events } = run.context;
  const { uid } = evidence.bundle.manifest.ceremony;
  if (spec.cancel) {
    const revoked = await calls.revokeToken(uid, { signal });
    // The engine keeps its last ceremony only.
    if (!revoked.ok && revoked.status === 404)
      events.record(
        run.ceremony,
        'Warning',
        'TokenNotRevoked',
        'The vault had another ceremony since and does not know this token: revoke it by its accessor, or wait for its end.',
      );
  }
  const reply = await calls.state(uid, { signal });
  const past = Date.parse(token.expiresAt ?? '') <= clock.now();
  if (!reply.ok && !(reply.status === 404 && past)) return;
  const told = reply.ok ? tokenOf(reply.body).token : { ...token, state: 'expired' as const };
  const state = told?.state;
  if (told === undefined || state === undefined || state === 'active') return;
  const step = state === 'revoked' ? 'token-revoked' : 'token-expired';
  const time = reply.ok ? reply.body.engineTime : undefined;
  evidence.add({ who: 'engine', step, time }, clock.now());
  run.observe({ token: told });
}
