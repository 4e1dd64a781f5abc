import { formatDuration } from '../../../lib/duration.ts';
import type { LeaseTtl } from '../../logical/request.ts';
import { Refused } from './refused.ts';
import type { Role } from './role.ts';

/** What a request says of a certificate's time. */
export interface TimeRequest {
  /** Seconds; 0 for none. */
  readonly ttl: number;
  /** RFC 3339; '' for none. */
  readonly not_after: string;
  readonly not_before: string;
}

/** When a certificate is valid, in milliseconds since the epoch. */
export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
  readonly warnings: readonly string[];
}

/** The end of the issuer, in milliseconds since the epoch, and what is done when a certificate would outlive it. */
export interface IssuerEnd {
  readonly notAfter: number;
  readonly behavior: 'err' | 'truncate' | 'permit';
}

type TimeRules = Pick<
  Role,
  | 'ttl'
  | 'max_ttl'
  | 'not_before'
  | 'not_after'
  | 'not_before_duration'
  | 'not_before_bound'
  | 'not_after_bound'
>;

/** RFC 5280 §4.1.2.5: the last second that a certificate can name, and the first. */
const LAST = Date.UTC(9999, 11, 31, 23, 59, 59);
const FIRST = Date.UTC(1950, 0, 1);

/** Decides on the time of a certificate. @param now milliseconds since the epoch */
export function decideValidity(
  rules: TimeRules,
  request: TimeRequest,
  limits: LeaseTtl,
  issuer: IssuerEnd | undefined,
  now: number,
): Validity | Refused {
  const warnings: string[] = [];
  const notBefore = beginOf(rules, request, now);
  if (notBefore instanceof Refused) return notBefore;
  const end = endOf(rules, request, limits, now, warnings);
  if (end instanceof Refused) return end;
  const notAfter = within(end, issuer);
  if (notAfter instanceof Refused) return notAfter;
  if (notBefore > notAfter) return unordered('is later than', notBefore, notAfter);
  if (notBefore === notAfter) return unordered('is equal to', notBefore, notAfter);
  return { notBefore, notAfter, warnings };
}

function beginOf(rules: TimeRules, request: TimeRequest, now: number): number | Refused {
  const usual = now - (rules.not_before_duration > 0 ? rules.not_before_duration : 30) * 1000;
  const given = rules.not_before === '' ? request.not_before : rules.not_before;
  if (given === '') return usual;
  const time = parseTime(given);
  if (time instanceof Refused) return time;
  if (rules.not_before === '') {
    if (rules.not_before_bound === 'forbid') return new Refused('not_before is not allowed by this role');
    if (rules.not_before_bound === 'duration' && time < usual)
      return new Refused('not_before is earlier than not_before_duration of this role allows');
  }
  return time;
}

function endOf(
  rules: TimeRules,
  request: TimeRequest,
  limits: LeaseTtl,
  now: number,
  warnings: string[],
): number | Refused {
  const given = rules.not_after === '' ? request.not_after : rules.not_after;
  if (request.ttl > 0 && given !== '')
    return new Refused(
      'Either ttl or not_after should be provided. Both should not be provided in the same request.',
    );
  const max = rules.max_ttl || limits.max;
  if (given !== '') {
    const time = parseTime(given);
    if (time instanceof Refused || rules.not_after !== '') return time;
    if (rules.not_after_bound === 'forbid') return new Refused('not_after is not allowed by this role');
    if (rules.not_after_bound === 'ttl-limited' && time > now + max * 1000)
      return new Refused('not_after is later than max_ttl of this role allows');
    return time;
  }
  let ttl = request.ttl || rules.ttl || limits.default;
  if (ttl > max) {
    warnings.push(
      `TTL "${formatDuration(ttl)}" is longer than permitted maxTTL "${formatDuration(max)}", so maxTTL is being used`,
    );
    ttl = max;
  }
  return Math.min(now + ttl * 1000, LAST);
}

function within(end: number, issuer: IssuerEnd | undefined): number | Refused {
  if (issuer === undefined || end <= issuer.notAfter || issuer.behavior === 'permit') return end;
  if (issuer.behavior === 'truncate') return issuer.notAfter;
  return new Refused(
    `cannot satisfy request, as TTL would result in notAfter of ${showTime(end)} that is beyond the expiration of the CA certificate at ${showTime(issuer.notAfter)}`,
  );
}

function unordered(how: string, notBefore: number, notAfter: number): Refused {
  return new Refused(
    `The certificate's Not Before (${showTime(notBefore)}) ${how} the certificate's Not After (${showTime(notAfter)})`,
  );
}

/** RFC 3339 without a fraction that is zero. @param time milliseconds since the epoch */
export function showTime(time: number): string {
  return new Date(time).toISOString().replace('.000Z', 'Z');
}

/** A time as RFC 3339 writes it, in milliseconds since the epoch, without the part below a second. */
export function parseTime(text: string): number | Refused {
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (time >= FIRST && time < LAST + 1000) return Math.floor(time / 1000) * 1000;
  const quoted = JSON.stringify(text);
  return new Refused(
    `parsing time ${quoted} as "2006-01-02T15:04:05Z07:00": cannot parse ${quoted} as "2006-01-02T15:04:05Z07:00"`,
  );
}
