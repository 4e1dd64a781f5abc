import { ConfigInvalid, flag, seconds } from './config-values.ts';
import { DEFAULT_SEAL_HEALTH, type SealHealthSettings } from './core/seal-health.ts';

/**
 * Reads the `health_check_*` keys of a seal stanza: `enabled`, and the durations `interval`, `interval_unhealthy`
 * and `timeout`.
 * @throws ERR_CONFIG_INVALID
 */
export function parseSealHealth(stanza: Readonly<Record<string, string>>): SealHealthSettings {
  const milliseconds = (key: string, fallback: number): number => {
    const name = `health_check_${key}`;
    const value = seconds(name, stanza[name], fallback / 1000) * 1000;
    if (value < 1_000) throw new ConfigInvalid(`${name} must be at least one second`);
    return value;
  };
  const enabled = stanza['health_check_enabled'];
  return {
    enabled: enabled === undefined || enabled === '' || flag('health_check_enabled', enabled),
    intervalMs: milliseconds('interval', DEFAULT_SEAL_HEALTH.intervalMs),
    unhealthyIntervalMs: milliseconds('interval_unhealthy', DEFAULT_SEAL_HEALTH.unhealthyIntervalMs),
    timeoutMs: milliseconds('timeout', DEFAULT_SEAL_HEALTH.timeoutMs),
  };
}
