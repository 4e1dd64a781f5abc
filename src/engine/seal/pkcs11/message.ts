import { concat, text, utf8 } from '../../../lib/bytes.ts';
import { HsmError } from './errors.ts';

/**
 * What travels between the engine, the agent and the PKCS#11 process: a JSON head for what may be seen and
 * binary parts for what may not, so that no secret becomes a string on the way.
 *
 *     4 bytes  length of the head, big-endian
 *     head     JSON object; `parts` is a list of [name, length]
 *     parts    the bytes, one after the other
 */
export interface Message {
  readonly head: Readonly<Record<string, unknown>>;
  readonly parts: ReadonlyMap<string, Uint8Array>;
}

/** The longest message that is accepted. */
export const MAX_MESSAGE: number = 256 * 1024;
const MAX_PARTS = 8;

export function encodeMessage(
  head: Readonly<Record<string, unknown>>,
  parts: Readonly<Record<string, Uint8Array>> = {},
): Uint8Array {
  const list = Object.entries(parts).map(([name, bytes]) => [name, bytes.length]);
  const json = utf8(JSON.stringify({ ...head, parts: list }));
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, json.length);
  return concat(length, json, ...Object.values(parts));
}

/** The parts are copies of their own. @throws ERR_HSM_AGENT_UNAVAILABLE for anything that is not a message */
export function decodeMessage(bytes: Uint8Array): Message {
  if (bytes.length < 4 || bytes.length > MAX_MESSAGE) throw malformed();
  const headLength = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  if (headLength > bytes.length - 4) throw malformed();
  const head = parseHead(bytes.subarray(4, 4 + headLength));
  const parts = new Map<string, Uint8Array>();
  let offset = 4 + headLength;
  for (const [name, length] of partList(head['parts'])) {
    if (length > bytes.length - offset || parts.has(name)) throw malformed();
    parts.set(name, Uint8Array.from(bytes.subarray(offset, offset + length)));
    offset += length;
  }
  if (offset !== bytes.length) throw malformed();
  return { head, parts };
}

function parseHead(bytes: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text(bytes));
  } catch {
    throw malformed();
  }
  if (!isObject(value)) throw malformed();
  return value;
}

function partList(value: unknown): [string, number][] {
  if (!Array.isArray(value) || value.length > MAX_PARTS) throw malformed();
  return value.map((entry: unknown) => {
    if (!Array.isArray(entry) || entry.length !== 2) throw malformed();
    const [name, length]: unknown[] = entry;
    if (typeof name !== 'string' || typeof length !== 'number') throw malformed();
    if (!Number.isSafeInteger(length) || length < 0) throw malformed();
    return [name, length];
  });
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A text of the head. @throws ERR_HSM_AGENT_UNAVAILABLE when it is absent, no text or too long */
export function textField(head: Readonly<Record<string, unknown>>, name: string): string {
  const value = Object.hasOwn(head, name) ? head[name] : undefined;
  if (typeof value !== 'string' || value.length > 4096) throw malformed();
  return value;
}

export function numberField(head: Readonly<Record<string, unknown>>, name: string): number {
  const value = Object.hasOwn(head, name) ? head[name] : undefined;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw malformed();
  return value;
}

/** @param most its length in bytes */
export function part(message: Message, name: string, most: number): Uint8Array {
  const bytes = message.parts.get(name);
  if (bytes === undefined || bytes.length > most) throw malformed();
  return bytes;
}

export function malformed(): HsmError {
  return new HsmError('ERR_HSM_AGENT_UNAVAILABLE', {
    hint: 'a message between engine and HSM agent is malformed: do both run the same version?',
    repair: 'process',
  });
}
