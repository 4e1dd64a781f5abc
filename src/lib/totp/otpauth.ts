import type { CodeShape } from './code.ts';

/** What an `otpauth://totp/<issuer>:<account>` URL says; members that it leaves out are missing. */
export interface OtpAuth {
  readonly key: string;
  readonly issuer: string | undefined;
  readonly accountName: string;
  readonly period: number | undefined;
  readonly digits: number | undefined;
  readonly algorithm: string | undefined;
}

/** Writes the URL that authenticator apps read. */
export function formatOtpAuth(key: string, issuer: string, accountName: string, shape: CodeShape): string {
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(accountName).replaceAll('%40', '@')}`;
  const query = new URLSearchParams({
    algorithm: shape.algorithm,
    digits: String(shape.digits),
    issuer,
    period: String(shape.period),
    secret: key,
  });
  return `otpauth://totp/${label}?${query.toString().replaceAll('+', '%20')}`;
}

/** @returns what the URL says, or why it is refused */
export function parseOtpAuth(text: string): OtpAuth | string {
  if (!URL.canParse(text)) return 'an error occurred while parsing url string';
  const { pathname, searchParams } = new URL(text);
  let label: string;
  try {
    // Of a scheme that is not special, the host and what follows are both in the path when there is no authority.
    label = decodeURIComponent(pathname.replace(/^\/+/, ''));
  } catch {
    return 'an error occurred while parsing url string';
  }
  const colon = label.indexOf(':');
  const period = integer(searchParams.get('period'));
  if (period === 'wrong') return 'an error occurred while parsing period value in url';
  const digits = integer(searchParams.get('digits'));
  if (digits === 'wrong') return 'an error occurred while parsing digits value in url';
  const issuer = searchParams.get('issuer') || (colon === -1 ? undefined : label.slice(0, colon));
  return {
    key: searchParams.get('secret') ?? '',
    issuer,
    accountName: label.slice(colon + 1),
    period,
    digits,
    algorithm: searchParams.get('algorithm') || undefined,
  };
}

function integer(text: string | null): number | undefined | 'wrong' {
  if (text === null || text === '') return undefined;
  return /^[+-]?\d{1,9}$/.test(text) ? Number(text) : 'wrong';
}
