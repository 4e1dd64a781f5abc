/**
 * Times of rotation as cron writes them, in UTC: minute, hour, day of month, month, day of week; with `*`, lists,
 * ranges, steps, names of months and days, and `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.
 */
export interface Schedule {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly weekdays: ReadonlySet<number>;
  /** Whether a day has to be right in both ways; otherwise one is enough, as cron has it. */
  readonly both: boolean;
}

const SHORT: Readonly<Record<string, string>> = {
  '@hourly': '0 * * * *',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@weekly': '0 0 * * 0',
  '@monthly': '0 0 1 * *',
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
};
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const MINUTE = 60;
const DAY = 86_400;
const HORIZON_DAYS = 366 * 8;

/** @returns undefined for what is no schedule */
export function parseSchedule(text: string): Schedule | undefined {
  const fields = (SHORT[text.trim().toLowerCase()] ?? text).trim().split(/\s+/);
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = fields;
  if (fields.length !== 5) return undefined;
  const minutes = numbers(minute, 0, 59, []);
  const hours = numbers(hour, 0, 23, []);
  const days = numbers(day, 1, 31, []);
  const months = numbers(month, 1, 12, ['', ...MONTHS]);
  const weekdays = numbers(weekday, 0, 7, DAYS);
  if (
    minutes === undefined ||
    hours === undefined ||
    days === undefined ||
    months === undefined ||
    weekdays === undefined
  )
    return undefined;
  if (weekdays.has(7)) weekdays.add(0);
  return { minutes, hours, days, months, weekdays, both: /^[*?]/.test(day) || /^[*?]/.test(weekday) };
}

/** @returns the next time after now, in seconds since the epoch; undefined when there is none in eight years */
export function nextTime(schedule: Schedule, now: number): number | undefined {
  const first = Math.floor(now / MINUTE) * MINUTE + MINUTE;
  const day = Math.floor(first / DAY) * DAY;
  for (let offset = 0; offset < HORIZON_DAYS; offset += 1) {
    const start = day + offset * DAY;
    if (!matchesDay(schedule, new Date(start * 1000))) continue;
    for (const hour of [...schedule.hours].toSorted((a, b) => a - b)) {
      for (const minute of [...schedule.minutes].toSorted((a, b) => a - b)) {
        const time = start + hour * 3600 + minute * MINUTE;
        if (time >= first) return time;
      }
    }
  }
  return undefined;
}

function matchesDay(schedule: Schedule, date: Date): boolean {
  if (!schedule.months.has(date.getUTCMonth() + 1)) return false;
  const ofMonth = schedule.days.has(date.getUTCDate());
  const ofWeek = schedule.weekdays.has(date.getUTCDay());
  return schedule.both ? ofMonth && ofWeek : ofMonth || ofWeek;
}

function numbers(field: string, min: number, max: number, names: readonly string[]): Set<number> | undefined {
  const found = new Set<number>();
  for (const part of field.split(',')) {
    const match = /^(\*|\?|\w+)(?:-(\w+))?(?:\/(\d+))?$/.exec(part);
    if (match === null) return undefined;
    const [, from = '', to, step] = match;
    const every = from === '*' || from === '?';
    const low = every ? min : value(from, names);
    const high = every || (to === undefined && step !== undefined) ? max : value(to ?? from, names);
    const width = Number(step ?? 1);
    if (low === undefined || high === undefined || low < min || high > max || low > high || width < 1)
      return undefined;
    for (let number = low; number <= high; number += width) found.add(number);
  }
  return found;
}

function value(text: string, names: readonly string[]): number | undefined {
  if (/^\d+$/.test(text)) return Number(text);
  const index = names.indexOf(text.toLowerCase());
  return index === -1 ? undefined : index;
}
