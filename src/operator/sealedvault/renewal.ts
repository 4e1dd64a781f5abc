import { VaultClientError } from '../../client/errors.ts';
import type { VaultClientFactory } from '../../client/factory.ts';
import type { ReconcileContext } from '../runtime/runtime.ts';
import type { SealedVault } from './kind.ts';
import { PIN_REVISION } from './names.ts';
import { clientOf, type Pod } from './pods.ts';
import type { Observed } from './sealedvault.ts';
import { POD } from './types.ts';

/**
 * New slots and PINs without a new pod: the engine has its HSM agents started anew, whose containers get the Secrets of
 * today, and serves on meanwhile. A pod's annotation says with which revision of the Secrets that was done last.
 */
export class Renewal {
  readonly #factory: VaultClientFactory;
  /** Since when a revision is known, by the uid of the vault: kubelets hear of it, too. */
  readonly #known = new Map<string, { readonly revision: string; readonly since: number }>();

  constructor(factory: VaultClientFactory) {
    this.#factory = factory;
  }

  /** @returns whether to look again soon */
  async renew(vault: SealedVault, observed: Observed, context: ReconcileContext): Promise<boolean> {
    const late = outdated(observed);
    if (late.length === 0 || observed.credentials.state !== 'found') return false;
    const { revision } = observed.credentials;
    if (!this.#isSettled(vault, revision, context.clock.monotonic())) return true;
    for (const pod of late) await this.#renewPod(vault, pod, revision, observed, context);
    return true;
  }

  forget(uid: string): void {
    this.#known.delete(uid);
  }

  async #renewPod(
    vault: SealedVault,
    pod: Pod,
    revision: string,
    { tls }: Observed,
    { api, events, log, signal }: ReconcileContext,
  ): Promise<void> {
    const client = tls.ok ? clientOf(vault, pod, tls, this.#factory) : undefined;
    if (client === undefined) return;
    const { namespace = '', name, uid } = pod.metadata;
    try {
      const { status } = await client.request('PUT', 'sys/hsm-agent/restart', {}, { signal });
      if (status !== 204) {
        log.warn({ pod: name, status }, 'the HSM agent could not be started anew');
        return;
      }
    } catch (error) {
      if (!(error instanceof VaultClientError)) throw error;
      return;
    }
    const annotations = { [PIN_REVISION]: revision };
    await api.patchMetadata(POD, { namespace, name }, { annotations, uid }, signal);
    const words = `Slot and PIN changed: the HSM agent of ${name} was started anew.`;
    events.record(vault, 'Normal', 'CredentialsRenewed', words);
  }

  #isSettled({ metadata }: SealedVault, revision: string, now: number): boolean {
    const uid = metadata.uid ?? '';
    const known = this.#known.get(uid);
    if (known?.revision !== revision) {
      this.#known.set(uid, { revision, since: now });
      return false;
    }
    return now - known.since >= SETTLED_MS;
  }
}

const SETTLED_MS = 2_000;

/** Pods with an HSM agent of their own that was started with other credentials; pure. */
export function outdated({ pods, credentials, seal }: Observed): readonly Pod[] {
  if (credentials.state !== 'found' || seal.inForce.placement !== 'Sidecar') return [];
  return pods
    .filter(({ engine }) => engine !== undefined)
    .map(({ pod }) => pod)
    .filter(({ metadata }) => metadata.annotations?.[PIN_REVISION] !== credentials.revision);
}
