import type { Clock } from '../../../lib/clock.ts';
import type { ApplyOutcome, KubeObject, ResourceType } from '../runtime.ts';
import { keyOf } from '../watch/store.ts';
import type { LiveObjects } from './apply.ts';
import type { Calls } from './calls.ts';
import { hashOf, same } from './compare.ts';
import { Memory } from './memory.ts';
import { objectPath } from './paths.ts';

/** Server-side apply of statuses, of which the operator owns every field: skipped when nothing differs. */
export class StatusApplier {
  readonly #calls: Calls;
  readonly #live: LiveObjects;
  readonly #clock: Clock;
  readonly #memory = new Memory();

  constructor(calls: Calls, live: LiveObjects, clock: Clock) {
    this.#calls = calls;
    this.#live = live;
    this.#clock = clock;
  }

  /** Applies a status when it differs from the live one. */
  async apply(
    type: ResourceType,
    object: KubeObject & { readonly status: object },
    signal: AbortSignal,
  ): Promise<ApplyOutcome> {
    const key = keyOf(object);
    const id = objectPath(type, key);
    const { name, namespace } = object.metadata;
    const body = {
      apiVersion: type.apiVersion,
      kind: type.kind,
      metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
      status: object.status,
    };
    const hash = hashOf(object.status);
    const live = this.#live.get(type, key);
    const version = live?.metadata.resourceVersion;
    if (live !== undefined) {
      if ('status' in live && same(live.status, object.status)) return 'unchanged';
      const written = this.#memory.get(id);
      if (written?.hash === hash && version !== undefined) {
        // The cache has yet to see what was written; or the schema keeps it in another form, as far as it ever will.
        if (version === written.before || version === written.version) return 'unchanged';
      }
    }
    const options = { manager: 'sealedvault-status', subresource: 'status' };
    const answer = await this.#calls.patch(type, body, options, signal);
    this.#memory.set(id, hash, version, answer, this.#clock.monotonic());
    return answer?.metadata.resourceVersion === version ? 'unchanged' : 'configured';
  }
}
