import { fromBase64, text as decode } from '../../../lib/bytes.ts';
import { isJsonObject, parseJson } from '../../../lib/json.ts';

/** The metadata of a secret ID: JSON text of a map of strings, or `key=value,key=value`, or base64 of either. */
export function readMetadata(given: string): Record<string, string> | undefined {
  const text = given.trim();
  if (text === '') return {};
  const bytes = fromBase64(text);
  return fromJson(text) ?? (bytes === undefined ? undefined : fromPlain(decode(bytes))) ?? fromPairs(text);
}

function fromPlain(text: string): Record<string, string> | undefined {
  return fromJson(text) ?? fromPairs(text);
}

function fromJson(text: string): Record<string, string> | undefined {
  try {
    const value = parseJson(text);
    if (!isJsonObject(value)) return undefined;
    const entries: [string, string][] = [];
    for (const [key, each] of Object.entries(value)) {
      if (typeof each !== 'string') return undefined;
      entries.push([key, each]);
    }
    return Object.fromEntries(entries);
  } catch {
    return undefined;
  }
}

function fromPairs(text: string): Record<string, string> | undefined {
  if (text.startsWith('{')) return undefined;
  const entries: [string, string][] = [];
  for (const pair of text.split(',')) {
    const equals = pair.indexOf('=');
    if (equals < 1) return undefined;
    entries.push([pair.slice(0, equals).trim(), pair.slice(equals + 1).trim()]);
  }
  return Object.fromEntries(entries);
}
