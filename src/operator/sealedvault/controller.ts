import type { ControllerOptions } from '../options.ts';
import type {
  Controller,
  KubeObject,
  ObjectKey,
  ReconcileContext,
  ReconcileResult,
} from '../runtime/runtime.ts';
import { RecoveryGauges } from '../recovery/gauges.ts';
import { goesOn, observeRecovery, recoveryWatches } from '../recovery/observe.ts';
import { Certificates } from './certificates.ts';
import { CredentialWatch, credentialSecrets } from './credentials.ts';
import { Deletion } from './delete.ts';
import { SEALED_VAULT, type SealedVault } from './kind.ts';
import { VAULT_LABEL } from './names.ts';
import { plan } from './plan.ts';
import { observePods, podsOf } from './pods.ts';
import type { StatefulSet } from './resources/statefulset.ts';
import { ReferenceIndex } from './references.ts';
import { Renewal } from './renewal.ts';
import { keepSealRecord, type SealRecord } from './seal-record.ts';
import { deletingStatus, transitions } from './status.ts';
import type { SealedVaultStatus } from './status-schema.ts';
import {
  CONFIG_MAP,
  NETWORK_POLICY,
  POD,
  POD_DISRUPTION_BUDGET,
  SECRET,
  SERVICE,
  SERVICE_ACCOUNT,
  STATEFUL_SET,
} from './types.ts';

const SOON_MS = 10_000;
const LATER_MS = 30_000;
const UNKNOWN_MS = 500;

/** Keeps every SealedVault's objects, pod labels and status. */
export function createSealedVaultController(options: ControllerOptions): Controller {
  const reconciler = new SealedVaultReconciler(options);
  const owned = [CONFIG_MAP, NETWORK_POLICY, POD_DISRUPTION_BUDGET, SERVICE, SERVICE_ACCOUNT, STATEFUL_SET];
  return {
    name: 'sealedvault',
    primary: SEALED_VAULT,
    watches: [
      ...owned.map((type) => ({ type, labelSelector: VAULT_LABEL })),
      { type: POD, labelSelector: VAULT_LABEL, map: vaultOfPod },
      { type: SECRET, metadataOnly: true, map: (secret) => reconciler.references.keysOf(secret) },
      ...recoveryWatches,
    ],
    concurrency: 32,
    deadlineMs: 60_000,
    gauges: reconciler.recovery.gauges,
    reconcile: (key, context) => reconciler.reconcile(key, context),
  };
}

function vaultOfPod({ metadata }: KubeObject): readonly ObjectKey[] {
  const name = metadata.labels?.[VAULT_LABEL];
  return name === undefined ? [] : [{ namespace: metadata.namespace ?? '', name }];
}

class SealedVaultReconciler {
  readonly references: ReferenceIndex = new ReferenceIndex();
  readonly recovery: RecoveryGauges;
  readonly #options: ControllerOptions;
  readonly #certificates: Certificates;
  readonly #deletion: Deletion;
  readonly #credentials = new CredentialWatch();
  readonly #renewal: Renewal;

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.recovery = new RecoveryGauges(options.clock);
    this.#certificates = new Certificates(options);
    this.#deletion = new Deletion(options);
    this.#renewal = new Renewal(options.vaultClient);
  }

  async reconcile(key: ObjectKey, context: ReconcileContext): Promise<ReconcileResult> {
    const vault = context.cache.get<SealedVault>(SEALED_VAULT, key);
    if (vault === undefined) {
      this.references.set(key, []);
      this.recovery.forget(key);
      return {};
    }
    const tlsSecret = vault.spec.tls?.secretName;
    const own = tlsSecret === undefined ? [] : [tlsSecret];
    this.references.set(key, [...credentialSecrets({ inForce: vault.spec.hsm }), ...own]);
    const step = await this.#deletion.step(vault, context);
    if (vault.metadata.deletionTimestamp !== undefined) {
      if (step !== 'gone' && step !== 'release') await this.#report(vault, deletingStatus(vault), context);
      else {
        this.#certificates.forget(vault.metadata.uid ?? '');
        this.#renewal.forget(vault.metadata.uid ?? '');
      }
      return step === 'stop-pods' || step === 'delete-data' ? { requeueAfterMs: 1_000 } : {};
    }
    const seal = await keepSealRecord(vault, context, (uid) => goesOn(uid, vault, context.cache));
    const secrets = [...credentialSecrets(seal), ...credentialSecrets({ inForce: vault.spec.hsm }), ...own];
    this.references.set(key, [...new Set(secrets)]);
    return this.#keep(vault, seal, context);
  }

  async #keep(vault: SealedVault, seal: SealRecord, context: ReconcileContext): Promise<ReconcileResult> {
    const key = { namespace: vault.metadata.namespace ?? '', name: vault.metadata.name };
    const tls = await this.#certificates.ensure(vault, context);
    const pods = podsOf(vault, context.cache);
    const states = await observePods(vault, pods, tls, this.#options.vaultClient, context.signal);
    const recovery = observeRecovery(vault, states, context.cache, context.clock.now());
    this.recovery.set(key, recovery);
    const observed = {
      statefulSet: context.cache.get<StatefulSet>(STATEFUL_SET, key),
      pods: states,
      recovery,
      credentials: this.#credentials.observe(vault, seal, context.cache, context.clock.monotonic()),
      tls,
      seal,
    };
    const { objects, labels, status } = plan(vault, observed, context.clock.now(), this.#options);
    for (const [type, object] of objects) await context.api.apply(type, object, context.signal);
    for (const { pod, labels: wanted } of labels) {
      const podKey = { namespace: key.namespace, name: pod.metadata.name };
      // The uid makes it a conflict, and not a lie, when another pod has the name by now.
      const patch = { labels: wanted, uid: pod.metadata.uid };
      await context.api.patchMetadata(POD, podKey, patch, context.signal);
    }
    await this.#report(vault, status, context);
    const soon = await this.#renewal.renew(vault, observed, context);
    // Nothing rotates without consent: somebody has to make the ceremony.
    if (recovery?.propose === true)
      context.events.record(vault, 'Warning', 'RotateRecoveryProposed', recovery.message);
    if (soon || observed.credentials.state === 'unknown') return { requeueAfterMs: UNKNOWN_MS };
    return { requeueAfterMs: status.phase === 'Ready' ? LATER_MS : SOON_MS };
  }

  async #report(vault: SealedVault, status: SealedVaultStatus, context: ReconcileContext): Promise<void> {
    const { apiVersion, kind, metadata } = vault;
    const { name, namespace } = metadata;
    const object = {
      apiVersion,
      kind,
      metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
      status,
    };
    const outcome = await context.api.applyStatus(SEALED_VAULT, object, context.signal);
    if (outcome === 'unchanged') return;
    for (const { type, reason, message } of transitions(vault.status, status))
      context.events.record(vault, type, reason, message);
  }
}
