/** Where a MySQL server is and how to talk to it. */
export interface MysqlTarget {
  readonly user: string;
  readonly password: string;
  /** Path of a socket; empty for TCP. */
  readonly socket: string;
  readonly host: string;
  readonly port: number;
  readonly database: string;
  /** `false`, `true`, `skip-verify` or `preferred`. */
  readonly tls: string;
}

/**
 * Reads a data source name of Go's driver: `user:password@protocol(address)/database?parameters`. `{{username}}` and
 * `{{password}}` are put in after parsing. @returns undefined for anything else
 */
export function parseMysqlDsn(
  text: string,
  values: { readonly username: string; readonly password: string },
): MysqlTarget | undefined {
  const slash = text.lastIndexOf('/');
  const [rest, database] = /\(\//.test(text)
    ? [text.slice(0, text.lastIndexOf(')') + 1), text.slice(text.lastIndexOf(')') + 2)]
    : slash === -1
      ? [text, '']
      : [text.slice(0, slash), text.slice(slash + 1)];
  const at = rest.lastIndexOf('@');
  const credentials = at === -1 ? '' : rest.slice(0, at);
  const address = /^(tcp|tcp6|unix)?(?:\(([^)]*)\))?$/.exec(rest.slice(at + 1));
  if (address === null) return undefined;
  const [, protocol = 'tcp', where = '127.0.0.1:3306'] = address;
  const colon = credentials.indexOf(':');
  const [name, query = ''] = database.split('?');
  const tls = new URLSearchParams(query).get('tls') ?? 'false';
  const put = (part: string): string =>
    part.replaceAll(
      /\{\{\s*(username|password)\s*\}\}/g,
      (_whole, field: 'username' | 'password') => values[field],
    );
  const target = {
    user: put(colon === -1 ? credentials : credentials.slice(0, colon)) || values.username,
    password: put(colon === -1 ? '' : credentials.slice(colon + 1)),
    database: name ?? '',
    tls,
  };
  if (protocol === 'unix') return { ...target, socket: where, host: '', port: 0 };
  const host = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(where);
  if (host === null) return undefined;
  return {
    ...target,
    socket: '',
    host: (host[1] ?? '').replaceAll(/^\[|\]$/g, '') || '127.0.0.1',
    port: Number(host[2] ?? 3306),
  };
}
