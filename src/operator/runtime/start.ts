import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import { connect, type Connection } from './api/connection.ts';
import { createKubeApi } from './api/kubeapi.ts';
import { errorFields, LeaderLost } from './errors.ts';
import { Election, type ElectionTimes } from './lead/leader.ts';
import { leaseStore } from './lead/lease.ts';
import { Recorder } from './report/events.ts';
import { type HealthServers, startHealth } from './report/health.ts';
import { Metrics } from './report/metrics.ts';
import type { Controller } from './runtime.ts';
import { Informers } from './watch/informers.ts';
import type { ReflectorTimes } from './watch/reflector.ts';
import { ControllerLoop } from './work/loop.ts';

/** All that a runtime needs to know. */
export interface RuntimeOptions {
  readonly controllers: readonly Controller[];
  /** Undefined: the pod's service account. */
  readonly kubeconfig: string | undefined;
  /** Where the lease is. */
  readonly namespace: string;
  readonly leaseName: string;
  /** The pod's name. */
  readonly instance: string;
  /** Empty: all namespaces. */
  readonly watchNamespaces: readonly string[];
  readonly leaderElection: boolean;
  readonly healthPort: number;
  readonly metricsPort: number;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly electionTimes?: Partial<ElectionTimes>;
  readonly reflectorTimes?: Partial<ReflectorTimes>;
}

const DRAIN_MS = 20_000;
const RELEASE_MS = 3_000;
const STOPPED = 0;
const LOST = 1;

/**
 * Puts the parts together: caches first, then the lease, then the controllers; and ends them in the opposite order.
 * Every process watches; only the one that leads reconciles.
 */
export class Runtime {
  readonly #options: RuntimeOptions;
  readonly #connection: Connection;
  readonly #metrics = new Metrics();
  readonly #informers: Informers;
  readonly #election: Election | undefined;
  #lost = false;

  /** @throws KubeApiError when there are no credentials for an API server */
  constructor(options: RuntimeOptions) {
    this.#options = options;
    const { clock, random, log } = options;
    this.#connection = connect({ kubeconfig: options.kubeconfig, clock, metrics: this.#metrics });
    this.#informers = new Informers({
      connection: this.#connection,
      namespaces: options.watchNamespaces,
      clock,
      random,
      log,
      metrics: this.#metrics,
      ...(options.reflectorTimes === undefined ? {} : { times: options.reflectorTimes }),
    });
    this.#election = options.leaderElection ? this.#elect() : undefined;
    this.#metrics.gauge('sealedvault_leader', 'Whether this process leads.', () => [
      [{}, this.#leads() ? 1 : 0],
    ]);
  }

  /** Runs until the signal fires (0), or the lease is lost (1): then nothing is waited for. */
  async run(signal: AbortSignal): Promise<number> {
    const { log, healthPort, metricsPort } = this.#options;
    const watching = new AbortController();
    const health = await startHealth({
      healthPort,
      metricsPort,
      alive: () => !this.#lost,
      ready: () => this.#informers.hasSynced(),
      metrics: this.#metrics,
    });
    log.info({ healthPort: health.healthPort, metricsPort: health.metricsPort }, 'the operator has started');
    try {
      return await this.#run(signal, watching.signal);
    } finally {
      watching.abort();
      await this.#close(health);
    }
  }

  async #run(signal: AbortSignal, watching: AbortSignal): Promise<number> {
    const { controllers, log, clock, random, instance } = this.#options;
    const mayWrite = (): void => this.#election?.mayWrite();
    const shared = { connection: this.#connection, clock, mayWrite };
    const api = createKubeApi({ ...shared, live: this.#informers });
    const events = new Recorder({ ...shared, instance, log, metrics: this.#metrics, signal: watching });
    const context = { api, events, clock, random, log };
    const loops = controllers.map(
      (controller) => new ControllerLoop(controller, this.#informers, context, this.#metrics),
    );
    for (const loop of loops) loop.subscribe();
    this.#informers.start(watching);
    try {
      await this.#informers.whenSynced(signal);
      log.info({}, 'the caches are complete');
      await this.#election?.acquire(signal);
    } catch (error: unknown) {
      if (signal.aborted) return STOPPED;
      throw error;
    }
    log.info({ instance }, 'this process leads');
    return await this.#work(loops, events, signal);
  }

  async #work(loops: readonly ControllerLoop[], events: Recorder, signal: AbortSignal): Promise<number> {
    const { clock, log } = this.#options;
    const renewing = new AbortController();
    const keeping = (this.#election?.keep(renewing.signal) ?? Promise.resolve()).then(
      () => false,
      (error: unknown) => {
        if (!(error instanceof LeaderLost)) log.error(errorFields(error), 'the election failed');
        return true;
      },
    );
    const lost = this.#election === undefined ? new Promise<boolean>(() => undefined) : keeping;
    const running = Promise.all(loops.map((loop) => loop.run(signal))).then(() => false);
    const stopped = aborted(signal).then(() => false);
    if (await Promise.race([lost, stopped])) return this.#giveUp(loops);
    log.info({}, 'the operator is ending');
    // The lease is renewed while the last reconciles end: they still write.
    const drained = clock.sleep(DRAIN_MS).then(() => false);
    if (await Promise.race([lost, running, drained])) return this.#giveUp(loops);
    for (const loop of loops) loop.abort();
    await Promise.race([events.idle(), clock.sleep(RELEASE_MS)]);
    renewing.abort();
    await keeping;
    await this.#election?.release(AbortSignal.timeout(RELEASE_MS));
    return STOPPED;
  }

  #giveUp(loops: readonly ControllerLoop[]): number {
    this.#lost = true;
    for (const loop of loops) loop.abort();
    this.#options.log.error({ code: 'ERR_LEADER_LOST' }, 'the lease is lost; this process ends');
    return LOST;
  }

  #elect(): Election {
    const { namespace, leaseName, instance, clock, random, log, electionTimes } = this.#options;
    const timeoutMs = Math.round((electionTimes?.renewMs ?? 10_000) / 2);
    const store = leaseStore(this.#connection, { namespace, name: leaseName }, timeoutMs);
    const identity = `${instance}_${random.uuid()}`;
    const times = electionTimes === undefined ? {} : { times: electionTimes };
    return new Election({ store, identity, clock, random, log, ...times });
  }

  #leads(): boolean {
    return this.#election?.holds() ?? true;
  }

  async #close(health: HealthServers): Promise<void> {
    this.#connection.close();
    await health.close();
    if (!this.#lost) await this.#informers.ended();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
