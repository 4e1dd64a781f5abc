import { AsnConvert } from '@peculiar/asn1-schema';

/** The DER of a value of a schema. */
export function encode(value: object): Uint8Array {
  return new Uint8Array(AsnConvert.serialize(value));
}

/** @returns undefined for anything but the DER of one value of the schema */
export function decode<T>(der: Uint8Array, type: new () => T): T | undefined {
  try {
    return AsnConvert.parse(toBuffer(der), type);
  } catch {
    return undefined;
  }
}

/** A copy as the schemas hold bytes. */
export function toBuffer(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}
