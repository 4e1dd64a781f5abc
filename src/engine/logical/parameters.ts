import type { Json, JsonObject } from '../../lib/json.ts';
import { convertField, folded, type Field, type Fields } from './fields.ts';
import { pageParameters } from './page.ts';
import type { LogicalRequest } from './request.ts';

/** What a client gave to an endpoint, as its table of fields reads it. */
export interface Given {
  /** By name, as it was sent: the body of a write, and the query of everything else. */
  readonly data: JsonObject;
  /** Names that the table does not know, sorted. */
  readonly ignored: readonly string[];
  /** Names whose values the path replaces, sorted. */
  readonly replaced: readonly string[];
}

/**
 * Collects what was sent. A read, a list and a deletion take the query as a write takes its body; a deletion may have
 * both, and then the body counts.
 */
export function given(
  fields: Fields,
  { operation, body, query }: LogicalRequest,
  pathValues: Readonly<Record<string, string>>,
  { arbitrary, anyCase }: { readonly arbitrary: boolean; readonly anyCase: boolean },
): Given {
  const isWrite = operation === 'create' || operation === 'update' || operation === 'patch';
  const data = query === undefined ? body : withQuery(fields, body, query, isWrite);
  const ignored: string[] = [];
  const replaced: string[] = [];
  for (const name in data) {
    const known = Object.hasOwn(fields, name) || (anyCase && Object.hasOwn(fields, name.toLowerCase()));
    if (Object.hasOwn(pathValues, name)) replaced.push(name);
    else if (!known && !arbitrary && !(operation === 'list' && Object.hasOwn(pageParameters, name)))
      ignored.push(name);
  }
  return { data, ignored: ignored.toSorted(), replaced: replaced.toSorted() };
}

function withQuery(
  fields: Fields,
  body: JsonObject,
  query: URLSearchParams,
  declaredOnly: boolean,
): JsonObject {
  const data: Record<string, Json> = {};
  for (const name of new Set(query.keys())) {
    if (name === 'help' || name === 'list') continue;
    if (declaredOnly && (!Object.hasOwn(fields, name) || fields[name]?.query !== true)) continue;
    const values = query.getAll(name);
    data[name] = values.length === 1 ? (values[0] ?? '') : values;
  }
  return { ...data, ...body };
}

/**
 * What rules on parameters judge: each declared field as the endpoint gets it, under its own name, and everything
 * else as it was sent. A text that holds a list is judged element by element.
 */
export function judgedParameters(
  fields: Fields,
  data: JsonObject,
  pathValues: Readonly<Record<string, string>>,
  anyCase: boolean,
): JsonObject {
  const judged: Record<string, Json> = {};
  for (const [sent, value] of Object.entries(data)) {
    const name = anyCase ? sent.toLowerCase() : sent;
    const field = Object.hasOwn(fields, name) && !Object.hasOwn(pathValues, name) ? fields[name] : undefined;
    if (field === undefined) judged[sent] = value;
    else judged[name] = judgedValue(field, value);
  }
  return judged;
}

// What does not fit is refused later; what counts as not given is judged as it is.
function judgedValue(field: Field, value: Json): Json {
  const fitting = convertField(field, value) as Json | undefined;
  if (fitting === undefined || fitting === null) return value;
  const converted = field.caseless === true ? (folded(fitting) as Json) : fitting;
  if (field.separated === true && typeof converted === 'string' && converted.includes(','))
    return converted.split(',').map((each) => each.trim());
  return converted;
}
