import type { Metadata } from './model.ts';

const MAX_PAIRS = 64;
const MAX_KEY = 128;
const MAX_VALUE = 512;

/** @returns what is wrong with the metadata of an entity or group */
export function checkMetadata(metadata: Metadata): string | undefined {
  const pairs = Object.entries(metadata);
  if (pairs.length > MAX_PAIRS) return `metadata cannot contain more than ${MAX_PAIRS} key/value pairs`;
  for (const [key, value] of pairs) {
    const problem = checkPair(key, value);
    if (problem !== undefined) return `failed to load metadata pair: ${problem}`;
  }
  return undefined;
}

function checkPair(key: string, value: string): string | undefined {
  if (key === '') return 'key cannot be blank';
  if (!/^[a-zA-Z0-9=/+_-]+$/.test(key)) return 'key contains invalid characters';
  if (key.length > MAX_KEY) return `key is too long (limit: ${MAX_KEY} characters)`;
  if (value.length > MAX_VALUE) return `value is too long (limit: ${MAX_VALUE} characters)`;
  return undefined;
}

const PREFIX = 'custom_metadata validation failed';

/** @returns what is wrong with the custom metadata of an alias */
export function checkCustomMetadata(metadata: Metadata): string | undefined {
  const pairs = Object.entries(metadata);
  if (pairs.length > MAX_PAIRS)
    return `${PREFIX}: payload must contain at most ${MAX_PAIRS} keys, provided ${pairs.length}`;
  for (const [key, value] of pairs) {
    if (key.length === 0 || key.length > MAX_KEY)
      return `${PREFIX}: length of key is ${key.length} but must be 0 < len(key) <= ${MAX_KEY}`;
    if (value.length === 0 || value.length > MAX_VALUE)
      return `${PREFIX}: length of value for key ${JSON.stringify(key)} is ${value.length} but must be 0 < len(value) <= ${MAX_VALUE}`;
    if (/\p{C}/u.test(key)) return `${PREFIX}: key ${JSON.stringify(key)} contains unprintable characters`;
    if (/\p{C}/u.test(value))
      return `${PREFIX}: value for key ${JSON.stringify(key)} contains unprintable characters`;
  }
  return undefined;
}

/** Names of policies as they were given, sorted, each once. */
export function policyNames(given: readonly string[]): string[] {
  return [...new Set(given.map((name) => name.trim()).filter((name) => name !== ''))].toSorted();
}

/** Names of policies in lower case, each once: as they are found. */
export function lowerPolicyNames(given: readonly string[]): string[] {
  return [...new Set(given.map((name) => name.trim().toLowerCase()).filter((name) => name !== ''))];
}
