import { domainToASCII } from 'node:url';
import { Refused } from './refused.ts';

/** A domain name in ASCII (RFC 5890); the length of its labels is checked (RFC 1034 §3.1). */
export function toAscii(name: string): string | Refused {
  const ascii = /^\p{ASCII}*$/u.test(name) ? name : domainToASCII(name);
  const plain = ascii.endsWith('.') ? ascii.slice(0, -1) : ascii;
  if (plain === '' || plain.length > 253)
    return new Refused(`idna: invalid domain name ${JSON.stringify(name)}`);
  const bad = plain.split('.').find((label) => label === '' || label.length > 63);
  return bad === undefined ? ascii : new Refused(`idna: invalid label ${JSON.stringify(bad)}`);
}

/** @returns whether a name is a host name; a wildcard as the whole first label is allowed */
export function isHostName(name: string): boolean {
  const plain = name.endsWith('.') ? name.slice(0, -1) : name;
  const labels = (plain.startsWith('*.') ? plain.slice(2) : plain).split('.');
  return labels.every(isLabel);
}

/** @returns whether a label has one wildcard, and is a label otherwise (RFC 6125 §6.4.3) */
export function isWildcardLabel(label: string): boolean {
  const parts = label.split('*');
  return parts.length === 2 && parts.every((part) => part === '' || isLabel(part));
}

function isLabel(label: string): boolean {
  return /^[a-zA-Z0-9-]+$/.test(label) && !label.startsWith('-') && !label.endsWith('-');
}
