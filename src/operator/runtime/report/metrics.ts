/** A set of label values. */
type Labels = Readonly<Record<string, string>>;

interface Family {
  readonly help: string;
  readonly kind: 'counter' | 'gauge';
  readonly samples: Map<string, number>;
}

/** How a reconcile ended. */
export type ReconcileOutcome = 'success' | 'requeue' | 'error' | 'abandoned';

/**
 * What the runtime counts, in Prometheus' text form. No label holds the name of an object, but for the few gauges that
 * a controller has of its own kind.
 */
export class Metrics {
  readonly #families = new Map<string, Family>();
  readonly #gauges: (() => void)[] = [];

  /** A finished reconcile. */
  reconcile(controller: string, result: ReconcileOutcome, seconds: number): void {
    this.#add('sealedvault_reconcile_total', 'Reconciles by result.', { controller, result }, 1);
    this.#add('sealedvault_reconcile_seconds_total', 'Seconds spent in reconciles.', { controller }, seconds);
  }

  /** A request to the API server; status 0 when there was no answer. */
  apiRequest(verb: string, status: number): void {
    const labels = { verb, code: String(status) };
    this.#add('sealedvault_kube_api_requests_total', 'Requests to the Kubernetes API.', labels, 1);
  }

  /** A list or watch that failed. */
  watchFailure(resource: string, reason: string): void {
    const labels = { resource, reason };
    this.#add('sealedvault_watch_failures_total', 'Lists and watches that failed.', labels, 1);
  }

  /** An event that could not be written, or was one too many. */
  eventDropped(): void {
    this.#add('sealedvault_events_dropped_total', 'Events that were not written.', {}, 1);
  }

  /** A value that is asked for when the metrics are read. */
  gauge(name: string, help: string, read: () => Iterable<readonly [Labels, number]>): void {
    this.#gauges.push(() => {
      const family: Family = { help, kind: 'gauge', samples: new Map() };
      for (const [labels, value] of read()) family.samples.set(labelText(labels), value);
      this.#families.set(name, family);
    });
  }

  /** @returns everything, in Prometheus' text exposition format 0.0.4. */
  render(): string {
    for (const refresh of this.#gauges) refresh();
    const lines: string[] = [];
    for (const [name, family] of [...this.#families].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      lines.push(`# HELP ${name} ${family.help}`, `# TYPE ${name} ${family.kind}`);
      for (const [labels, value] of family.samples) lines.push(`${name}${labels} ${value}`);
    }
    return `${lines.join('\n')}\n`;
  }

  #add(name: string, help: string, labels: Labels, amount: number): void {
    let family = this.#families.get(name);
    if (family === undefined) {
      family = { help, kind: 'counter', samples: new Map() };
      this.#families.set(name, family);
    }
    const key = labelText(labels);
    family.samples.set(key, (family.samples.get(key) ?? 0) + amount);
  }
}

function labelText(labels: Labels): string {
  const parts = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))}"`,
  );
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}
