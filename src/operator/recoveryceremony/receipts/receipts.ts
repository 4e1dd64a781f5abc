import { LOST } from '../../../ceremony/statement.ts';
import type { ReconcileContext } from '../../runtime/runtime.ts';
import type { Evidence } from '../evidence/evidence.ts';
import type { RecoveryCeremony } from '../kind.ts';
import { signedBy } from '../people/moment.ts';
import { reportVerdict } from '../report.ts';
import type { Verdict } from '../verdict.ts';
import { type JudgedReceipt, judgeReceipt, type Prover } from './judge.ts';
import { SHARE_RECEIPT, type ShareReceipt } from './kind.ts';

/** What custodians said and proved of one ceremony. */
export class Receipts {
  readonly #ceremony: RecoveryCeremony;
  readonly #context: ReconcileContext;
  readonly #verdicts = new Map<string, readonly [ShareReceipt, Verdict]>();

  constructor(ceremony: RecoveryCeremony, context: ReconcileContext) {
    this.#ceremony = ceremony;
    this.#context = context;
  }

  /** Those that nobody has judged. */
  unjudged(): readonly ShareReceipt[] {
    const { namespace, name } = this.#ceremony.metadata;
    return this.#context.cache
      .list<ShareReceipt>(SHARE_RECEIPT, namespace)
      .filter(({ spec, status }) => status === undefined && spec.ceremonyRef.name === name)
      .filter(({ spec }) => spec.keyTest === undefined)
      .filter(({ metadata }) => !this.#verdicts.has(metadata.name));
  }

  /** Judges what came, into the evidence; report() tells. What cannot be told yet is left for later. */
  async judge(evidence: Evidence, prove: Prover, sent: ReadonlyMap<string, string>): Promise<void> {
    const { manifest } = evidence.bundle;
    for (const receipt of this.unjudged()) {
      const now = signedBy(this.#context.clock.now());
      const judged = await judgeReceipt(receipt, { manifest, sent, prove }, now);
      if (judged === undefined) continue;
      this.#record(receipt, judged, evidence);
      this.#verdicts.set(receipt.metadata.name, [receipt, judged.verdict]);
    }
  }

  /** Writes what was found into the status of each, once the evidence is stored. */
  async report(): Promise<void> {
    const found = [...this.#verdicts.values()];
    this.#verdicts.clear();
    for (const [receipt, verdict] of found)
      await reportVerdict(SHARE_RECEIPT, receipt, verdict, this.#context);
  }

  /** What custodians signed of their shares, by the evidence. */
  received(evidence: Evidence | undefined): ReadonlyMap<string, 'Accepted' | 'Lost'> {
    const found = new Map<string, 'Accepted' | 'Lost'>();
    for (const { who, step } of evidence?.bundle.entries ?? []) {
      if (step === 'reported-lost') found.set(who, 'Lost');
      // Who finds a share again proves it in a drill; a word alone does not take back a loss.
      if (step === 'received' && found.get(who) === undefined) found.set(who, 'Accepted');
    }
    return found;
  }

  #record({ metadata, spec }: ShareReceipt, judged: JudgedReceipt, evidence: Evidence): void {
    const now = this.#context.clock.now();
    const { verdict, statement, proof, lost } = judged;
    if (!verdict.accepted) {
      const facts = { object: metadata.name, uid: metadata.uid ?? '', why: verdict.message };
      evidence.add({ who: 'operator', step: 'refused', facts }, now);
      return;
    }
    if (statement !== undefined) {
      evidence.addStatement(statement);
      const facts = { sha256: spec.sha256 ?? '', stored: lost === true ? LOST : (spec.storage ?? '') };
      evidence.add({ who: spec.custodian, step: lost === true ? 'reported-lost' : 'received', facts }, now);
    }
    if (proof !== undefined) evidence.addProof(proof);
  }
}
