import { fromBase64, toBase64 } from '../../../lib/bytes.ts';

/** One block of a PEM text (RFC 7468). */
export interface PemBlock {
  readonly label: string;
  readonly der: Uint8Array;
}

/** PEM with lines of 64 characters and a newline at the end. */
export function toPem(label: string, der: Uint8Array): string {
  const lines = toBase64(der).match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** PEM without the newline at the end, as most answers have it. */
export function trimmedPem(label: string, der: Uint8Array): string {
  return toPem(label, der).trim();
}

/**
 * The blocks of a text; text around them, as OpenSSL prints it, is skipped.
 * @returns undefined when what follows the last block of a text, or a text without blocks, is not blank
 */
export function readPem(text: string): PemBlock[] | undefined {
  const blocks: PemBlock[] = [];
  let offset = 0;
  for (;;) {
    const begin = text.indexOf('-----BEGIN ', offset);
    if (begin === -1) return text.slice(offset).trim() === '' ? blocks : undefined;
    const labelEnd = text.indexOf('-----', begin + 11);
    if (labelEnd === -1) return undefined;
    const label = text.slice(begin + 11, labelEnd);
    const end = text.indexOf(`-----END ${label}-----`, labelEnd);
    if (end === -1) return undefined;
    const der = fromBase64(text.slice(labelEnd + 5, end).replace(/\s+/g, ''));
    if (der === undefined || der.length === 0) return undefined;
    blocks.push({ label, der });
    offset = end + label.length + 14;
  }
}

/** The first block of a text, whatever follows it. */
export function firstPem(text: string): PemBlock | undefined {
  const begin = text.indexOf('-----BEGIN ');
  const end = begin === -1 ? -1 : text.indexOf('-----END ', begin);
  if (end === -1) return undefined;
  const close = text.indexOf('-----', end + 9);
  return close === -1 ? undefined : readPem(text.slice(begin, close + 5))?.[0];
}
