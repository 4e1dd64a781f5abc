import type { VaultApi } from '../../client/factory.ts';
import type { ControllerOptions } from '../options.ts';
import type { ReconcileContext } from '../runtime/runtime.ts';
import { openVaultPod } from '../sealedvault/access.ts';
import { SEALED_VAULT, type SealedVault } from '../sealedvault/kind.ts';
import { changeSealRecord, type SealRecord } from '../sealedvault/seal-record.ts';
import type { ActInput, ActOutcome, Ending } from './acts/act.ts';
import { performAct } from './acts/acts.ts';
import { Approvals } from './approvals/approvals.ts';
import type { Evidence } from './evidence/evidence.ts';
import { evidenceStatus, loadEvidence, storeEvidence } from './evidence/store.ts';
import { KeyTests } from './keytest/keytests.ts';
import { RECOVERY_CEREMONY, type RecoveryCeremony } from './kind.ts';
import { isOver, note, type Note, TERMINAL } from './note.ts';
import { isPlanOf } from './plan/freeze.ts';
import { PreparedPlan } from './plan/prepare.ts';
import { type Manifest, manifestDigest } from './plan/manifest.ts';
import { Receipts } from './receipts/receipts.ts';
import type { Facts, Step } from './recoveryceremony.ts';
import type { CeremonyPhase, CeremonyType } from './spec.ts';
import type { Progress } from './status.ts';

export const FINALIZER = 'sealedvault.io/delivery';

/** One reconcile of a ceremony: what it knows, and how each step changes that. */
export class CeremonyRun {
  readonly ceremony: RecoveryCeremony;
  readonly receipts: Receipts;
  readonly approvals: Approvals;
  readonly keyTests: KeyTests;
  readonly #context: ReconcileContext;
  readonly #options: ControllerOptions;
  readonly #vault: SealedVault | undefined;
  readonly #plan: PreparedPlan;
  #client: Promise<VaultApi | undefined> | undefined;
  #evidence: Evidence | undefined;
  #finalizers: readonly string[];
  #resourceVersion: string | undefined;
  #swapped: Facts['swapped'] = 'unchecked';
  #act: ActOutcome | undefined;
  #note: Note | undefined;

  private constructor(ceremony: RecoveryCeremony, options: ControllerOptions, context: ReconcileContext) {
    this.ceremony = ceremony;
    this.#context = context;
    this.#options = options;
    this.#finalizers = ceremony.metadata.finalizers ?? [];
    this.#resourceVersion = ceremony.metadata.resourceVersion;
    const key = { namespace: ceremony.metadata.namespace ?? '', name: ceremony.spec.vaultRef.name };
    this.#vault = context.cache.get<SealedVault>(SEALED_VAULT, key);
    this.#plan = new PreparedPlan(ceremony, this.#vault, context, () => this.client());
    this.receipts = new Receipts(ceremony, context);
    this.approvals = new Approvals(ceremony, context);
    this.keyTests = new KeyTests(ceremony, context);
  }

  /** Starts from what earlier reconciles, of this process or of one that died, left behind. */
  static async begin(
    ceremony: RecoveryCeremony,
    options: ControllerOptions,
    context: ReconcileContext,
  ): Promise<CeremonyRun> {
    const run = new CeremonyRun(ceremony, options, context);
    await run.#plan.load();
    await run.#recall();
    return run;
  }

  /** The evidence; undefined before there is a plan. */
  get evidence(): Evidence | undefined {
    return this.#evidence;
  }

  get context(): ReconcileContext {
    return this.#context;
  }

  facts(): Facts {
    const { metadata } = this.ceremony;
    return {
      finished: this.finished(),
      deleting: metadata.deletionTimestamp !== undefined,
      ending: this.ending() !== 'no',
      held: this.#finalizers.includes(FINALIZER),
      vaultFound: this.#vault !== undefined,
      keys: this.#plan.keys,
      frozen: this.#plan.manifest !== undefined,
      intact: this.#isIntact(),
      consent: this.approvals.isEnough(this.#plan.manifest),
      keyTest: this.keyTests.state(this.#plan.manifest),
      started: this.#evidence?.has('started') === true,
      swapped: this.#swapped,
      act: this.#act?.state ?? 'untried',
      witnessed: this.approvals.isWitnessed(this.#plan.manifest),
    };
  }

  finished(): boolean {
    return isOver(this.ceremony);
  }

  ending(): Ending {
    const { metadata, spec } = this.ceremony;
    if (metadata.deletionTimestamp !== undefined) return 'delete';
    if (spec.cancel === true) return 'cancel';
    const { manifest } = this.#plan;
    // A vault that may be initialized by now is not left half-way, however late.
    const late = manifest?.type !== 'Initialize' || this.#evidence?.has('started') !== true;
    if (manifest === undefined || !late) return 'no';
    return Date.parse(manifest.expiresAt) <= this.#context.clock.now() ? 'expire' : 'no';
  }

  progress(phase: CeremonyPhase): Progress {
    const evidence = this.#evidence;
    return {
      phase,
      findings: this.#plan.findings,
      warnings: this.#plan.warnings,
      manifest: this.#plan.manifest,
      digest: this.#digest(),
      consent: this.approvals.consent.size,
      keyTest: this.keyTests.progress(this.#plan.manifest),
      act: this.#act,
      evidence: evidence === undefined ? undefined : evidenceStatus(this.ceremony, evidence),
      sealed: evidence?.bundle.attestation?.head === evidence?.head,
      received: this.receipts.received(evidence),
      note: this.#whyNot(),
      vaultUid: this.#vault?.metadata.uid ?? this.ceremony.status?.vaultUid,
    };
  }

  /** Where the ceremony is while it waits. */
  waitingPhase(): CeremonyPhase {
    if (this.#vault === undefined) return 'Pending';
    if (this.#plan.manifest === undefined) return 'Preflight';
    const facts = this.facts();
    if (!facts.consent) return 'AwaitingApproval';
    if (facts.keyTest !== 'passed') return 'TestingKeys';
    if (!facts.started) return 'AwaitingApproval';
    // What is in force stays so, whether the vault answers now or not.
    if (this.#act?.state === 'done' || this.#evidence?.has('committed') === true) return 'AwaitingWitness';
    if (this.#act !== undefined) return this.#act.phase;
    const first: Partial<Record<CeremonyType, CeremonyPhase>> = {
      Initialize: 'Initializing',
      Drill: 'Drilling',
      SealMigration: 'ProvingSeals',
    };
    return first[this.ceremony.spec.type] ?? 'Collecting';
  }

  /** Does a step that changes what is known. */
  async perform(step: Exclude<Step, 'fail' | 'wait' | 'stop'>): Promise<void> {
    switch (step) {
      case 'inspect-keys':
        return this.#plan.inspect();
      case 'hold':
        return this.#finalize(true);
      case 'release':
        return this.#finalize(false);
      case 'freeze':
        await this.#plan.freeze();
        return this.#recall();
      case 'test-keys':
        if (this.#evidence !== undefined) await this.keyTests.publish(this.#evidence);
        return this.store();
      case 'recheck-keys':
        this.#swapped = await this.#plan.recheck();
        return;
      case 'start':
        this.#tell('operator', 'started');
        // Before the engine is asked it must stand written that it may have been.
        return this.store();
      case 'act':
        return this.#perform();
      case 'complete':
        this.#tell('engine', 'committed');
        return this.store();
      case 'end':
        return this.#end();
    }
  }

  /** A failure that no later look can heal is part of the evidence. */
  async fail(): Promise<void> {
    const { reason } = this.#whyNot();
    if (!TERMINAL.has(reason)) return;
    this.#evidence?.add({ who: 'operator', step: 'failed', facts: { reason } }, this.#context.clock.now());
    await this.store();
  }

  /** Writes the evidence when there is news, and then what was found of what people signed. */
  async store(): Promise<void> {
    if (this.#evidence === undefined) return;
    await storeEvidence(this.ceremony, this.#evidence, this.#context);
    await this.approvals.report();
    await this.keyTests.report();
    await this.receipts.report();
  }

  /** A client of the vault, made once; undefined while no pod can be reached. */
  client(): Promise<VaultApi | undefined> {
    if (this.#vault === undefined) return Promise.resolve(undefined);
    const { operatorNamespace, vaultClient } = this.#options;
    this.#client ??= openVaultPod(this.#vault, operatorNamespace, vaultClient, this.#context);
    return this.#client;
  }

  /** What the engine told since: a token that ended. */
  observe(outcome: Partial<ActOutcome>): void {
    const { phase = 'Completed', state = 'done', note: words = note('Committed', '') } = outcome;
    this.#act = { ...outcome, phase, state, note: words };
  }

  async #end(): Promise<void> {
    const expired = this.ending() === 'expire';
    this.#tell('operator', expired ? 'expired' : 'cancelled');
    const worthless = this.#evidence?.has('shares-made')
      ? ' The new shares that were made are worthless; those of before are in force.'
      : '';
    this.#note = expired
      ? note('Expired', `The ceremony was not complete in time.${worthless}`)
      : note('Cancelled', `The ceremony was cancelled.${worthless}`);
    await this.store();
  }

  #tell(who: string, step: 'started' | 'committed' | 'expired' | 'cancelled'): void {
    this.#evidence?.add({ who, step }, this.#context.clock.now());
  }

  async #recall(): Promise<void> {
    const { manifest } = this.#plan;
    if (manifest === undefined) return;
    this.#evidence = await loadEvidence(this.ceremony, manifest, this.#context);
    const open = !this.finished() && this.#isIntact();
    await this.approvals.judge(this.#evidence, { open });
    await this.keyTests.judge(this.#evidence, { open });
  }

  async #perform(): Promise<void> {
    const input = this.#actInput();
    if (input === undefined) return;
    this.#act = await performAct(input);
    if (this.#act.state === 'done') {
      // From here on witnesses sign: what they see has to stand written.
      this.#tell('engine', 'committed');
      await this.approvals.judge(input.evidence, { open: true });
    }
    await this.store();
  }

  #actInput(): ActInput | undefined {
    const { manifest } = this.#plan;
    const evidence = this.#evidence;
    if (manifest === undefined || evidence === undefined) return undefined;
    return {
      ceremony: this.ceremony,
      manifest,
      digest: manifestDigest(manifest),
      evidence,
      context: this.#context,
      client: () => this.client(),
      ending: this.ending(),
      changeSeal: (change) => this.#changeSeal(change),
      judgeReceipts: (prove, sent) => this.receipts.judge(evidence, prove, sent),
    };
  }

  async #changeSeal(change: (record: SealRecord) => SealRecord): Promise<SealRecord | undefined> {
    return this.#vault === undefined ? undefined : changeSealRecord(this.#vault, this.#context, change);
  }

  #digest(): string | undefined {
    const { manifest } = this.#plan;
    return manifest === undefined
      ? undefined
      : (this.ceremony.status?.manifestDigest ?? manifestDigest(manifest));
  }

  #isIntact(): boolean {
    const { manifest } = this.#plan;
    return (
      manifest !== undefined &&
      manifestDigest(manifest) === this.#digest() &&
      isPlanOf(this.ceremony, manifest)
    );
  }

  #whyNot(): Note {
    if (this.#note !== undefined) return this.#note;
    const told = this.ceremony.status?.conditions?.find(({ type }) => type === 'Committed');
    if (told !== undefined && this.finished())
      return { reason: told.reason as Note['reason'], message: told.message };
    const { name } = this.ceremony.spec.vaultRef;
    if (this.#vault === undefined)
      return note('VaultNotFound', `There is no SealedVault ${name} in this namespace.`);
    const { manifest } = this.#plan;
    if (manifest === undefined) return this.#plan.note;
    if (!this.#isIntact())
      return note('ManifestChanged', 'The plan is not the one whose digest was told: nothing is done by it.');
    const facts = this.facts();
    if (!facts.consent || facts.keyTest !== 'passed') return this.#awaited(manifest, facts);
    if (this.#swapped === 'yes' || this.#swapped === 'unknown') return this.#plan.note;
    if (this.#act === undefined) return this.#plan.note;
    if (this.#act.state === 'done' && !facts.witnessed)
      return note('AwaitingWitness', 'Witnesses have to sign status.evidence.head.');
    return this.#act.note;
  }

  /** What people have to do before the act. */
  #awaited(manifest: Manifest, { consent, keyTest }: Facts): Note {
    const test = keyTest === 'passed' ? undefined : this.keyTests.note(manifest);
    if (consent && test !== undefined) return test;
    const more = test === undefined ? '' : ` ${test.message}`;
    return note('AwaitingApproval', `${this.approvals.missing(manifest)}${more}`);
  }

  async #finalize(there: boolean): Promise<void> {
    const { metadata } = this.ceremony;
    const others = this.#finalizers.filter((each) => each !== FINALIZER);
    const finalizers = there ? [...others, FINALIZER] : others;
    const key = { namespace: metadata.namespace ?? '', name: metadata.name };
    const patch = { finalizers, ...(there ? { resourceVersion: this.#resourceVersion } : {}) };
    await this.#context.api.patchMetadata(RECOVERY_CEREMONY, key, patch, this.#context.signal);
    this.#finalizers = finalizers;
  }
}
