const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-9,
  us: 1e-6,
  µs: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3600,
  d: 86400,
};

/**
 * A duration as Vault accepts it: a number of seconds, or text such as `90`, `30s`, `1h30m`, `7d`.
 * @returns seconds, or undefined for anything else
 */
export function parseDuration(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value !== 'string') return undefined;
  const trimmed = value.trim();
  if (trimmed === '') return 0;
  if (/^[+-]?\d+$/.test(trimmed)) return Number(trimmed);
  const sign = trimmed.startsWith('-') ? -1 : 1;
  const body = trimmed.replace(/^[+-]/, '');
  const seconds = sumOfUnits(body, UNITS);
  return seconds === undefined ? undefined : sign * seconds;
}

const AMOUNT = /(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)/y;

/**
 * @param units what each unit is worth
 * @returns the sum of amounts with units that follow each other, such as `1h30m`; undefined for anything else
 */
export function sumOfUnits(text: string, units: Readonly<Record<string, number>>): number | undefined {
  let sum = 0;
  let offset = 0;
  do {
    AMOUNT.lastIndex = offset;
    const [whole = '', amount, unit = ''] = AMOUNT.exec(text) ?? [];
    const worth = units[unit];
    if (worth === undefined) return undefined;
    sum += Number(amount) * worth;
    offset += whole.length;
  } while (offset < text.length);
  return sum;
}

/** Go's form of a duration in whole seconds: `0s`, `30s`, `1h0m0s`. */
export function formatDuration(seconds: number): string {
  if (seconds === 0) return '0s';
  const sign = seconds < 0 ? '-' : '';
  const total = Math.abs(seconds);
  const hours = Math.floor(total / 3600);
  const minutes = Math.floor((total % 3600) / 60);
  const rest = total % 60;
  if (hours > 0) return `${sign}${hours}h${minutes}m${rest}s`;
  return minutes > 0 ? `${sign}${minutes}m${rest}s` : `${sign}${rest}s`;
}
