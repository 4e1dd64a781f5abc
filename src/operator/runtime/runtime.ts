import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';

/**
 * The runtime of controllers: it watches, queues, retries, applies and reports; a controller only says what it
 * wants. It knows no resource.
 *
 * I1  A reconcile is told a name and nothing of what happened: level, not edge.
 * I2  A key is never reconciled twice at once; the last event is never lost; one slow key holds up no other.
 * I3  What did not change is not written.
 * I4  Nothing is done on a cache that has not been filled, nor without the leader's lease.
 */
export interface ObjectKey {
  readonly namespace: string;
  readonly name: string;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly deletionTimestamp?: string;
  readonly creationTimestamp?: string;
  readonly ownerReferences?: readonly OwnerReference[];
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** Any Kubernetes object; frozen when it comes from a cache. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

/** Where objects of a kind live in the API. */
export interface ResourceType {
  /** Such as `v1`, `apps/v1`, `sealedvault.io/v1alpha1`. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
}

/** What a watch sees of a kind. */
export interface WatchSpec {
  readonly type: ResourceType;
  readonly labelSelector?: string;
  /** Only metadata is read (PartialObjectMetadata): for Secrets, whose content must not enter the operator. */
  readonly metadataOnly?: boolean;
  /** The keys of the controller's own kind that an object concerns; default: its controlling owner of that kind. */
  readonly map?: (object: KubeObject) => readonly ObjectKey[];
}

export interface Controller {
  readonly name: string;
  /** The kind that is reconciled. */
  readonly primary: ResourceType;
  readonly watches: readonly WatchSpec[];
  /** Reconciles at once. */
  readonly concurrency: number;
  /** Milliseconds after which a reconcile is aborted. */
  readonly deadlineMs: number;
  /** What it measures of its objects. */
  readonly gauges?: readonly Gauge[];
  reconcile(key: ObjectKey, context: ReconcileContext): Promise<ReconcileResult>;
}

/** A value that is asked for when the metrics are read. */
export interface Gauge {
  readonly name: string;
  readonly help: string;
  read(): Iterable<readonly [Readonly<Record<string, string>>, number]>;
}

export interface ReconcileResult {
  /** Milliseconds after which to look again, before jitter; none: only on events. A throw is tried again with back-off. */
  readonly requeueAfterMs?: number;
}

export interface ReconcileContext {
  readonly cache: Cache;
  readonly api: KubeApi;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** What the watches know. Objects are deep-frozen and without managedFields. */
export interface Cache {
  get<T extends KubeObject>(type: ResourceType, key: ObjectKey): T | undefined;
  /** Objects of a kind whose controlling owner has this uid. */
  ownedBy<T extends KubeObject>(type: ResourceType, uid: string): readonly T[];
  list<T extends KubeObject>(type: ResourceType, namespace?: string): readonly T[];
  /** False while a kind could not be listed (for example for want of permission) in a namespace. */
  isSynced(type: ResourceType, namespace?: string): boolean;
}

export type ApplyOutcome = 'created' | 'configured' | 'unchanged';

/** Calls to the API server. Every failure is a KubeApiError (`ERR_KUBE_API`) with verb, resource, HTTP status and reason, and nothing of the body. */
export interface KubeApi {
  get<T extends KubeObject>(type: ResourceType, key: ObjectKey, signal: AbortSignal): Promise<T | undefined>;
  list<T extends KubeObject>(
    type: ResourceType,
    namespace: string,
    labelSelector: string | undefined,
    signal: AbortSignal,
  ): Promise<readonly T[]>;
  /**
   * Server-side apply with the field manager `sealedvault`, only when the live object (from the cache, or `live`) differs
   * from what is wanted in a field that is wanted, or when something once applied is no longer wanted.
   * @throws NameConflict (`ERR_KUBE_API`, reason `NameConflict`) when a live object of that name has another controller
   */
  apply(type: ResourceType, object: KubeObject, signal: AbortSignal): Promise<ApplyOutcome>;
  /** Server-side apply of the status subresource with the field manager `sealedvault-status`; skipped when unchanged. */
  applyStatus(
    type: ResourceType,
    object: KubeObject & { readonly status: object },
    signal: AbortSignal,
  ): Promise<ApplyOutcome>;
  /** Creates; undefined when an object of that name exists. */
  create<T extends KubeObject>(type: ResourceType, object: T, signal: AbortSignal): Promise<T | undefined>;
  /** JSON merge patch (RFC 7396) of metadata, for labels of pods and finalizers. */
  patchMetadata(type: ResourceType, key: ObjectKey, metadata: object, signal: AbortSignal): Promise<void>;
  delete(
    type: ResourceType,
    key: ObjectKey,
    options: { readonly uid?: string },
    signal: AbortSignal,
  ): Promise<void>;
}

export interface EventRecorder {
  /** Records a transition; the same about the same object within an hour is written once. */
  record(object: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string): void;
}
