import type { IncomingMessage } from 'node:http';
import { Backoff } from '../../../lib/backoff.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/log.ts';
import type { Random } from '../../../lib/random.ts';
import { parseObject, statusFailure } from '../api/answer.ts';
import type { Connection } from '../api/connection.ts';
import { errorFields, KubeApiError } from '../errors.ts';
import { Frames } from './frames.ts';
import type { Metrics } from '../report/metrics.ts';
import { collectionPath, withQuery } from '../api/paths.ts';
import type { KubeObject, ResourceType } from '../runtime.ts';

/** What a reflector tells of. */
export interface ReflectorTarget {
  readonly type: ResourceType;
  /** All namespaces when undefined. */
  readonly namespace: string | undefined;
  readonly labelSelector: string | undefined;
  readonly metadataOnly: boolean;
}

/** Whom a reflector tells. */
export interface ReflectorSink {
  replace(objects: readonly KubeObject[]): unknown;
  put(object: KubeObject): unknown;
  remove(object: KubeObject): unknown;
  /** Whether what was told is complete: false until the first list, and while the API server forbids it. */
  synced(synced: boolean): unknown;
}

/** Times of a reflector; the defaults are for production. */
export interface ReflectorTimes {
  readonly pageSize: number;
  readonly retryInitialMs: number;
  readonly retryMaxMs: number;
  /** After a 403: somebody has to change a role first. */
  readonly forbiddenMs: number;
  /** Without a byte for so long, a watch is given up; bookmarks come about every minute. */
  readonly inactivityMs: number;
  readonly maxAgeMs: number;
}

/** How a reflector reaches the world. */
export interface ReflectorOptions {
  readonly connection: Connection;
  readonly target: ReflectorTarget;
  readonly sink: ReflectorSink;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly times?: Partial<ReflectorTimes>;
}

const TIMES: ReflectorTimes = {
  pageSize: 500,
  retryInitialMs: 800,
  retryMaxMs: 30_000,
  forbiddenMs: 60_000,
  inactivityMs: 150_000,
  maxAgeMs: 300_000,
};
const STABLE_MS = 10_000;

interface Page {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly KubeObject[];
}

/**
 * Keeps a sink up to date with one collection, for ever: list, then watch, and again after whatever happens.
 * It ends with its signal only.
 */
export class Reflector {
  readonly #options: ReflectorOptions;
  readonly #times: ReflectorTimes;
  readonly #backoff: Backoff;
  /** Where to go on watching; undefined: a list is needed. */
  #version: string | undefined;
  /** Monotonic time at which the API server was last heard. */
  #heard: number | undefined;

  constructor(options: ReflectorOptions) {
    this.#options = options;
    this.#times = { ...TIMES, ...options.times };
    const { retryInitialMs: initialMs, retryMaxMs: maxMs } = this.#times;
    this.#backoff = new Backoff({ initialMs, maxMs, random: options.random });
  }

  /** Milliseconds since the API server was last heard; undefined before the first list. */
  age(): number | undefined {
    return this.#heard === undefined ? undefined : this.#options.clock.monotonic() - this.#heard;
  }

  /** Runs until the signal fires; never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, sink } = this.#options;
    while (!signal.aborted) {
      const started = clock.monotonic();
      let failure: unknown;
      try {
        if (this.#version === undefined) {
          this.#version = await this.#list(signal);
          sink.synced(true);
        }
        await this.#watch(signal);
      } catch (error: unknown) {
        failure = error;
      }
      if (signal.aborted) return;
      const stable = clock.monotonic() - started >= STABLE_MS;
      if (stable) this.#backoff.reset();
      if (failure === undefined && stable) continue;
      try {
        await clock.sleep(this.#pause(failure), { signal });
      } catch {
        return;
      }
    }
  }

  #pause(failure: unknown): number {
    const delay = this.#backoff.next();
    if (failure === undefined) return delay;
    const { log, metrics, random, sink, target } = this.#options;
    const error = failure instanceof KubeApiError ? failure : undefined;
    metrics.watchFailure(target.type.plural, error?.reason ?? 'Unexpected');
    const fields = {
      kind: target.type.kind,
      namespace: target.namespace,
      retryMs: delay,
      ...errorFields(failure),
    };
    if (error?.status === 403) {
      sink.synced(false);
      this.#version = undefined;
      log.warn(fields, 'the API server forbids a watch');
      return this.#times.forbiddenMs * (0.75 + 0.5 * random.fraction());
    }
    // Of a kind that nobody uses, an API server may have nothing to tell for minutes.
    if (error?.reason === 'Silent') log.debug(fields, 'a watch is silent; watching again');
    else if (error?.status === 410) log.debug(fields, 'a watch is too old; listing again');
    else log.warn(fields, 'a list or watch failed');
    // Anything but a lost connection may mean that the version is worth nothing any more.
    if (error?.status !== 0) this.#version = undefined;
    return Math.max(delay, Math.min(error?.retryAfterMs ?? 0, 60_000));
  }

  async #list(signal: AbortSignal): Promise<string> {
    const { target, sink, connection } = this.#options;
    const { type, namespace, labelSelector } = target;
    const objects: KubeObject[] = [];
    let next: string | undefined;
    for (;;) {
      const path = withQuery(collectionPath(type, namespace), {
        labelSelector,
        limit: String(this.#times.pageSize),
        continue: next,
      });
      const accept = this.#accept('PartialObjectMetadataList');
      const call = { verb: 'list', resource: type.plural, method: 'GET', path, accept, signal } as const;
      const page = (await connection.request(call)) as Page | undefined;
      // The items of a list carry neither kind nor version.
      for (const item of page?.items ?? [])
        objects.push({ ...item, apiVersion: type.apiVersion, kind: type.kind });
      next = page?.metadata?.continue;
      if (next !== undefined && next !== '') continue;
      const version = page?.metadata?.resourceVersion;
      if (version === undefined) throw this.#unusable('NoResourceVersion');
      this.#heard = this.#options.clock.monotonic();
      sink.replace(objects);
      return version;
    }
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { clock, connection, random, target } = this.#options;
    const { type, namespace, labelSelector } = target;
    const seconds = Math.max(1, Math.round((this.#times.maxAgeMs * (1 + random.fraction())) / 1000));
    const path = withQuery(collectionPath(type, namespace), {
      labelSelector,
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: this.#version,
      timeoutSeconds: String(seconds),
    });
    const accept = this.#accept('PartialObjectMetadata');
    const stream = await connection.open({
      verb: 'watch',
      resource: type.plural,
      method: 'GET',
      path,
      accept,
      signal,
    });
    const ended = new AbortController();
    this.#heard = clock.monotonic();
    // The server ends a watch at its time; the extra is for a server, or a network, that forgot.
    const guard = this.#guard(stream, clock.monotonic() + seconds * 1000 + 30_000, ended.signal);
    try {
      await this.#read(stream, signal);
    } catch (error: unknown) {
      if (signal.aborted || error instanceof KubeApiError) throw error;
      const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
      throw this.#unusable(typeof code === 'string' ? code : 'Stream', error);
    } finally {
      ended.abort();
      stream.destroy();
      await guard;
    }
  }

  async #read(stream: IncomingMessage, signal: AbortSignal): Promise<void> {
    const frames = new Frames();
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      this.#heard = this.#options.clock.monotonic();
      for (const line of frames.push(chunk)) {
        if (signal.aborted) return;
        this.#take(line);
      }
    }
  }

  #take(line: string): void {
    const { sink } = this.#options;
    const frame = parseObject(line) as { readonly type?: unknown; readonly object?: unknown };
    if (frame.type === 'ERROR') {
      const { code, reason, retryAfterMs } = statusFailure(frame.object);
      // A frame without a code must not pass for a lost connection.
      throw this.#failure({ status: code === 0 ? 500 : code, reason, retryAfterMs });
    }
    const object = frame.object as KubeObject | undefined;
    const version = object?.metadata?.resourceVersion;
    if (object === undefined || version === undefined)
      throw this.#failure({ status: 500, reason: 'BadFrame' });
    const named = {
      ...object,
      apiVersion: this.#options.target.type.apiVersion,
      kind: this.#options.target.type.kind,
    };
    if (frame.type === 'ADDED' || frame.type === 'MODIFIED') sink.put(named);
    else if (frame.type === 'DELETED') sink.remove(named);
    this.#version = version;
  }

  async #guard(stream: IncomingMessage, deadline: number, ended: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    for (;;) {
      const now = clock.monotonic();
      const left = Math.min(deadline, (this.#heard ?? now) + this.#times.inactivityMs) - now;
      if (left <= 0) break;
      try {
        await clock.sleep(left, { signal: ended });
      } catch {
        return;
      }
    }
    stream.destroy(Object.assign(new Error('the watch is silent'), { code: 'Silent' }));
  }

  #accept(as: string): string {
    return this.#options.target.metadataOnly
      ? `application/json;as=${as};g=meta.k8s.io;v=v1,application/json;as=${as};g=meta.k8s.io;v=v1beta1`
      : 'application/json';
  }

  #unusable(reason: string, cause?: unknown): KubeApiError {
    return this.#failure({ status: 0, reason }, cause);
  }

  #failure(
    failure: { readonly status: number; readonly reason: string; readonly retryAfterMs?: number | undefined },
    cause?: unknown,
  ): KubeApiError {
    const resource = this.#options.target.type.plural;
    return new KubeApiError({ verb: 'watch', resource, ...failure }, { cause });
  }
}
