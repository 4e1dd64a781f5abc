import { parseDuration } from '../../lib/duration.ts';
import { isJsonObject, type Json, type JsonObject, member } from '../../lib/json.ts';
import { LOCKABLE_TYPES, type LockoutSettings } from '../mount/mount.ts';

/**
 * `user_lockout_config` of a mount: what was given of it, or why it is refused.
 * @param type of the auth method; undefined for an unknown mount
 */
export function readLockout(
  given: Json | undefined,
  table: 'mounts' | 'auth',
  path: string,
  type: string | undefined,
): LockoutSettings | string | undefined {
  if (given === undefined || !isJsonObject(given)) return undefined;
  if (table !== 'auth')
    return `tuning of user lockout configuration for non auth mount "${path}" not allowed`;
  if (type !== undefined && !LOCKABLE_TYPES.includes(type))
    return `tuning of user lockout configuration for auth type "${type}" not allowed`;
  const next: { -readonly [K in keyof LockoutSettings]: LockoutSettings[K] } = {};
  for (const [key, target] of [
    ['lockout_duration', 'duration'],
    ['lockout_counter_reset_duration', 'counterReset'],
  ] as const) {
    const value = member(given, key);
    if (value === undefined || value === null || value === '') continue;
    const seconds = parseDuration(value);
    if (seconds === undefined || seconds < 1) return `invalid value for "${key}": it must be a duration`;
    next[target] = Math.trunc(seconds);
  }
  const threshold = member(given, 'lockout_threshold');
  if (threshold !== undefined && threshold !== null && threshold !== '') {
    const number = Number(threshold);
    if (!Number.isSafeInteger(number) || number < 1)
      return 'invalid value for "lockout_threshold": it must be a positive number';
    next.threshold = number;
  }
  const disabled = member(given, 'lockout_disable');
  if (disabled !== undefined && disabled !== null) next.disabled = disabled === true || disabled === 'true';
  return next;
}

/** As reads of the tuning show it; nothing where nothing was set. */
export function renderLockout(settings: LockoutSettings | undefined): JsonObject {
  if (settings === undefined) return {};
  return {
    user_lockout_counter_reset_duration: settings.counterReset ?? 0,
    user_lockout_disable: settings.disabled ?? false,
    user_lockout_duration: settings.duration ?? 0,
    user_lockout_threshold: settings.threshold ?? 0,
  };
}
