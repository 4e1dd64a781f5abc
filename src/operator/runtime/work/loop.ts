import { errorCode } from '../../../lib/errors.ts';
import { keyText, parseKey, typeText } from '../api/paths.ts';
import { errorFields, LeaderLost } from '../errors.ts';
import type { Metrics, ReconcileOutcome } from '../report/metrics.ts';
import type { Controller, KubeObject, ObjectKey, ReconcileContext, WatchSpec } from '../runtime.ts';
import type { Informers, Listener } from '../watch/informers.ts';
import { controllerOf, keyOf } from '../watch/store.ts';
import { WorkQueue } from './queue.ts';

/** What a loop gives to its controller, but for what differs each time. */
export type LoopContext = Omit<ReconcileContext, 'signal' | 'cache'>;

const GRACE_MS = 5_000;
const JITTER = 0.1;

/** Runs one controller: its events become keys, its keys become calls, of which none can harm another. */
export class ControllerLoop {
  readonly #controller: Controller;
  readonly #informers: Informers;
  readonly #context: LoopContext;
  readonly #metrics: Metrics;
  readonly #queue: WorkQueue;
  readonly #abort = new AbortController();

  constructor(controller: Controller, informers: Informers, context: LoopContext, metrics: Metrics) {
    this.#controller = controller;
    this.#informers = informers;
    this.#context = { ...context, log: context.log.child({ controller: controller.name }) };
    this.#metrics = metrics;
    this.#queue = new WorkQueue(context);
    const labels = { controller: controller.name };
    metrics.gauge(`sealedvault_queue_depth`, 'Keys that wait to be reconciled.', () => [
      [labels, this.#queue.depth],
    ]);
    for (const gauge of controller.gauges ?? []) metrics.gauge(gauge.name, gauge.help, () => gauge.read());
  }

  /** Keys that wait. */
  get depth(): number {
    return this.#queue.depth;
  }

  /** Asks for the watches of the controller; from then on keys are collected. */
  subscribe(): void {
    const { primary, watches } = this.#controller;
    const shared = {
      synced: (namespace: string | undefined): void => {
        for (const object of this.#informers.list(primary, namespace))
          this.#queue.add(keyText(keyOf(object)));
      },
      namespaces: (): Iterable<string> =>
        new Set(this.#informers.list(primary).map((object) => object.metadata.namespace ?? '')),
    };
    const own: Listener = {
      ...shared,
      changed: (before, after) => {
        const object = after ?? before;
        if (object !== undefined) this.#queue.add(keyText(keyOf(object)));
        if (before === undefined || after === undefined) this.#informers.refresh();
      },
    };
    this.#informers.watch({ type: primary }, own);
    for (const spec of watches) {
      this.#informers.watch(spec, {
        ...shared,
        changed: (before, after) => {
          for (const object of [before, after]) {
            if (object === undefined) continue;
            for (const key of this.#concerned(spec, object)) this.#queue.add(keyText(key));
          }
        },
      });
    }
  }

  /** Works until the signal fires, then hands out nothing more; resolves when nothing runs. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = (): void => this.#queue.close();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    await Promise.all(Array.from({ length: this.#controller.concurrency }, () => this.#work()));
  }

  /** Ends what is still running. */
  abort(): void {
    this.#abort.abort();
  }

  #concerned(spec: WatchSpec, object: KubeObject): readonly ObjectKey[] {
    if (spec.map !== undefined) return spec.map(object);
    const owner = controllerOf(object);
    const { primary } = this.#controller;
    if (owner === undefined || owner.kind !== primary.kind) return [];
    if (groupOf(owner.apiVersion) !== groupOf(primary.apiVersion)) return [];
    return [{ namespace: object.metadata.namespace ?? '', name: owner.name }];
  }

  async #work(): Promise<void> {
    for (;;) {
      const text = await this.#queue.take();
      if (text === undefined) return;
      await this.#attempt(text);
    }
  }

  async #attempt(text: string): Promise<void> {
    const { clock } = this.#context;
    const { deadlineMs, name } = this.#controller;
    const started = clock.monotonic();
    const deadline = new AbortController();
    const settled = new AbortController();
    const running = this.#reconcile(text, AbortSignal.any([this.#abort.signal, deadline.signal])).finally(
      () => settled.abort(),
    );
    const late = clock.sleep(deadlineMs, { signal: settled.signal }).then(
      () => {
        deadline.abort();
        return clock.sleep(GRACE_MS, { signal: settled.signal }).then(
          () => 'abandoned' as const,
          () => running,
        );
      },
      () => running,
    );
    const outcome = await Promise.race([running, late]);
    this.#metrics.reconcile(name, outcome, (clock.monotonic() - started) / 1000);
    if (outcome !== 'abandoned') {
      this.#queue.done(text);
      return;
    }
    // It does not heed its signal. The worker goes on with other keys; this key stays taken, so that it is
    // never worked on twice at once.
    this.#context.log.error({ ...parseKey(text), deadlineMs }, 'a reconcile did not end at its deadline');
    void running.then(() => this.#queue.done(text));
  }

  /** Never rejects: whatever a controller throws is counted, logged and tried again. */
  async #reconcile(text: string, signal: AbortSignal): Promise<ReconcileOutcome> {
    const key = parseKey(text);
    const log = this.#context.log.child({ ...key, kind: typeText(this.#controller.primary) });
    try {
      const context = { ...this.#context, cache: this.#informers, log, signal };
      const { requeueAfterMs } = await this.#controller.reconcile(key, context);
      this.#queue.forget(text);
      if (requeueAfterMs === undefined) return 'success';
      const jitter = 1 + JITTER * (2 * this.#context.random.fraction() - 1);
      this.#queue.addAfter(text, requeueAfterMs * jitter);
      return 'requeue';
    } catch (error: unknown) {
      if (this.#abort.signal.aborted || error instanceof LeaderLost) return 'error';
      const retryMs = this.#queue.retry(text);
      const fields = { ...errorFields(error), retryMs };
      const late = signal.aborted && errorCode(error) === 'ERR_ABORTED';
      log.warn(fields, late ? 'a reconcile reached its deadline' : 'a reconcile failed and is tried again');
      return 'error';
    }
  }
}

function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? '' : apiVersion.slice(0, slash);
}
