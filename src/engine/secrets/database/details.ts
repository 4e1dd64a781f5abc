import { parseDuration } from '../../../lib/duration.ts';
import { type JsonObject, member } from '../../../lib/json.ts';
import type { PoolSettings } from './plugin.ts';

/** A text of the connection details; empty where there is none. */
export function detail(details: JsonObject, name: string): string {
  const value = member(details, name);
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
}

export function flag(details: JsonObject, name: string): boolean {
  const value = member(details, name);
  return value === true || value === 'true' || value === '1' || value === 1;
}

/** @returns the settings, or what is wrong with them */
export function poolSettings(details: JsonObject): PoolSettings | { readonly refused: string } {
  const max = number(details, 'max_open_connections');
  const idle = number(details, 'max_idle_connections');
  const lifetime = parseDuration(member(details, 'max_connection_lifetime') ?? 0);
  if (max === undefined || idle === undefined)
    return { refused: 'max_open_connections and max_idle_connections must be numbers' };
  if (lifetime === undefined || lifetime < 0) return { refused: 'invalid max_connection_lifetime' };
  const open = max === 0 ? 4 : max < 0 ? 100 : max;
  return { max: open, maxIdle: idle <= 0 || idle > open ? open : idle, maxLifetime: Math.trunc(lifetime) };
}

function number(details: JsonObject, name: string): number | undefined {
  const text = detail(details, name);
  if (text === '') return 0;
  return /^-?\d+$/.test(text) ? Number(text) : undefined;
}

/** Details as reads show them: no password, also none inside of a URL. */
export function redacted(details: JsonObject): JsonObject {
  const { password: _password, private_key: _key, ...shown } = details;
  const url = detail(details, 'connection_url');
  if (url === '') return shown;
  return { ...shown, connection_url: hasPassword(url) ? url.replace(IN_URL, '$1:xxxxx@') : url };
}

const IN_URL = /^((?:\w+:\/\/)?[^:@/{}]*|(?:\w+:\/\/)?\{\{\s*username\s*\}\}):(?!\/\/)([^@{}]+)@/;

/** @returns whether a URL holds a password itself, and no template for one. */
export function hasPassword(url: string): boolean {
  return IN_URL.test(url);
}
