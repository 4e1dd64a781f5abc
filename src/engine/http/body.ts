import type { IncomingMessage } from 'node:http';
import { toBase64 } from '../../lib/bytes.ts';
import { Aborted } from '../../lib/errors.ts';
import { isJsonObject, type JsonObject, MAX_JSON_DEPTH, parseJson } from '../../lib/json.ts';
import { type JsonLimits, scanJson, SMALL_JSON } from '../../lib/json-limits.ts';

/** What a listener takes. */
export interface BodyLimits {
  /** Bytes; 0 or less for any number. */
  readonly maxRequestSize: number;
  readonly json: JsonLimits;
}

// A class, because a body may have members of any name.
export class BodyRefusal {
  readonly status: number;
  readonly message: string;
  constructor(status: number, message: string) {
    this.status = status;
    this.message = message;
  }
}

/** What a stranger may send: room for 255 shares and their holders' keys. */
const STRANGER: BodyLimits = { maxRequestSize: 4 * 1024 * 1024, json: SMALL_JSON };
/** Bytes that are parsed whoever sent them with a token: it is not worth looking for the token first. */
const SMALL = 64 * 1024;
/** Bytes after which others have their turn between two steps. */
const LARGE = 1024 * 1024;
const none: JsonObject = {};

/** @returns whether a body is held to the listener's limits, and not to those of strangers: before any of it is read */
export async function mayBeLarge(
  { headers }: IncomingMessage,
  token: string,
  isGood: (token: string) => Promise<boolean | undefined>,
): Promise<boolean> {
  if (token === '') return false;
  const length = Number(headers['content-length'] ?? Number.NaN);
  return length <= SMALL || (await isGood(token)) === true;
}

/** How a body is to be read. */
export interface BodyOptions {
  readonly limits: BodyLimits;
  readonly mayBeLarge: boolean;
  readonly hasToken: boolean;
  /** The media type, or an empty text for JSON only. */
  readonly type: string;
}

/**
 * Reads a body. Limits count before anything is made of it: its bytes are looked at once, and then parsed.
 * A refusal for the limits of strangers tells the holder of a bad token only that.
 */
export async function readBody(
  message: IncomingMessage,
  options: BodyOptions,
): Promise<JsonObject | BodyRefusal> {
  const { hasToken, type } = options;
  const limits = options.mayBeLarge ? options.limits : lowest(options.limits, STRANGER);
  const refused = (status: number, text: string): BodyRefusal =>
    hasToken && !options.mayBeLarge
      ? new BodyRefusal(403, 'permission denied')
      : new BodyRefusal(status, text);
  const { maxRequestSize, json } = limits;
  const length = Number(message.headers['content-length'] ?? 0);
  const bytes =
    maxRequestSize > 0 && length > maxRequestSize ? undefined : await collect(message, maxRequestSize);
  if (bytes === undefined) return refused(413, 'request body too large');
  // RFC 6960 A.1: a binary body, for the one endpoint that takes it as its field req.
  if (type === 'application/ocsp-request') return { req: toBase64(bytes) };
  const breath = async (): Promise<void> => {
    if (bytes.length > LARGE) await new Promise((resolve) => setImmediate(resolve));
  };
  // curl calls JSON a form unless it is told otherwise.
  if (type === 'application/x-www-form-urlencoded' && firstOf(bytes) !== 0x7b) {
    if (bytes.length > json.maxStringValueLength)
      return refused(400, `the form is longer than ${json.maxStringValueLength} bytes`);
    const text = bytes.toString('utf8');
    if (text.trim() === '') return none;
    if (countOf(text, '&') >= json.maxObjectEntryCount)
      return refused(400, `the form has more than ${json.maxObjectEntryCount} fields`);
    return form(text);
  }
  const scan = scanJson(bytes, json);
  if (scan.refused !== undefined) return refused(400, `failed to decode JSON input: ${scan.refused}`);
  if (scan.blank) return none;
  await breath();
  const text = bytes.toString('utf8');
  await breath();
  return parsed(text, scan.exact);
}

function parsed(text: string, exact: boolean): JsonObject | BodyRefusal {
  try {
    const value = parseJson(text, exact);
    if (value === null) return none;
    if (isJsonObject(value)) return value;
    return new BodyRefusal(400, 'failed to decode JSON input: the body must be a JSON object');
  } catch (error) {
    if (error instanceof RangeError)
      return new BodyRefusal(
        400,
        `failed to decode JSON input: nested more than ${MAX_JSON_DEPTH} levels deep`,
      );
    // The parser's message quotes the body.
    return new BodyRefusal(400, 'failed to decode JSON input: the body is not valid JSON');
  }
}

/** How often a character stands in a text. */
export function countOf(text: string, character: string): number {
  let count = 0;
  for (let at = text.indexOf(character); at !== -1; at = text.indexOf(character, at + 1)) count += 1;
  return count;
}

function firstOf(bytes: Uint8Array): number | undefined {
  return bytes.find((code) => code > 0x20);
}

function lowest(a: BodyLimits, b: BodyLimits): BodyLimits {
  const size = a.maxRequestSize > 0 ? Math.min(a.maxRequestSize, b.maxRequestSize) : b.maxRequestSize;
  return {
    maxRequestSize: size,
    json: {
      maxDepth: Math.min(a.json.maxDepth, b.json.maxDepth),
      maxStringValueLength: Math.min(a.json.maxStringValueLength, b.json.maxStringValueLength),
      maxObjectEntryCount: Math.min(a.json.maxObjectEntryCount, b.json.maxObjectEntryCount),
      maxArrayElementCount: Math.min(a.json.maxArrayElementCount, b.json.maxArrayElementCount),
      maxTokens: Math.min(a.json.maxTokens, b.json.maxTokens),
    },
  };
}

// By events: an async iterator over a stream costs more than all the rest of reading a small body.
function collect(message: IncomingMessage, limit: number): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    message.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (limit > 0 && size > limit) {
        message.pause();
        resolve(undefined);
      } else chunks.push(chunk);
    });
    message.once('end', () => {
      const [first] = chunks;
      resolve(chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks));
    });
    message.once('error', reject);
    message.once('aborted', () => reject(new Aborted('the client went away')));
  });
}

// A field that is given more than once has all its values, between commas.
function form(text: string): JsonObject {
  const fields = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(text)) {
    const before = fields.get(name);
    fields.set(name, before === undefined ? value : `${before},${value}`);
  }
  return Object.fromEntries(fields);
}
