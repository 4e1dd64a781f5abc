/** Where a PostgreSQL server is and how to talk to it. */
export interface PostgresTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** As libpq has them. */
  readonly sslMode: string;
  /** Path of a file with certificates of authorities; empty for none. */
  readonly sslRootCert: string;
}

const MAX_LENGTH = 4096;

/**
 * Reads a connection URL (`postgres://user:password@host:port/database?sslmode=…`) or a list of `key=value`s (libpq §34.1).
 * `{{username}}` and `{{password}}` are put in after parsing: no value of theirs can change what the rest means.
 * @returns undefined for neither form
 */
export function parsePostgresUrl(
  text: string,
  values: { readonly username: string; readonly password: string },
): PostgresTarget | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const settings = /^postgres(?:ql)?:\/\//.test(text) ? fromUrl(text) : fromPairs(text);
  if (settings === undefined) return undefined;
  const get = (name: string): string => {
    const value = settings.get(name) ?? '';
    if (/^\{\{\s*username\s*\}\}$/.test(value)) return values.username;
    return /^\{\{\s*password\s*\}\}$/.test(value) ? values.password : value;
  };
  const user = get('user') || values.username;
  const port = Number(get('port') || '5432');
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return undefined;
  return {
    host: get('host') || 'localhost',
    port,
    user,
    password: get('password') || values.password,
    database: get('dbname') || user,
    sslMode: get('sslmode') || 'prefer',
    sslRootCert: get('sslrootcert'),
  };
}

function fromUrl(text: string): Map<string, string> | undefined {
  const start = text.indexOf('://') + 3;
  const userEnd = until(text, start, ':@/?');
  const passwordEnd = text[userEnd] === ':' ? until(text, userEnd + 1, '@/?') : userEnd;
  const named = text[passwordEnd] === '@';
  const user = named ? text.slice(start, userEnd) : '';
  const password = named ? text.slice(userEnd + 1, passwordEnd) : '';
  const rest = text.slice(named ? passwordEnd + 1 : start);
  const [, hosts = '', database = '', query = ''] = /^([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/.exec(rest) ?? [];
  // Of several hosts the first is asked.
  const host = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(hosts.split(',')[0] ?? '');
  if (host === null) return undefined;
  const settings = new Map([
    ['user', decode(user)],
    ['password', decode(password)],
    ['host', decode((host[1] ?? '').replace(/^\[|\]$/g, ''))],
    ['port', host[2] ?? ''],
    ['dbname', decode(database)],
  ]);
  for (const [name, value] of new URLSearchParams(query)) settings.set(name, value);
  return settings;
}

/** Where one of some characters stands first, outside of `{{…}}`. */
function until(text: string, from: number, stops: string): number {
  let at = from;
  while (at < text.length && !stops.includes(text.charAt(at))) {
    const end = text.startsWith('{{', at) ? text.indexOf('}', at) : -1;
    at = end !== -1 && text[end + 1] === '}' ? end + 2 : at + 1;
  }
  return at;
}

const PAIR = /\s*(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|(\{\{[^}]*\}\}|\S+))/y;

function fromPairs(text: string): Map<string, string> | undefined {
  const settings = new Map<string, string>();
  let offset = 0;
  while (text.slice(offset).trim() !== '') {
    PAIR.lastIndex = offset;
    const [whole, name = '', quoted, plain = ''] = PAIR.exec(text) ?? [];
    if (whole === undefined) return undefined;
    settings.set(name, quoted?.replaceAll(/\\(.)/g, '$1') ?? plain);
    offset += whole.length;
  }
  return settings.size === 0 ? undefined : settings;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
