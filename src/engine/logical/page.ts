import { utf8 } from '../../lib/bytes.ts';
import { isJsonObject, member } from '../../lib/json.ts';
import { badRequest, type Response } from './response.ts';

/** A part of a list (OpenBao: "Paginated Lists"): what comes after a name, which need not be there, and how much of it. */
export interface Page {
  readonly after?: string;
  readonly limit?: number;
}

/** Query parameters that every LIST takes. */
export const pageParameters = {
  after: 'Optional entry to begin listing after; it is not required to exist.',
  limit: 'Optional number of entries to return; all without it.',
} as const;

/** @returns undefined for a limit that is no number */
export function readPage(query: URLSearchParams | undefined): Page | undefined {
  const after = query?.get('after') ?? '';
  const limit = query?.get('limit') ?? '';
  if (!/^[+-]?\d{0,15}$/.test(limit)) return undefined;
  return { ...(after === '' ? {} : { after }), ...(Number(limit) > 0 ? { limit: Number(limit) } : {}) };
}

/** The part of an answer to LIST that is asked for; an answer that is that part already stays as it is. */
export function takePage(response: Response, query: URLSearchParams | undefined): Response {
  const page = readPage(query);
  if (page === undefined)
    return badRequest('Field validation failed: error converting input for field "limit": expected type int');
  const names = response.kind === 'data' ? response.data?.['keys'] : undefined;
  if (response.kind !== 'data' || !Array.isArray(names)) return response;
  const { after, limit } = page;
  if (after === undefined && limit === undefined) return response;
  const sorted = names
    .filter((name) => typeof name === 'string')
    .map((name) => ({ name, bytes: utf8(name) }))
    .filter(({ bytes }) => after === undefined || Buffer.compare(bytes, utf8(after)) > 0)
    .toSorted((a, b) => Buffer.compare(a.bytes, b.bytes));
  const kept = sorted.slice(0, limit).map(({ name }) => name);
  if (kept.length === 0) return { kind: 'refusal', status: 404, errors: [] };
  const info = response.data?.['key_info'];
  const about = isJsonObject(info)
    ? { key_info: Object.fromEntries(kept.flatMap((name) => entryOf(name, member(info, name)))) }
    : {};
  return { ...response, data: { ...response.data, keys: kept, ...about } };
}

function entryOf<T>(name: string, value: T | undefined): [string, T][] {
  return value === undefined ? [] : [[name, value]];
}
