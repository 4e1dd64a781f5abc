import type { ControllerOptions } from '../options.ts';
import type { ReconcileContext } from '../runtime/runtime.ts';
import { openVaultPod } from '../sealedvault/access.ts';
import { SEALED_VAULT, type SealedVault } from '../sealedvault/kind.ts';
import type { ConfigMap } from '../sealedvault/resources/config.ts';
import { CONFIG_MAP, SECRET } from '../sealedvault/types.ts';
import { inspectCustodians, judgeKeys, type KeyFinding } from './custodians.ts';
import { askEngine } from './engine.ts';
import { RECOVERY_CEREMONY, type RecoveryCeremony } from './kind.ts';
import { holdsMessage, type Message, messageSecret, readAnswer } from './messages.ts';
import { type Facts, type Step } from './recoveryceremony.ts';
import {
  freeze,
  type FrozenRequest,
  initRequest,
  readRequest,
  requestName,
  requestObject,
} from './request.ts';
import type { Note, Progress } from './status.ts';
import type { CeremonyPhase } from './spec.ts';

export const FINALIZER = 'sealedvault.io/delivery';
/** Reasons of a failure that no later look can heal. */
const TERMINAL = new Set<string | undefined>(['KeysRefused', 'VaultAlreadyInitialized']);

/** One reconcile of a ceremony: what it knows, and how each step changes that. */
export class CeremonyRun {
  readonly #ceremony: RecoveryCeremony;
  readonly #options: ControllerOptions;
  readonly #context: ReconcileContext;
  readonly #vault: SealedVault | undefined;
  #finalizers: readonly string[];
  #resourceVersion: string | undefined;
  #findings: readonly KeyFinding[] = [];
  #keys: Facts['keys'] = 'unchecked';
  #request: FrozenRequest | undefined;
  #engine: Facts['engine'] = 'unasked';
  #messages: readonly Message[] = [];
  #delivery: Facts['delivery'] = 'pending';
  readonly #delivered = new Set<string>();
  #note: Note;

  private constructor(ceremony: RecoveryCeremony, options: ControllerOptions, context: ReconcileContext) {
    this.#ceremony = ceremony;
    this.#options = options;
    this.#context = context;
    this.#finalizers = ceremony.metadata.finalizers ?? [];
    this.#resourceVersion = ceremony.metadata.resourceVersion;
    const key = { namespace: ceremony.metadata.namespace ?? '', name: ceremony.spec.vaultRef.name };
    this.#vault = context.cache.get<SealedVault>(SEALED_VAULT, key);
    this.#note =
      this.#vault === undefined
        ? { reason: 'VaultNotFound', message: `There is no SealedVault ${key.name} in this namespace.` }
        : { reason: 'AwaitingPreflight', message: 'The custodians’ keys were not looked at yet.' };
  }

  /** Starts from what earlier reconciles, of this process or of one that died, left behind. */
  static async begin(
    ceremony: RecoveryCeremony,
    options: ControllerOptions,
    context: ReconcileContext,
  ): Promise<CeremonyRun> {
    const run = new CeremonyRun(ceremony, options, context);
    if (!run.facts().finished) {
      const key = { namespace: ceremony.metadata.namespace ?? '', name: requestName(ceremony) };
      run.#request = readRequest(ceremony, await context.api.get<ConfigMap>(CONFIG_MAP, key, context.signal));
    }
    return run;
  }

  facts(): Facts {
    const { metadata, status } = this.#ceremony;
    const reason = status?.conditions?.find(({ type }) => type === 'Committed')?.reason;
    return {
      finished: status?.phase === 'Completed' || (status?.phase === 'Failed' && TERMINAL.has(reason)),
      deleting: metadata.deletionTimestamp !== undefined,
      held: this.#finalizers.includes(FINALIZER),
      vaultFound: this.#vault !== undefined,
      keys: this.#keys,
      frozen: this.#request !== undefined,
      engine: this.#engine,
      delivery: this.#delivery,
    };
  }

  progress(phase: CeremonyPhase): Progress {
    return {
      phase,
      findings: this.#findings,
      request: this.#request,
      messages: this.#messages,
      delivered: this.#delivered,
      note: this.#note,
      vaultUid: this.#vault?.metadata.uid ?? this.#ceremony.status?.vaultUid,
    };
  }

  /** Where the ceremony is while it waits. */
  waitingPhase(): CeremonyPhase {
    if (this.#vault === undefined) return 'Pending';
    if (this.#request === undefined) return 'Preflight';
    return this.#engine === 'answered' ? 'Delivering' : 'Initializing';
  }

  /** Does a step that changes what is known. */
  async perform(step: Exclude<Step, 'commit' | 'fail' | 'wait' | 'stop'>): Promise<void> {
    switch (step) {
      case 'inspect-keys':
        return this.#inspect();
      case 'hold':
        return this.#finalize(true);
      case 'release':
        return this.#finalize(false);
      case 'freeze':
        return this.#freeze();
      case 'initialize':
        return this.#initialize();
      case 'deliver':
        return this.#deliver();
    }
  }

  async #inspect(): Promise<void> {
    const { metadata, spec } = this.#ceremony;
    this.#findings = await inspectCustodians(spec.custodians, metadata.namespace ?? '', this.#context);
    this.#keys = judgeKeys(this.#findings);
    const troubled = this.#findings.filter(({ problem }) => problem !== undefined);
    if (troubled.length > 0) {
      const message = troubled.map(({ name, problem }) => `${name}: ${problem}`).join('; ');
      this.#note = { reason: 'KeysRefused', message: `Keys cannot be used. ${message}.` };
    }
  }

  async #freeze(): Promise<void> {
    const request = freeze(this.#ceremony, this.#findings);
    const object = requestObject(this.#ceremony, request);
    const { api, signal } = this.#context;
    if ((await api.create(CONFIG_MAP, object, signal)) !== undefined) {
      this.#request = request;
      return;
    }
    const key = { namespace: this.#ceremony.metadata.namespace ?? '', name: requestName(this.#ceremony) };
    const live = await api.get<ConfigMap>(CONFIG_MAP, key, signal);
    this.#request = readRequest(this.#ceremony, live);
    if (this.#request !== undefined) return;
    this.#keys = 'waiting';
    this.#note = {
      reason: 'SecretConflict',
      message: `The ConfigMap ${key.name} belongs to something else: delete it.`,
    };
  }

  async #initialize(): Promise<void> {
    const { signal } = this.#context;
    const { operatorNamespace, vaultClient } = this.#options;
    if (this.#vault === undefined || this.#request === undefined) return;
    const client = await openVaultPod(this.#vault, operatorNamespace, vaultClient, this.#context);
    if (client === undefined) {
      this.#engine = 'retry';
      this.#note = { reason: 'VaultNotReachable', message: 'No pod of the vault can be reached yet.' };
      return;
    }
    const deleting = this.#ceremony.metadata.deletionTimestamp !== undefined;
    const exchange = await askEngine(client, initRequest(this.#ceremony, this.#request), deleting, signal);
    if (exchange.engine !== 'answered') {
      this.#engine = exchange.engine;
      this.#note = exchange.note;
      return;
    }
    const messages = readAnswer(this.#ceremony, this.#request, exchange);
    this.#engine = messages === undefined ? 'unusable' : 'answered';
    this.#messages = messages ?? [];
    this.#note =
      messages === undefined
        ? {
            reason: 'EngineAnswerUnusable',
            message: 'The vault answered with something that is not one OpenPGP message for each custodian.',
          }
        : { reason: 'WritingSecrets', message: 'The shares are being written to their Secrets.' };
  }

  async #deliver(): Promise<void> {
    const { api, signal } = this.#context;
    const namespace = this.#ceremony.metadata.namespace ?? '';
    const taken: string[] = [];
    for (const message of this.#messages) {
      const created = await api.create(SECRET, messageSecret(this.#ceremony, message), signal);
      if (created === undefined) {
        const live = await api.get(SECRET, { namespace, name: message.secretName }, signal);
        if (live === undefined || !holdsMessage(live, message)) {
          taken.push(message.secretName);
          continue;
        }
      }
      this.#delivered.add(message.secretName);
    }
    this.#delivery = taken.length === 0 ? 'done' : 'conflict';
    if (taken.length > 0)
      this.#note = {
        reason: 'SecretConflict',
        message: `A Secret with other content has the name of a share: ${taken.join(', ')}. Move it away; nothing was overwritten, and the vault still has the encrypted shares.`,
      };
  }

  async #finalize(there: boolean): Promise<void> {
    const { metadata } = this.#ceremony;
    const others = this.#finalizers.filter((each) => each !== FINALIZER);
    const finalizers = there ? [...others, FINALIZER] : others;
    const key = { namespace: metadata.namespace ?? '', name: metadata.name };
    const patch = { finalizers, ...(there ? { resourceVersion: this.#resourceVersion } : {}) };
    await this.#context.api.patchMetadata(RECOVERY_CEREMONY, key, patch, this.#context.signal);
    this.#finalizers = finalizers;
  }
}
