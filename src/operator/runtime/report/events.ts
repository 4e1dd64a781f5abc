import { trimEnd } from '../../../lib/trim.ts';
import { createHash } from 'node:crypto';
import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/log.ts';
import type { Connection } from '../api/connection.ts';
import { collectionPath } from '../api/paths.ts';
import { errorFields, statusOf } from '../errors.ts';
import type { EventRecorder, KubeObject, ResourceType } from '../runtime.ts';
import { microTime } from '../time.ts';
import type { Metrics } from './metrics.ts';

const EVENT: ResourceType = { apiVersion: 'events.k8s.io/v1', kind: 'Event', plural: 'events' };
const AGAIN_MS = 3_600_000;
const MAX_KNOWN = 4_096;
const MAX_PENDING = 64;
const MAX_NOTE = 1_024;
const ATTEMPTS = 3;

/** What events need. */
export interface RecorderOptions {
  readonly connection: Connection;
  /** The pod's name. */
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly mayWrite: () => void;
  readonly signal: AbortSignal;
}

/** Writes events behind the caller's back: a lost one is counted, and never an error of a reconcile. */
export class Recorder implements EventRecorder {
  readonly #options: RecorderOptions;
  /** When what was last recorded, in monotonic milliseconds; the oldest first. */
  readonly #known = new Map<string, number>();
  readonly #pending = new Set<Promise<void>>();
  #count = 0;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  record(object: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string): void {
    const { uid = '', name, namespace = '' } = object.metadata;
    const id = JSON.stringify([uid, namespace, name, type, reason, message]);
    const now = this.#options.clock.monotonic();
    const before = this.#known.get(id);
    if (before !== undefined && now - before < AGAIN_MS) return;
    if (this.#pending.size >= MAX_PENDING) {
      this.#options.metrics.eventDropped();
      return;
    }
    this.#known.delete(id);
    this.#known.set(id, now);
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest);
    const writing = this.#write(this.#event(object, type, reason, message), id).finally(() =>
      this.#pending.delete(writing),
    );
    this.#pending.add(writing);
  }

  /** Resolves when nothing waits to be written. */
  async idle(): Promise<void> {
    await Promise.all(this.#pending);
  }

  #event(object: KubeObject, type: string, reason: string, message: string): KubeObject {
    const { name, namespace, uid, resourceVersion } = object.metadata;
    const now = this.#options.clock.now();
    this.#count += 1;
    const unique = createHash('sha256')
      .update(`${this.#options.instance} ${now} ${this.#count} ${uid ?? ''}`)
      .digest('hex');
    return {
      apiVersion: EVENT.apiVersion,
      kind: EVENT.kind,
      metadata: { name: `${name.slice(0, 200)}.${unique.slice(0, 16)}`, namespace: namespace ?? 'default' },
      eventTime: microTime(now),
      reportingController: 'sealedvault.io/operator',
      reportingInstance: this.#options.instance.slice(0, 128),
      action: 'Reconcile',
      reason: reason.slice(0, 128),
      type,
      note: shortened(message),
      regarding: { apiVersion: object.apiVersion, kind: object.kind, name, namespace, uid, resourceVersion },
    } as KubeObject;
  }

  async #write(event: KubeObject, id: string): Promise<void> {
    const { clock, connection, log, mayWrite, metrics, signal } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      try {
        mayWrite();
        const path = collectionPath(EVENT, event.metadata.namespace);
        const call = {
          verb: 'create',
          resource: 'events',
          method: 'POST',
          path,
          body: event,
          signal,
        } as const;
        await connection.request(call);
        return;
      } catch (error: unknown) {
        const status = statusOf(error) ?? 0;
        // It was written by the attempt whose answer was lost.
        if (status === 409) return;
        const hopeless = statusOf(error) === undefined || (status >= 400 && status < 500 && status !== 429);
        if (hopeless || attempt >= ATTEMPTS || signal.aborted) {
          metrics.eventDropped();
          this.#known.delete(id);
          if (!signal.aborted) log.warn(errorFields(error), 'an event could not be written');
          return;
        }
        await clock.sleep(1_000 * 2 ** attempt, { signal }).catch(() => undefined);
      }
    }
  }
}

// The limit of the API server counts bytes; what is cut in the middle of a character goes.
function shortened(message: string): string {
  const bytes = new TextEncoder().encode(message);
  if (bytes.length <= MAX_NOTE) return message;
  return `${trimEnd(new TextDecoder().decode(bytes.subarray(0, MAX_NOTE - 3)), '\uFFFD')}…`;
}
