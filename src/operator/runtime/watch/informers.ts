import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/log.ts';
import type { Random } from '../../../lib/random.ts';
import type { Connection } from '../api/connection.ts';
import type { Metrics } from '../report/metrics.ts';
import type { Cache, KubeObject, ObjectKey, ResourceType, WatchSpec } from '../runtime.ts';
import type { ReflectorTimes } from './reflector.ts';
import { Source } from './source.ts';

/** Who wants to know of a kind. */
export interface Listener {
  /** An object appeared, changed or went. */
  changed(before: KubeObject | undefined, after: KubeObject | undefined): void;
  /** What is known of a namespace (undefined: of all) has become complete, or is no longer. */
  synced(namespace: string | undefined): void;
  /** The namespaces in which the listener has objects of its own: where metadata-only kinds are watched. */
  namespaces(): Iterable<string>;
}

/** What all watches share. */
export interface InformerOptions {
  readonly connection: Connection;
  /** Empty: all namespaces. */
  readonly namespaces: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly times?: Partial<ReflectorTimes>;
}

/** How much of a kind is known. */
export type Coverage = 'full' | 'metadata' | 'none';

/**
 * All watches of the operator, one for each kind, selector and namespace, however many listeners there are.
 * Kinds of which only metadata is read (Secrets) are watched in the namespaces where a listener has an object,
 * and in no other, so that a role in those namespaces is permission enough.
 */
export class Informers implements Cache {
  readonly #options: InformerOptions;
  readonly #sources = new Map<string, Source>();
  #signal: AbortSignal | undefined;

  constructor(options: InformerOptions) {
    this.#options = options;
    options.metrics.gauge(
      'sealedvault_watch_last_heard_seconds',
      'Seconds since the API server was last heard on the watch of a kind; the oldest of its namespaces.',
      () => [...this.#sources.values()].flatMap((source) => source.age()),
    );
    options.metrics.gauge('sealedvault_watch_synced', 'Whether the cache of a kind is complete.', () =>
      [...this.#sources.values()].map((source) => [
        { resource: source.type.plural },
        source.isSynced(undefined) ? 1 : 0,
      ]),
    );
  }

  /** Wants a kind to be watched; before start(). */
  watch(spec: WatchSpec, listener: Listener): void {
    const metadataOnly = spec.metadataOnly === true;
    const { type, labelSelector } = spec;
    const id = JSON.stringify([type.apiVersion, type.plural, labelSelector ?? '', metadataOnly]);
    let source = this.#sources.get(id);
    if (source === undefined) {
      source = new Source(this.#options, { type, labelSelector, metadataOnly });
      this.#sources.set(id, source);
    }
    source.listeners.push(listener);
  }

  /** Begins to watch; ends with the signal. */
  start(signal: AbortSignal): void {
    this.#signal = signal;
    const { namespaces } = this.#options;
    for (const source of this.#sources.values()) {
      if (!source.onDemand) source.follow(namespaces.length === 0 ? [undefined] : namespaces, signal);
    }
    this.refresh();
  }

  /** Starts and ends the watches that depend on where the listeners have objects. */
  refresh(): void {
    const signal = this.#signal;
    if (signal === undefined) return;
    for (const source of this.#sources.values()) {
      if (!source.onDemand) continue;
      const wanted = new Set(source.listeners.flatMap((listener) => [...listener.namespaces()]));
      source.follow([...wanted], signal);
    }
  }

  /** Resolves when every kind that is always watched has been listed once. */
  async whenSynced(signal: AbortSignal): Promise<void> {
    while (!this.hasSynced()) await this.#options.clock.sleep(50, { signal });
  }

  /** Whether every kind that is always watched is complete. */
  hasSynced(): boolean {
    return [...this.#sources.values()].every((source) => source.onDemand || source.isSynced(undefined));
  }

  /** Resolves when the watches have ended, after their signal. */
  async ended(): Promise<void> {
    await Promise.all([...this.#sources.values()].map((source) => source.ended()));
  }

  coverage(type: ResourceType): Coverage {
    const sources = this.#of(type);
    if (sources.some((source) => !source.onDemand)) return 'full';
    return sources.length > 0 ? 'metadata' : 'none';
  }

  get<T extends KubeObject>(type: ResourceType, key: ObjectKey): T | undefined {
    for (const source of this.#of(type)) {
      const object = source.store.get(key);
      if (object !== undefined) return object as T;
    }
    return undefined;
  }

  ownedBy<T extends KubeObject>(type: ResourceType, uid: string): readonly T[] {
    return this.#distinct(type, (source) => source.store.ownedBy(uid)) as readonly T[];
  }

  list<T extends KubeObject>(type: ResourceType, namespace?: string): readonly T[] {
    return this.#distinct(type, (source) => source.store.list(namespace)) as readonly T[];
  }

  isSynced(type: ResourceType, namespace?: string): boolean {
    const sources = this.#of(type);
    return sources.length > 0 && sources.every((source) => source.isSynced(namespace));
  }

  // Those that know whole objects come first.
  #of(type: ResourceType): readonly Source[] {
    return [...this.#sources.values()]
      .filter((source) => source.type.apiVersion === type.apiVersion && source.type.plural === type.plural)
      .toSorted((a, b) => Number(a.onDemand) - Number(b.onDemand));
  }

  #distinct(type: ResourceType, read: (source: Source) => readonly KubeObject[]): readonly KubeObject[] {
    const sources = this.#of(type);
    const [only] = sources;
    if (sources.length === 1 && only !== undefined) return read(only);
    const objects = new Map<string, KubeObject>();
    for (const object of sources.flatMap(read)) {
      const id = `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
      if (!objects.has(id)) objects.set(id, object);
    }
    return [...objects.values()];
  }
}
