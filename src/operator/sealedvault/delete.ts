import type { ControllerOptions } from '../options.ts';
import type { KubeObject, ReconcileContext } from '../runtime/runtime.ts';
import { type DeletionStep, deletionStep, FINALIZER } from './deletion.ts';
import { SEALED_VAULT, type SealedVault } from './kind.ts';
import { namesOf, selectorText } from './names.ts';
import { podsOf } from './pods.ts';
import { PERSISTENT_VOLUME_CLAIM, SECRET, STATEFUL_SET } from './types.ts';

/** Does what deletion.ts decides: one step a reconcile, each of which can be repeated. */
export class Deletion {
  readonly #options: ControllerOptions;

  constructor(options: ControllerOptions) {
    this.#options = options;
  }

  async step(vault: SealedVault, context: ReconcileContext): Promise<DeletionStep> {
    const key = { namespace: vault.metadata.namespace ?? '', name: vault.metadata.name };
    const { api, cache, signal } = context;
    const removing = vault.metadata.deletionTimestamp !== undefined && vault.spec.deletionPolicy === 'Delete';
    const claims = removing
      ? await api.list(PERSISTENT_VOLUME_CLAIM, key.namespace, selectorText(key), signal)
      : [];
    const set = cache.get(STATEFUL_SET, key);
    const step = deletionStep(vault, {
      statefulSet: set !== undefined,
      pods: podsOf(vault, cache).length > 0,
      claims: claims.length > 0,
    });
    switch (step) {
      case 'keep':
      case 'gone':
        break;
      case 'add-finalizer':
        await this.#finalize(vault, true, context);
        break;
      case 'remove-finalizer':
        await this.#finalize(vault, false, context);
        break;
      case 'stop-pods':
        if (set !== undefined) await api.delete(STATEFUL_SET, key, uidOf(set), signal);
        break;
      case 'delete-data':
        for (const claim of claims) {
          const name = { namespace: key.namespace, name: claim.metadata.name };
          if (claim.metadata.deletionTimestamp === undefined)
            await api.delete(PERSISTENT_VOLUME_CLAIM, name, uidOf(claim), signal);
        }
        break;
      case 'release':
        if (removing) {
          const authority = { namespace: this.#options.operatorNamespace, name: namesOf(key).authority };
          const secret = await api.get(SECRET, authority, signal);
          if (secret !== undefined) await api.delete(SECRET, authority, uidOf(secret), signal);
        }
        await this.#finalize(vault, false, context);
        break;
    }
    return step;
  }

  async #finalize({ metadata }: SealedVault, there: boolean, context: ReconcileContext): Promise<void> {
    const others = (metadata.finalizers ?? []).filter((each) => each !== FINALIZER);
    const key = { namespace: metadata.namespace ?? '', name: metadata.name };
    // A list is replaced as a whole: the version makes sure that it is the one that was read.
    const patch = {
      finalizers: there ? [...others, FINALIZER] : others,
      resourceVersion: metadata.resourceVersion,
    };
    await context.api.patchMetadata(SEALED_VAULT, key, patch, context.signal);
  }
}

function uidOf({ metadata }: KubeObject): { uid?: string } {
  return metadata.uid === undefined ? {} : { uid: metadata.uid };
}
