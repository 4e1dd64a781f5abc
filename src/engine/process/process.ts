import type { Clock } from '../../lib/clock.ts';
import type { JsonObject } from '../../lib/json.ts';
import type { LogLevel, RootLogger } from '../../lib/log.ts';
import { createMetrics, type Metrics } from '../metrics/metrics.ts';
import type { ProcessPort } from '../sys/process-port.ts';
import { createProfiler } from './profiler.ts';
import { RequestsInFlight } from './requests.ts';

/**
 * What the endpoints about the process show: its log, its metrics, the requests it is serving, its configuration.
 * It is there in every state of the vault.
 */
export interface ProcessServices {
  readonly port: ProcessPort;
  readonly metrics: Metrics;
  readonly requests: RequestsInFlight;
}

export interface ProcessOptions {
  readonly log: RootLogger;
  readonly clock: Clock;
  readonly logLevel: LogLevel;
  /** How long Prometheus is told of a metric without news; 0: it is told nothing. */
  readonly metricsRetentionMs?: number;
  /** Without secrets. */
  readonly sanitizedConfig: JsonObject;
  readonly commandLine: readonly string[];
  /** Reads certificates again. */
  readonly reload: () => Promise<void>;
}

const DAY_MS = 86_400_000;

export function createProcessServices(options: ProcessOptions): ProcessServices {
  const { log, clock, logLevel } = options;
  const metrics = createMetrics({ clock, retentionMs: options.metricsRetentionMs ?? DAY_MS });
  const requests = new RequestsInFlight();
  const started = clock.now();
  metrics.gauge('vault.runtime.heap_objects', () => [[{}, process.memoryUsage().heapUsed]]);
  metrics.gauge('vault.runtime.alloc_bytes', () => [[{}, process.memoryUsage().heapUsed]]);
  metrics.gauge('vault.runtime.sys_bytes', () => [[{}, process.memoryUsage.rss()]]);
  metrics.gauge('vault.runtime.uptime_seconds', () => [[{}, Math.floor((clock.now() - started) / 1000)]]);
  metrics.gauge('vault.core.in_flight_requests', () => [[{}, requests.size]]);
  return {
    metrics,
    requests,
    port: {
      log: {
        levels: () => log.levels(),
        setLevel: (level) => log.setLevel(level),
        setPartLevel: (name, level) => log.setPartLevel(name, level),
        reset: () => log.setLevel(logLevel),
        listen: (level, write) => log.listen(level, write),
      },
      metrics: {
        snapshot: async () => (await metrics.snapshot(new Date(clock.now()))) as unknown as JsonObject,
        prometheus: () => metrics.prometheus(),
      },
      inFlight: () => requests.describe(),
      sanitizedConfig: options.sanitizedConfig,
      commandLine: options.commandLine,
      reload: options.reload,
      profiler: createProfiler(clock),
    },
  };
}
