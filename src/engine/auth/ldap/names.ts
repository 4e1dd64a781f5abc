import { fromHex, text } from '../../../lib/bytes.ts';

/** A relative distinguished name's parts. */
interface Attribute {
  readonly type: string;
  readonly value: string;
}

/** Escapes a value for a distinguished name (RFC 4514 §2.4). */
export function escapeDnValue(value: string): string {
  const last = value.length - 1;
  return [...value.matchAll(/[\s\S]/gu)]
    .map(({ 0: character, index }) => {
      if (character.charCodeAt(0) < 0x20) return `\\${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
      if (/["+,;<>\\#=]/.test(character)) return `\\${character}`;
      return character === ' ' && (index === 0 || index === last) ? '\\ ' : character;
    })
    .join('');
}

/** The common name in a distinguished name, or the whole text when it has none or is none. @param exact only an upper-case CN counts */
export function commonNameOf(dn: string, exact: boolean): string {
  const found = parseDn(dn)?.find(({ type }) => type === 'CN' || (!exact && type.toLowerCase() === 'cn'));
  return found?.value ?? dn;
}

/** A security identifier as text, `S-1-5-…`. @returns undefined for other bytes */
export function sidText(bytes: Uint8Array): string | undefined {
  const [revision, count = 0] = bytes;
  if (revision === undefined || bytes.length !== 8 + count * 4) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const authority = view.getUint16(2) * 2 ** 32 + view.getUint32(4);
  const parts = Array.from({ length: count }, (_, index) => view.getUint32(8 + index * 4, true));
  return ['S', revision, authority, ...parts].join('-');
}

function parseDn(dn: string): Attribute[] | undefined {
  const attributes: Attribute[] = [];
  for (const part of splitUnescaped(dn)) {
    const equals = part.indexOf('=');
    if (equals < 1) return undefined;
    attributes.push({ type: part.slice(0, equals).trim(), value: unescape(part.slice(equals + 1).trim()) });
  }
  return attributes;
}

function splitUnescaped(dn: string): string[] {
  const parts = [''];
  for (const [piece] of dn.matchAll(/\\[\s\S]|[\s\S]/gu)) {
    if (piece === ',' || piece === '+') parts.push('');
    else parts[parts.length - 1] += piece;
  }
  return parts;
}

// Hex pairs are bytes of UTF-8.
function unescape(value: string): string {
  return value.replaceAll(/(?:\\[0-9a-fA-F]{2})+|\\([\s\S])/gu, (all, one: string | undefined) =>
    one === undefined ? text(fromHex(all.replaceAll('\\', '')) ?? new Uint8Array()) : one,
  );
}
