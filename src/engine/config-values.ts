import { parseDuration } from '../lib/duration.ts';
import { SealedVaultError } from '../lib/errors.ts';
import { attribute, type HclBlock, scalarText, textList } from '../lib/hcl/hcl.ts';
import type { HclBody } from '../lib/hcl/tree.ts';
import type { LogLevel } from '../lib/log.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

// What a timer of Node can wait.
const MOST_MILLISECONDS = 2 ** 31 - 1;

export class ConfigInvalid extends SealedVaultError {
  override readonly code = 'ERR_CONFIG_INVALID';
}

const LEVELS: Readonly<Record<string, LogLevel>> = {
  trace: 'trace',
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  warning: 'warn',
  error: 'error',
  err: 'error',
};

export interface NamedBlock {
  readonly type: string;
  readonly label: string | undefined;
  readonly body: HclBody;
}

export function named(block: HclBlock, name: string): NamedBlock {
  const [type, label] = block.labels;
  if (type === undefined)
    throw new ConfigInvalid(`a ${name} block has no type`, { hint: `write ${name} "type" { … }` });
  return { type, label, body: block.body };
}

export function scalar(body: HclBody, name: string): string | undefined {
  const item = attribute(body, name);
  if (item === undefined) return undefined;
  const value = scalarText(item.value) ?? textList(item.value)?.[0];
  if (value === undefined) throw new ConfigInvalid(`${name} must be text, a number or a bool`);
  return value;
}

export function variable(env: Environment, name: string): string | undefined {
  const suffix = name.toUpperCase();
  return env[`BAO_${suffix}`] || env[`VAULT_${suffix}`] || undefined;
}

export function flag(name: string, value: string | undefined): boolean {
  if (value === undefined || value === '') return false;
  const lower = value.toLowerCase();
  if (['true', '1', 't'].includes(lower)) return true;
  if (['false', '0', 'f'].includes(lower)) return false;
  throw new ConfigInvalid(`${name} must be true or false`);
}

export function integer(name: string, value: string | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  if (!/^-?\d+$/.test(value) || !Number.isSafeInteger(Number(value)))
    throw new ConfigInvalid(`${name} must be a whole number`);
  return Number(value);
}

export function seconds(name: string, value: string | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  const parsed = parseDuration(value);
  if (parsed === undefined || parsed < 0)
    throw new ConfigInvalid(`${name} must be a duration`, { hint: 'write for example "768h"' });
  return parsed === 0 ? fallback : Math.trunc(parsed);
}

/** @returns milliseconds; 0 stays 0 */
export function milliseconds(name: string, value: string | undefined, fallback: number): number {
  if (value === undefined || value === '') return fallback;
  const parsed = parseDuration(value);
  if (parsed === undefined || parsed < 0 || parsed * 1000 > MOST_MILLISECONDS)
    throw new ConfigInvalid(`${name} must be a duration`, { hint: 'write for example "30s"' });
  return Math.trunc(parsed * 1000);
}

/** Texts in a list, or in one text between commas. */
export function texts(body: HclBody, name: string): readonly string[] {
  const item = attribute(body, name);
  if (item === undefined) return [];
  const found = textList(item.value);
  if (found === undefined) throw new ConfigInvalid(`${name} must be a list of texts`);
  return found.flatMap((each) => each.split(',')).flatMap((each) => each.trim() || []);
}

export function level(value: string | undefined, name = 'log_level'): LogLevel {
  if (value === undefined || value === '') return 'info';
  const found = LEVELS[value.toLowerCase()];
  if (found === undefined) throw new ConfigInvalid(`${name} is not one of trace, debug, info, warn, error`);
  return found;
}

export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const each of Object.values(value)) deepFreeze(each);
    Object.freeze(value);
  }
  return value;
}
