import type { ReconcileContext } from '../../runtime/runtime.ts';
import type { Evidence } from '../evidence/evidence.ts';
import type { RecoveryCeremony } from '../kind.ts';
import { signedBy } from '../people/moment.ts';
import type { Manifest } from '../plan/manifest.ts';
import { reportVerdict } from '../report.ts';
import { refuse, type Verdict } from '../verdict.ts';
import { consentOf, witnessesOf } from './counted.ts';
import { type Judged, judgeApproval } from './judge.ts';
import { CEREMONY_APPROVAL, type CeremonyApproval } from './kind.ts';

/** What approvers and witnesses signed of one ceremony. */
export class Approvals {
  readonly #ceremony: RecoveryCeremony;
  readonly #context: ReconcileContext;
  readonly #verdicts: (readonly [CeremonyApproval, Verdict])[] = [];
  #consent: ReadonlySet<string> = new Set();
  #witnesses: ReadonlySet<string> = new Set();

  constructor(ceremony: RecoveryCeremony, context: ReconcileContext) {
    this.#ceremony = ceremony;
    this.#context = context;
  }

  /** Names of approvers whose consent counts. */
  get consent(): ReadonlySet<string> {
    return this.#consent;
  }

  /** Judges what came and was not judged, into the evidence; report() tells. */
  async judge(evidence: Evidence, { open }: { readonly open: boolean }): Promise<void> {
    const { cache, clock } = this.#context;
    const { namespace, name } = this.#ceremony.metadata;
    const mine = cache
      .list<CeremonyApproval>(CEREMONY_APPROVAL, namespace)
      .filter(({ spec }) => spec.ceremonyRef.name === name);
    // Whoever wrote that it has started: without consent it has not.
    const { manifest } = evidence.bundle;
    const pending = (): boolean => !evidence.has('started') || !this.isEnough(manifest);
    const look = async (): Promise<void> => {
      const waits = !evidence.has('started');
      this.#consent = await consentOf(evidence.bundle, signedBy(clock.now()), waits);
      this.#witnesses = await witnessesOf(evidence.bundle);
    };
    await look();
    for (const approval of mine) {
      const approving = open && pending();
      if (isSettled(approval, approving, this.#witnesses)) continue;
      const judged = await this.#judge(approval, evidence, open, approving);
      if (judged === undefined) continue;
      this.#record(approval, judged, evidence);
      this.#verdicts.push([approval, judged.verdict]);
    }
    await look();
  }

  /** Writes what was found into the status of each, once the evidence is stored. */
  async report(): Promise<void> {
    for (const [approval, verdict] of this.#verdicts.splice(0))
      await reportVerdict(CEREMONY_APPROVAL, approval, verdict, this.#context);
  }

  isEnough(manifest: Manifest | undefined): boolean {
    return manifest !== undefined && this.#consent.size >= (manifest.approvals?.required ?? 0);
  }

  isWitnessed(manifest: Manifest | undefined): boolean {
    return this.#witnesses.size >= (manifest?.witnesses?.required ?? 0);
  }

  /** What to say while consent is missing. */
  missing({ approvals }: Manifest): string {
    const { approvers = [], required = 0 } = approvals ?? {};
    const silent = approvers.filter((name) => !this.#consent.has(name)).join(', ');
    return `${this.#consent.size} of ${required} approvals are there; ${silent} can give one, over status.manifestDigest.`;
  }

  async #judge(
    approval: CeremonyApproval,
    evidence: Evidence,
    open: boolean,
    approving: boolean,
  ): Promise<Judged | undefined> {
    const { clock } = this.#context;
    if (!open && approval.spec.role === 'Approver') return { verdict: refuse('The ceremony is over.') };
    const committed = evidence.find('committed');
    const time = { approving, witnessFrom: committed?.number };
    return judgeApproval(approval, evidence.bundle.manifest, evidence.bundle, time, signedBy(clock.now()));
  }

  #record(
    { metadata, spec }: CeremonyApproval,
    { verdict, statement, fingerprint }: Judged,
    evidence: Evidence,
  ): void {
    const now = this.#context.clock.now();
    if (statement === undefined) {
      const facts = { object: metadata.name, uid: metadata.uid ?? '', why: verdict.message };
      evidence.add({ who: 'operator', step: 'refused', facts }, now);
      return;
    }
    // One statement of a person is enough, however many objects say it.
    const counted = spec.role === 'Approver' ? this.#consent : this.#witnesses;
    if (counted.has(spec.person)) return;
    evidence.addStatement(statement);
    const step = spec.role === 'Approver' ? 'approved' : 'witnessed';
    const facts: Record<string, string> = { key: fingerprint ?? '' };
    if (spec.role === 'Witness') {
      facts['evidence'] = spec.evidence ?? '';
      facts['deviations'] = spec.deviations ?? 'none';
    }
    evidence.add({ who: spec.person, step, facts }, now);
  }
}

// What was refused stays so: the object cannot change. What was accepted has to be in the evidence, and consent that is
// still to be acted on is never taken from a status.
function isSettled(
  { spec, status }: CeremonyApproval,
  approving: boolean,
  witnesses: ReadonlySet<string>,
): boolean {
  if (status === undefined) return false;
  if (!status.accepted) return true;
  return spec.role === 'Approver' ? !approving : witnesses.has(spec.person);
}
