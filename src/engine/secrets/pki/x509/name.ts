import { AttributeTypeAndValue, AttributeValue, Name, RelativeDistinguishedName } from '@peculiar/asn1-x509';
import { toHex } from '../../../../lib/bytes.ts';
import { encode } from './der.ts';

const COMMON_NAME = '2.5.4.3';
const SERIAL_NUMBER = '2.5.4.5';
/** RFC 4519 §2.39. */
export const USER_ID = '0.9.2342.19200300.100.1.1';

/** A subject by the fields of the API; what is missing or empty is left out. */
export interface Subject {
  readonly commonName?: string;
  readonly serialNumber?: string;
  readonly country?: readonly string[];
  readonly organization?: readonly string[];
  readonly ou?: readonly string[];
  readonly locality?: readonly string[];
  readonly province?: readonly string[];
  readonly streetAddress?: readonly string[];
  readonly postalCode?: readonly string[];
  readonly userIds?: readonly string[];
}

const SHORT: Readonly<Record<string, string>> = {
  [COMMON_NAME]: 'CN',
  [SERIAL_NUMBER]: 'SERIALNUMBER',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.9': 'STREET',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.17': 'POSTALCODE',
};

/** The distinguished name of a subject; several values of one field are one set. */
export function nameOf(subject: Subject): Name {
  const sets: RelativeDistinguishedName[] = [];
  const add = (type: string, values: readonly string[] = []): void => {
    const unique = [...new Set(values)];
    if (unique.length > 0) sets.push(new RelativeDistinguishedName(sorted(unique, type)));
  };
  add('2.5.4.6', subject.country);
  add('2.5.4.10', subject.organization);
  add('2.5.4.11', subject.ou);
  add('2.5.4.7', subject.locality);
  add('2.5.4.8', subject.province);
  add('2.5.4.9', subject.streetAddress);
  add('2.5.4.17', subject.postalCode);
  if (subject.commonName !== undefined && subject.commonName !== '') add(COMMON_NAME, [subject.commonName]);
  if (subject.serialNumber !== undefined && subject.serialNumber !== '')
    add(SERIAL_NUMBER, [subject.serialNumber]);
  for (const userId of subject.userIds ?? []) add(USER_ID, [userId]);
  return new Name(sets);
}

// X.690 §11.6: the members of a set are in the order of their encodings.
function sorted(values: readonly string[], type: string): AttributeTypeAndValue[] {
  return values
    .map((value) => attribute(type, value))
    .map((item) => ({ item, key: toHex(encode(item)) }))
    .toSorted((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ item }) => item);
}

function attribute(type: string, value: string): AttributeTypeAndValue {
  const printable = /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(value);
  return new AttributeTypeAndValue({
    type,
    value: new AttributeValue(printable ? { printableString: value } : { utf8String: value }),
  });
}

/** All values of one type of attribute, in order. */
export function valuesOf(name: Name, type: string): string[] {
  return [...name].flatMap((set) =>
    [...set].filter((item) => item.type === type).map(({ value }) => value.toString()),
  );
}

/** The last common name; '' without one. */
export function commonNameOf(name: Name): string {
  return valuesOf(name, COMMON_NAME).at(-1) ?? '';
}

export function serialNumberOf(name: Name): string {
  return valuesOf(name, SERIAL_NUMBER).at(-1) ?? '';
}

/** The text of a name: most specific part first (RFC 2253). */
export function showName(name: Name): string {
  return [...name]
    .toReversed()
    .map((set) =>
      [...set].map((item) => `${SHORT[item.type] ?? item.type}=${escape(item.value.toString())}`).join('+'),
    )
    .join(',');
}

function escape(value: string): string {
  return value
    .replace(/[,+"\\<>;]/g, '\\$&')
    .replace(/^[# ]/, '\\$&')
    .replace(/ $/, '\\ ');
}
