import type { Clock } from '../../lib/clock.ts';

/**
 * What the engine counts and times, under Vault's names (`vault.core.handle_request`), for Prometheus and as Vault's
 * own JSON.
 *
 * I1  Counting on the way of a request costs a map lookup and a few additions: quantiles are worked out when read.
 * I2  No label or name ever holds a path of a secret, a token or a value: mounts and operations only.
 */
export interface Metrics {
  /** Adds to a counter. */
  count(name: string, labels?: Labels, amount?: number): void;
  /** Records how long something took. @param milliseconds not negative */
  time(name: string, milliseconds: number, labels?: Labels): void;
  /** A value that is asked for when the metrics are read. */
  gauge(
    name: string,
    read: () => Iterable<readonly [Labels, number]> | Promise<Iterable<readonly [Labels, number]>>,
  ): void;
  /** Prometheus' text exposition format 0.0.4; undefined when it is off. */
  prometheus(): Promise<string | undefined>;
  /** The form that `sys/metrics` has by default. */
  snapshot(now: Date): Promise<MetricsSnapshot>;
}

export type Labels = Readonly<Record<string, string>>;

export interface MetricsSnapshot {
  readonly Timestamp: string;
  readonly Gauges: readonly { readonly Name: string; readonly Value: number; readonly Labels: Labels }[];
  readonly Points: readonly never[];
  readonly Counters: readonly Aggregate[];
  readonly Samples: readonly Aggregate[];
}

interface Aggregate {
  readonly Name: string;
  readonly Count: number;
  readonly Sum: number;
  readonly Min: number;
  readonly Max: number;
  readonly Mean: number;
  readonly Labels: Labels;
}

interface Series {
  readonly labels: Labels;
  count: number;
  sum: number;
  min: number;
  max: number;
  /** When it was last counted. */
  at: number;
  /** The latest samples of a timer; undefined for a counter. */
  readonly recent: Float64Array | undefined;
}

interface Gauge {
  readonly name: string;
  readonly read: Parameters<Metrics['gauge']>[1];
}

export interface MetricsOptions {
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Milliseconds. */
  readonly retentionMs: number;
}

const KEPT = 256;
const QUANTILES = [0.5, 0.9, 0.99];
const NO_LABELS: Labels = {};

/** @param retentionMs how long Prometheus is told of what has no news; 0: it is told nothing */
export function createMetrics({ clock, retentionMs }: MetricsOptions): Metrics {
  const families = new Map<string, Map<string, Series>>();
  const gauges: Gauge[] = [];

  const series = (name: string, labels: Labels, timer: boolean): Series => {
    let family = families.get(name);
    if (family === undefined) families.set(name, (family = new Map()));
    const key = labels === NO_LABELS ? '' : Object.values(labels).join('\u0000');
    let found = family.get(key);
    if (found === undefined) {
      const recent = timer ? new Float64Array(KEPT) : undefined;
      found = { labels, count: 0, sum: 0, min: Infinity, max: -Infinity, at: 0, recent };
      family.set(key, found);
    }
    return found;
  };
  const record = (found: Series, value: number): void => {
    if (found.recent !== undefined) found.recent[found.count % KEPT] = value;
    found.count += 1;
    found.at = clock.monotonic();
    found.sum += value;
    if (value < found.min) found.min = value;
    if (value > found.max) found.max = value;
  };
  const readGauges = async (): Promise<{ name: string; labels: Labels; value: number }[]> => {
    const values = [];
    for (const { name, read } of gauges)
      for (const [labels, value] of await read()) values.push({ name, labels, value });
    return values;
  };

  return {
    count: (name, labels = NO_LABELS, amount = 1) => record(series(name, labels, false), amount),
    time: (name, milliseconds, labels = NO_LABELS) => record(series(name, labels, true), milliseconds),
    gauge: (name, read) => {
      gauges.push({ name, read });
    },
    prometheus: async () => {
      if (retentionMs === 0) return undefined;
      const since = clock.monotonic() - retentionMs;
      for (const family of families.values())
        for (const [key, { at }] of family) if (at < since) family.delete(key);
      const lines: string[] = [];
      let last = '';
      for (const { name, labels, value } of await readGauges()) {
        const metric = promName(name);
        if (metric !== last) lines.push(`# HELP ${metric} ${metric}`, `# TYPE ${metric} gauge`);
        last = metric;
        lines.push(`${metric}${labelText(labels)} ${value}`);
      }
      for (const [name, family] of families)
        if (family.size > 0) lines.push(...promFamily(promName(name), family));
      return `${lines.join('\n')}\n`;
    },
    snapshot: async (now) => {
      const all = [...families].flatMap(([name, family]) =>
        [...family.values()].map((each) => ({
          timer: each.recent !== undefined,
          row: aggregate(name, each),
        })),
      );
      return {
        Timestamp: `${now.toISOString().slice(0, 19).replace('T', ' ')} +0000 UTC`,
        Gauges: (await readGauges()).map(({ name, labels, value }) => ({
          Name: name,
          Value: value,
          Labels: labels,
        })),
        Points: [],
        Counters: all.filter(({ timer }) => !timer).map(({ row }) => row),
        Samples: all.filter(({ timer }) => timer).map(({ row }) => row),
      };
    },
  };
}

function promFamily(metric: string, family: ReadonlyMap<string, Series>): string[] {
  const timer = [...family.values()].some(({ recent }) => recent !== undefined);
  const lines = [`# HELP ${metric} ${metric}`, `# TYPE ${metric} ${timer ? 'summary' : 'counter'}`];
  for (const each of family.values()) {
    if (each.recent === undefined) {
      lines.push(`${metric}${labelText(each.labels)} ${each.sum}`);
      continue;
    }
    const sorted = each.recent.slice(0, Math.min(each.count, KEPT)).sort();
    for (const quantile of QUANTILES) {
      const value = sorted[Math.min(sorted.length - 1, Math.floor(quantile * sorted.length))] ?? NaN;
      lines.push(`${metric}${labelText({ ...each.labels, quantile: String(quantile) })} ${value}`);
    }
    lines.push(`${metric}_sum${labelText(each.labels)} ${each.sum}`);
    lines.push(`${metric}_count${labelText(each.labels)} ${each.count}`);
  }
  return lines;
}

function aggregate(name: string, { labels, count, sum, min, max }: Series): Aggregate {
  return { Name: name, Count: count, Sum: sum, Min: min, Max: max, Mean: sum / count, Labels: labels };
}

function promName(name: string): string {
  return name.replaceAll(/[^a-zA-Z0-9_]/g, '_');
}

function labelText(labels: Labels): string {
  const parts = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))}"`,
  );
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}
