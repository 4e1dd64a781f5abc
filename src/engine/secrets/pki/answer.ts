import type { Json, JsonObject } from '../../../lib/json.ts';
import { data, type Response } from '../../logical/response.ts';

/** An answer with its members in alphabetical order, as Go writes maps, and each warning once. */
export function answer(members: JsonObject, warnings: readonly string[] = []): Response {
  const entries: [string, Json][] = Object.entries(members);
  const sorted = Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return data(sorted, [...new Set(warnings)]);
}
