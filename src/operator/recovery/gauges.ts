import { DAY_MS } from '../drillschedule/drillschedule.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Gauge, ObjectKey } from '../runtime/runtime.ts';
import type { Readiness } from './recovery.ts';

type Told = Readiness & { readonly recovery: NonNullable<Readiness['recovery']> };

/** What was last found of each vault's recovery key, as metrics: an alert is due before the key is needed. */
export class RecoveryGauges {
  readonly #known = new Map<string, { readonly key: ObjectKey; readonly found: Told }>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  set(key: ObjectKey, found: Readiness | undefined): void {
    const { recovery } = found ?? {};
    if (found !== undefined && recovery !== undefined)
      this.#known.set(`${key.namespace}/${key.name}`, { key, found: { ...found, recovery } });
  }

  forget(key: ObjectKey): void {
    this.#known.delete(`${key.namespace}/${key.name}`);
  }

  get gauges(): readonly Gauge[] {
    const name = (last: string): string => `sealedvault_recovery_${last}`;
    return [
      this.#gauge(
        name('custodians_unproven'),
        'Custodians who did not prove lately to have their share.',
        ({ recovery }) => recovery.unproven,
      ),
      this.#gauge(
        name('days_since_drill'),
        'Days since all custodians proved to have their shares, or since those were made.',
        ({ since = 0 }) => (this.#clock.now() - since) / DAY_MS,
      ),
      this.#gauge(
        name('shares_margin'),
        'Shares beyond the threshold that are not reported lost.',
        ({ recovery }) => recovery.margin,
      ),
    ];
  }

  #gauge(name: string, help: string, value: (found: Told) => number): Gauge {
    return {
      name,
      help,
      read: () =>
        [...this.#known.values()].map(({ key, found }) => [
          { namespace: key.namespace, vault: key.name },
          value(found),
        ]),
    };
  }
}
