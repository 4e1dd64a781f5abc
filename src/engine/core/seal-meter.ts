import type { Metrics } from '../metrics/metrics.ts';
import type { SealMeter } from '../seal/seal.ts';

/** Counts and times what a seal does, under Vault's names: `vault.seal.encrypt`, `.time` and `.error`, and by type. */
export function sealMeter(metrics: Metrics, type: string): SealMeter {
  return (operation, milliseconds, failed) => {
    for (const name of [`vault.seal.${operation}`, `vault.seal.${type}.${operation}`]) {
      metrics.count(name);
      metrics.time(`${name}.time`, milliseconds);
      if (failed) metrics.count(`${name}.error`);
    }
  };
}
