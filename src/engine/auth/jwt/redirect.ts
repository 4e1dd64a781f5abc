const LOOPBACK: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];

/** @returns whether a browser may be sent back there; on the own machine any port will do (RFC 8252 §7.3) */
export function isAllowedRedirect(uri: string, allowed: readonly string[]): boolean {
  const given = parse(uri);
  if (given === undefined) return false;
  if (!LOOPBACK.includes(given.hostname)) return allowed.includes(uri);
  return allowed.some((each) => {
    const candidate = parse(each);
    return candidate !== undefined && withoutPort(candidate) === withoutPort(given);
  });
}

/** A redirect URI without its query parameter `namespace`, and that. */
export function splitNamespace(uri: string): { readonly uri: string; readonly namespace: string } {
  const url = parse(uri);
  const namespace = url?.searchParams.get('namespace') ?? '';
  if (url === undefined || namespace === '') return { uri, namespace: '' };
  url.searchParams.delete('namespace');
  return { uri: url.href, namespace };
}

/** The mount that a callback of this API names, as in `…/v1/auth/oidc/oidc/callback`. */
export function mountOf(redirectUri: string): string | undefined {
  return /\/v1\/auth\/(?<mount>[^/?#]+)\//.exec(redirectUri)?.groups?.['mount'];
}

function withoutPort(url: URL): string {
  const copy = new URL(url);
  copy.port = '';
  return copy.href;
}

function parse(uri: string): URL | undefined {
  try {
    return new URL(uri);
  } catch {
    return undefined;
  }
}
