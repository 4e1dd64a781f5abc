import { AsnConvert, AsnUtf8StringConverter } from '@peculiar/asn1-schema';
import { GeneralName, GeneralNames, OtherName } from '@peculiar/asn1-x509';
import { decode, encode } from './der.ts';

/** The names of a subjectAltName extension (RFC 5280 §4.2.1.6). */
export interface AlternativeNames {
  readonly dns: readonly string[];
  readonly emails: readonly string[];
  readonly ips: readonly string[];
  readonly uris: readonly string[];
  /** Other names of type UTF8String. */
  readonly others: readonly OtherText[];
}

export interface OtherText {
  readonly oid: string;
  readonly value: string;
}

export const noNames: AlternativeNames = { dns: [], emails: [], ips: [], uris: [], others: [] };

/** @returns whether there is no name at all */
export function isEmpty({ dns, emails, ips, uris, others }: AlternativeNames): boolean {
  return dns.length + emails.length + ips.length + uris.length + others.length === 0;
}

/** The value of the extension. */
export function encodeNames({ dns, emails, ips, uris, others }: AlternativeNames): Uint8Array {
  return encode(
    new GeneralNames([
      ...others.map(({ oid, value }) => {
        const text = AsnUtf8StringConverter.toASN(value).toBER(false);
        return new GeneralName({ otherName: new OtherName({ typeId: oid, value: text }) });
      }),
      ...dns.map((dNSName) => new GeneralName({ dNSName })),
      ...emails.map((rfc822Name) => new GeneralName({ rfc822Name })),
      ...ips.map((iPAddress) => new GeneralName({ iPAddress: plainAddress(iPAddress) })),
      ...uris.map((uniformResourceIdentifier) => new GeneralName({ uniformResourceIdentifier })),
    ]),
  );
}

/** @returns undefined when the value cannot be read, or another name is not of type UTF8String */
export function decodeNames(value: Uint8Array): AlternativeNames | undefined {
  const names = decode(value, GeneralNames);
  if (names === undefined) return undefined;
  const found = { dns: [] as string[], emails: [] as string[], ips: [] as string[], uris: [] as string[] };
  const others: OtherText[] = [];
  for (const name of names) {
    if (name.dNSName !== undefined) found.dns.push(name.dNSName);
    else if (name.rfc822Name !== undefined) found.emails.push(name.rfc822Name);
    else if (name.iPAddress !== undefined) found.ips.push(name.iPAddress);
    else if (name.uniformResourceIdentifier !== undefined) found.uris.push(name.uniformResourceIdentifier);
    else if (name.otherName !== undefined) {
      const text = utf8Of(name.otherName);
      if (text === undefined) return undefined;
      others.push({ oid: name.otherName.typeId, value: text });
    }
  }
  return { ...found, others };
}

/** A text of type UTF8String in DER. */
class Utf8Text {
  value = '';
  fromASN(asn: Parameters<typeof AsnUtf8StringConverter.fromASN>[0]): this {
    this.value = AsnUtf8StringConverter.fromASN(asn);
    return this;
  }
  toASN(): ReturnType<typeof AsnUtf8StringConverter.toASN> {
    return AsnUtf8StringConverter.toASN(this.value);
  }
  toSchema(): never {
    throw new TypeError('read as it is');
  }
}

function utf8Of({ value }: OtherName): string | undefined {
  // 12 is the tag of UTF8String (X.680 §8.6).
  if (new Uint8Array(value)[0] !== 12) return undefined;
  try {
    return AsnConvert.parse(value, Utf8Text).value;
  } catch {
    return undefined;
  }
}

// An IPv4 address is four bytes, however it is written.
function plainAddress(address: string): string {
  return /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(address) ? address.slice(7) : address;
}
