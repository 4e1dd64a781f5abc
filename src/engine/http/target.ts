/** Where a request goes: path and query as they were sent, or the clean form of a path that is not clean. */
export type Target =
  | { readonly kind: 'path'; readonly path: string; readonly query: string | undefined }
  | { readonly kind: 'redirect'; readonly location: string };

// RFC 9112 §3.2.2: proxies send the whole URL.
const ABSOLUTE = /^https?:\/\/[^/?#]*/i;

/**
 * Reads a request target. Empty segments and `.` are taken out by a redirect, as the ServeMux of Vault does it: what
 * policies are asked about and what is served have one path. Nothing that is percent-encoded is looked at here.
 * A path with `..` is left alone: it is refused where it is decoded.
 */
export function readTarget(url: string): Target {
  const relative = url.replace(ABSOLUTE, '');
  const mark = relative.indexOf('?');
  const path = (mark === -1 ? relative : relative.slice(0, mark)) || '/';
  const query = mark === -1 ? undefined : relative.slice(mark + 1);
  const clean = cleaned(path);
  // Elsewhere there is nothing to be redirected to, and `/\host` is another host to a browser.
  if (clean === path || !/^\/(?:v1|ui)\//.test(clean)) return { kind: 'path', path, query };
  return { kind: 'redirect', location: query === undefined ? clean : `${clean}?${query}` };
}

function cleaned(path: string): string {
  if (!path.includes('//') && !path.includes('/.')) return path;
  const segments = path.split('/');
  if (segments.includes('..')) return path;
  const kept = segments.filter((segment) => segment !== '' && segment !== '.');
  return `/${kept.join('/')}${path.endsWith('/') && kept.length > 0 ? '/' : ''}`;
}
