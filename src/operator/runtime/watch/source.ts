import type { KubeObject, ResourceType } from '../runtime.ts';
import type { InformerOptions, Listener } from './informers.ts';
import { Reflector } from './reflector.ts';
import { Store } from './store.ts';

interface Scope {
  readonly reflector: Reflector;
  readonly stop: AbortController;
  readonly running: Promise<void>;
}

const ALL = '';

/** What a source watches. */
export interface SourceTarget {
  readonly type: ResourceType;
  readonly labelSelector: string | undefined;
  readonly metadataOnly: boolean;
}

/** One kind with one selector: a store, and a reflector for each namespace, or one for all of them. */
export class Source {
  readonly type: ResourceType;
  /** Watched only where a listener has objects. */
  readonly onDemand: boolean;
  readonly store: Store;
  readonly listeners: Listener[] = [];
  readonly #options: InformerOptions;
  readonly #target: SourceTarget;
  readonly #scopes = new Map<string, Scope>();
  readonly #synced = new Set<string>();

  constructor(options: InformerOptions, target: SourceTarget) {
    this.#options = options;
    this.#target = target;
    this.type = target.type;
    this.onDemand = target.metadataOnly;
    this.store = new Store((before, after) => this.#tell((listener) => listener.changed(before, after)));
  }

  /** Watches these namespaces and no other; undefined stands for all of them. */
  follow(namespaces: readonly (string | undefined)[], signal: AbortSignal): void {
    const wanted = new Set(namespaces.map((namespace) => namespace ?? ALL));
    for (const [name, scope] of this.#scopes) {
      if (wanted.has(name)) continue;
      this.#scopes.delete(name);
      this.#synced.delete(name);
      scope.stop.abort();
      this.store.replace(name === ALL ? undefined : name, []);
    }
    for (const name of wanted) if (!this.#scopes.has(name)) this.#scopes.set(name, this.#open(name, signal));
  }

  /** Whether what is known of a namespace, or of all that is watched, is complete. */
  isSynced(namespace: string | undefined): boolean {
    if (this.#synced.has(ALL)) return true;
    if (namespace !== undefined) return this.#synced.has(namespace);
    return this.#scopes.size === this.#synced.size && (this.onDemand || this.#scopes.size > 0);
  }

  /** The age of what is known, as a sample of a metric. */
  age(): readonly (readonly [Readonly<Record<string, string>>, number])[] {
    const ages = [...this.#scopes.values()]
      .map((scope) => scope.reflector.age())
      .filter((age) => age !== undefined);
    return ages.length === 0 ? [] : [[{ resource: this.type.plural }, Math.max(...ages) / 1000]];
  }

  /** Resolves when no reflector runs any more. */
  async ended(): Promise<void> {
    await Promise.all([...this.#scopes.values()].map((scope) => scope.running));
  }

  #open(name: string, signal: AbortSignal): Scope {
    const namespace = name === ALL ? undefined : name;
    const stop = new AbortController();
    // A list that was under way when the watch was given up must not be taken any more.
    const live = (): boolean => !stop.signal.aborted;
    const reflector = new Reflector({
      ...this.#options,
      target: { ...this.#target, namespace },
      sink: {
        replace: (objects) => live() && this.store.replace(namespace, objects),
        put: (object: KubeObject) => live() && this.store.put(object),
        remove: (object: KubeObject) => live() && this.store.remove(object),
        synced: (synced) => live() && this.#setSynced(name, synced),
      },
    });
    return { reflector, stop, running: reflector.run(AbortSignal.any([signal, stop.signal])) };
  }

  #setSynced(name: string, synced: boolean): void {
    if (this.#synced.has(name) === synced) return;
    if (synced) this.#synced.add(name);
    else this.#synced.delete(name);
    this.#tell((listener) => listener.synced(name === ALL ? undefined : name));
  }

  #tell(say: (listener: Listener) => void): void {
    for (const listener of this.listeners) {
      try {
        say(listener);
      } catch (error: unknown) {
        // A listener's fault is not the watch's: it goes on for the others.
        this.#options.log.error({ err: error, kind: this.type.kind }, 'a listener of a watch failed');
      }
    }
  }
}
