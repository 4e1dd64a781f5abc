import { isJsonObject, type Json, type JsonObject, member } from '../../../lib/json.ts';
import type { Response } from '../../logical/response.ts';
import { Refused } from './refused.ts';

const MEMBERS = [
  'plaintext',
  'ciphertext',
  'context',
  'nonce',
  'associated_data',
  'reference',
  'input',
  'hmac',
  'signature',
] as const;

/** One request of a batch; members that were not given are missing. */
export type BatchItem = { readonly [K in (typeof MEMBERS)[number]]?: string } & {
  readonly keyVersion: number;
};

/** Reads batch_input. @returns the items, at least one, or why they are refused */
export function readBatch(
  input: Json,
  required?: { readonly member: 'plaintext' | 'ciphertext'; readonly purpose: string },
): readonly BatchItem[] | Refused {
  if (!Array.isArray(input))
    return new Refused('failed to parse batch input: source data must be an array or slice');
  if (input.length === 0) return new Refused('missing batch input to process');
  const items: BatchItem[] = [];
  const errors: string[] = [];
  for (const [index, each] of input.entries()) {
    if (!isJsonObject(each))
      return new Refused(`failed to parse batch input: [${index}] expected a map, got '${kind(each)}'`);
    const strings: { -readonly [K in (typeof MEMBERS)[number]]?: string } = {};
    for (const name of MEMBERS) {
      const value = member(each, name);
      if (typeof value === 'string') strings[name] = value;
      else if (value !== undefined && value !== null)
        errors.push(`'[${index}].${name}' expected type 'string', got unconvertible type '${kind(value)}'`);
    }
    if (required !== undefined && !Object.hasOwn(each, required.member))
      errors.push(`'[${index}].${required.member}' missing ${required.member} to ${required.purpose}`);
    const keyVersion = member(each, 'key_version') ?? 0;
    if (typeof keyVersion !== 'number' || !Number.isSafeInteger(keyVersion))
      errors.push(
        `'[${index}].key_version' expected type 'int', got unconvertible type '${kind(keyVersion)}'`,
      );
    items.push({ ...strings, keyVersion: typeof keyVersion === 'number' ? keyVersion : 0 });
  }
  return errors.length === 0
    ? items
    : new Refused(
        `failed to parse batch input: ${errors.length} error(s) decoding:\n\n${errors.map((each) => `* ${each}`).join('\n')}`,
      );
}

/** @returns a refusal when some items have a context and others have none */
export function mixedContexts(items: readonly BatchItem[]): Refused | undefined {
  const has = items.filter(({ context }) => context !== undefined && context !== '').length;
  return has === 0 || has === items.length
    ? undefined
    : new Refused('context should be set either in all the request blocks or in none');
}

/**
 * The answer to a batch of which some items may have failed: 400, or the status that the client asked for when
 * others succeeded.
 */
export function batchResponse(
  results: JsonObject[],
  partialFailureCode: number | undefined,
  warnings: readonly string[] = [],
): Response {
  const failed = results.filter((each) => each['error'] !== undefined).length;
  const response = { kind: 'data', data: { batch_results: results } } as const;
  const warned = warnings.length === 0 ? response : { ...response, warnings };
  if (failed === 0) return warned;
  if (partialFailureCode === undefined || failed === results.length) return { ...warned, status: 400 };
  if (partialFailureCode >= 200 && partialFailureCode <= 599)
    return { ...warned, status: partialFailureCode };
  const invalid = 'invalid HTTP response code override from partial_failure_response_code, reverting to 400';
  return { ...warned, status: 400, warnings: [...warnings, invalid] };
}

// The names that clients know for the types of JSON.
function kind(value: Json): string {
  if (value === null) return '<nil>';
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return 'bool';
  if (Array.isArray(value)) return '[]interface {}';
  return isJsonObject(value) ? 'map[string]interface {}' : 'json.Number';
}
