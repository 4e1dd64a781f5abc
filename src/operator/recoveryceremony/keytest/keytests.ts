import { PgpKeyInvalid } from '../../../ceremony/pgp.ts';
import type { ReconcileContext } from '../../runtime/runtime.ts';
import { CONFIG_MAP } from '../../sealedvault/types.ts';
import type { Judged } from '../approvals/judge.ts';
import type { Evidence } from '../evidence/evidence.ts';
import type { RecoveryCeremony } from '../kind.ts';
import { note, type Note } from '../note.ts';
import { signedBy } from '../people/moment.ts';
import type { Manifest } from '../plan/manifest.ts';
import type { Data } from '../plan/store.ts';
import { SHARE_RECEIPT, type ShareReceipt } from '../receipts/kind.ts';
import type { Facts } from '../recoveryceremony.ts';
import { reportVerdict } from '../report.ts';
import type { Progress } from '../status.ts';
import { refuse, type Verdict } from '../verdict.ts';
import { challengesName, challengesObject, readCommitments } from './challenges.ts';
import { answeredOf, judgeAnswer } from './judge.ts';

/**
 * The key test of one ceremony. Messages are published in one write; what is compared with answers is read back from there
 * into the evidence, so that a death in between changes nothing. Messages that somebody deleted are made anew, and answers
 * to the old ones stay right.
 */
export class KeyTests {
  readonly #ceremony: RecoveryCeremony;
  readonly #context: ReconcileContext;
  readonly #verdicts: (readonly [ShareReceipt, Verdict])[] = [];
  #answered: ReadonlySet<string> = new Set();
  #published = false;
  #blocked: Note | undefined;

  constructor(ceremony: RecoveryCeremony, context: ReconcileContext) {
    this.#ceremony = ceremony;
    this.#context = context;
  }

  /** Publishes a message for each custodian, unless they are there. */
  async publish(evidence: Evidence): Promise<void> {
    const { api, random, signal } = this.#context;
    try {
      const object = await challengesObject(this.#ceremony, evidence.bundle.manifest, random);
      await api.create(CONFIG_MAP, object, signal);
    } catch (error) {
      if (!(error instanceof PgpKeyInvalid)) throw error;
      this.#blocked = note('KeysRefused', `Keys cannot be used any more: ${error.message}.`);
      return;
    }
    await this.#load(evidence);
    if (!this.#published) this.#blocked ??= this.#conflict();
  }

  /** Judges what came and was not judged, into the evidence; report() tells. */
  async judge(evidence: Evidence, { open }: { readonly open: boolean }): Promise<void> {
    const { cache } = this.#context;
    const { namespace, name } = this.#ceremony.metadata;
    this.#answered = await answeredOf(evidence.bundle);
    const { manifest } = evidence.bundle;
    if (open && this.#missing(manifest).length > 0) await this.#load(evidence);
    const mine = cache
      .list<ShareReceipt>(SHARE_RECEIPT, namespace)
      .filter(({ spec }) => spec.keyTest !== undefined && spec.ceremonyRef.name === name)
      .filter((each) => !this.#isSettled(each, open));
    for (const receipt of mine) {
      const judged = open
        ? await judgeAnswer(receipt, evidence.bundle, signedBy(this.#context.clock.now()))
        : { verdict: refuse('The ceremony is over.') };
      this.#record(receipt, judged, evidence);
      this.#verdicts.push([receipt, judged.verdict]);
    }
    if (mine.length > 0) this.#answered = await answeredOf(evidence.bundle);
  }

  /** Writes what was found into the status of each, once the evidence is stored. */
  async report(): Promise<void> {
    for (const [receipt, verdict] of this.#verdicts.splice(0))
      await reportVerdict(SHARE_RECEIPT, receipt, verdict, this.#context);
  }

  state(manifest: Manifest | undefined): Facts['keyTest'] {
    if (manifest === undefined || this.#missing(manifest).length === 0) return 'passed';
    if (this.#published) return 'open';
    return this.#blocked === undefined ? 'unmade' : 'blocked';
  }

  /** For the status; undefined when the plan asks for no key test. */
  progress(manifest: Manifest | undefined): Progress['keyTest'] {
    if (manifest?.keyTest === undefined) return undefined;
    return { answered: this.#answered, missing: this.note(manifest) };
  }

  /** What to say while answers are missing. */
  note(manifest: Manifest): Note {
    if (this.#blocked !== undefined) return this.#blocked;
    const missing = this.#missing(manifest).join(', ');
    return note('AwaitingKeyTest', `The test message was not answered yet by ${missing}.`);
  }

  #missing({ keyTest, custodians = [] }: Manifest): readonly string[] {
    if (keyTest === undefined) return [];
    return custodians.map(({ name }) => name).filter((name) => !this.#answered.has(name));
  }

  // What was refused stays so. What was accepted has to be in the evidence: a status alone is not believed.
  #isSettled({ spec, status }: ShareReceipt, open: boolean): boolean {
    if (status === undefined) return false;
    return !status.accepted || !open || this.#answered.has(spec.custodian);
  }

  async #load(evidence: Evidence): Promise<void> {
    const { api, signal, clock } = this.#context;
    const key = {
      namespace: this.#ceremony.metadata.namespace ?? '',
      name: challengesName(this.#ceremony),
    };
    const map = await api.get<Data>(CONFIG_MAP, key, signal);
    const facts = readCommitments(this.#ceremony, evidence.bundle.manifest, map);
    this.#published = facts !== undefined;
    if (facts === undefined) this.#blocked = map === undefined ? undefined : this.#conflict();
    else evidence.add({ who: 'operator', step: 'key-test', facts }, clock.now());
  }

  #conflict(): Note {
    const name = challengesName(this.#ceremony);
    return note('SecretConflict', `The ConfigMap ${name} belongs to something else: delete it.`);
  }

  #record({ metadata, spec }: ShareReceipt, judged: Judged, evidence: Evidence): void {
    const now = this.#context.clock.now();
    const { verdict, statement, fingerprint = '' } = judged;
    if (statement === undefined) {
      const facts = { object: metadata.name, uid: metadata.uid ?? '', why: verdict.message };
      evidence.add({ who: 'operator', step: 'refused', facts }, now);
      return;
    }
    if (this.#answered.has(spec.custodian)) return;
    evidence.addStatement(statement);
    const facts = { key: fingerprint, answer: spec.keyTest?.answer ?? '' };
    evidence.add({ who: spec.custodian, step: 'key-tested', facts }, now);
  }
}
