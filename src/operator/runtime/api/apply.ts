import type { Clock } from '../../../lib/clock.ts';
import { NameConflict } from '../errors.ts';
import type { ApplyOutcome, KubeObject, ObjectMeta, ResourceType } from '../runtime.ts';
import type { Coverage } from '../watch/informers.ts';
import { controllerOf, keyOf } from '../watch/store.ts';
import type { Calls } from './calls.ts';
import { contains, hashOf } from './compare.ts';
import { Memory, type Written } from './memory.ts';
import { objectPath } from './paths.ts';

/** Holds the hash of what was last applied, so that a field that is no longer wanted is noticed. */
export const APPLIED = 'sealedvault.io/applied';

/** What an applier knows of the live objects. */
export interface LiveObjects {
  get(type: ResourceType, key: { readonly namespace: string; readonly name: string }): KubeObject | undefined;
  coverage(type: ResourceType): Coverage;
}

// What no watch shows is written once an hour, in case somebody deleted or changed it.
const UNSEEN_MS = 3_600_000;

/**
 * Server-side apply of what differs. Of a kind that is watched in full the live object is compared; of one of which
 * only metadata is watched, or nothing (Secrets), it is remembered what was written: no content is read back, and
 * no hash of it leaves this process.
 */
export class Applier {
  readonly #calls: Calls;
  readonly #live: LiveObjects;
  readonly #clock: Clock;
  readonly #memory = new Memory();

  constructor(calls: Calls, live: LiveObjects, clock: Clock) {
    this.#calls = calls;
    this.#live = live;
    this.#clock = clock;
  }

  /** Applies an object when that changes anything. @throws NameConflict */
  async apply(type: ResourceType, object: KubeObject, signal: AbortSignal): Promise<ApplyOutcome> {
    const key = keyOf(object);
    const id = `${type.plural}.${objectPath(type, key)}`;
    const coverage = this.#live.coverage(type);
    const hash = hashOf(object);
    const known = coverage === 'none' ? undefined : this.#live.get(type, key);
    const written = this.#memory.get(id);
    const settled =
      coverage === 'none'
        ? written?.hash === hash && this.#clock.monotonic() - written.at < UNSEEN_MS
        : known !== undefined && isSettled(coverage, known, object, hash, written);
    if (settled) return 'unchanged';
    // The cache may lack an object because it is new, or because it bears no label that is watched.
    const live = known ?? (await this.#calls.metadata(type, key, signal));
    if (live !== undefined && controllerOf(live)?.uid !== undefined) {
      if (controllerOf(live)?.uid !== controllerOf(object)?.uid) throw new NameConflict(type.plural);
    }
    const body = coverage === 'full' ? annotated(object, hash) : object;
    const answer = await this.#calls.patch(type, body, { manager: 'sealedvault' }, signal);
    this.#memory.set(id, hash, known?.metadata.resourceVersion, answer, this.#clock.monotonic());
    if (live === undefined) return 'created';
    return answer?.metadata.resourceVersion === live.metadata.resourceVersion ? 'unchanged' : 'configured';
  }
}

function isSettled(
  coverage: Coverage,
  live: KubeObject,
  wanted: KubeObject,
  hash: string,
  written: Written | undefined,
): boolean {
  if (coverage === 'full' && live.metadata.annotations?.[APPLIED] === hash && contains(live, wanted))
    return true;
  if (written?.hash !== hash || live.metadata.deletionTimestamp !== undefined) return false;
  const version = live.metadata.resourceVersion;
  // The cache has yet to see what was written, or has seen that and nothing after it.
  if (version !== undefined && (version === written.before || version === written.version)) return true;
  if (coverage !== 'full' || live.metadata.uid !== written.uid) return false;
  // The API server keeps some values in another form than they were given in (quantities, for one): of those it
  // is enough that nothing but status has changed since.
  const { generation } = live.metadata;
  return (
    generation !== undefined && generation === written.generation && contains(live.metadata, wanted.metadata)
  );
}

function annotated(object: KubeObject, hash: string): KubeObject {
  const metadata: ObjectMeta = {
    ...object.metadata,
    annotations: { ...object.metadata.annotations, [APPLIED]: hash },
  };
  return { ...object, metadata };
}
