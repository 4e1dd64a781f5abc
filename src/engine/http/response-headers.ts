import type { ServerResponse } from 'node:http';

/** Headers by `default`, a status such as `404`, or a class of them such as `4xx`; names are in lower case. */
export type ResponseHeaders = Readonly<Record<string, Readonly<Record<string, string>>>>;

/**
 * Has an answer carry the headers that the configuration names for its status, whoever writes it. What the API says of
 * the headers of pages counts less; what says how the body is to be read counts more.
 */
export function addHeaders(
  out: ServerResponse,
  configured: ResponseHeaders,
  always: Readonly<Record<string, string>>,
): void {
  for (const [name, value] of Object.entries(always)) out.setHeader(name, value);
  const writeHead = out.writeHead.bind(out) as (...given: unknown[]) => ServerResponse;
  const withHeaders = (status: number, ...rest: unknown[]): ServerResponse => {
    for (const [name, value] of headersFor(configured, status)) out.setHeader(name, value);
    return writeHead(status, ...rest);
  };
  out.writeHead = withHeaders as ServerResponse['writeHead'];
}

type Pairs = readonly (readonly [string, string])[];

// Every answer asks, and there are few statuses.
const known = new WeakMap<ResponseHeaders, Map<number, Pairs>>();

function headersFor(configured: ResponseHeaders, status: number): Pairs {
  let byStatus = known.get(configured);
  if (byStatus === undefined) known.set(configured, (byStatus = new Map()));
  let found = byStatus.get(status);
  if (found === undefined) {
    const parts = ['default', `${Math.floor(status / 100)}xx`, String(status)];
    found = Object.entries(
      Object.assign({}, ...parts.map((part) => configured[part])) as Record<string, string>,
    );
    byStatus.set(status, found);
  }
  return found;
}
