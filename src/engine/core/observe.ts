import type { Metrics } from '../metrics/metrics.ts';
import type { Response } from '../logical/response.ts';
import type { Context } from './context.ts';

/** Counts and times a request that was served, under Vault's names: by mount, never by what is below it. */
export function observe(
  metrics: Metrics,
  { request, mounted, row }: Context,
  response: Response,
  milliseconds: number,
): void {
  if (mounted === undefined) return;
  metrics.time(routeName(mounted.prefix, request.operation), milliseconds);
  if (row?.path.isLogin === true) metrics.time('vault.core.handle_login_request', milliseconds);
  if (response.kind === 'auth' && response.auth.clientToken !== '') {
    metrics.count('vault.token.creation', {
      auth_method: mounted.entry.type,
      mount_point: mounted.prefix,
      token_type: response.auth.entry.type,
    });
  }
  if (response.kind === 'leased') {
    metrics.count('vault.secret.lease.creation', {
      secret_engine: mounted.entry.type,
      mount_point: mounted.prefix,
    });
  }
}

// Made once for each mount and operation: making it again, and hashing it, costs more than the count itself.
const routeNames = new Map<string, Map<string, string>>();

function routeName(prefix: string, operation: string): string {
  let names = routeNames.get(prefix);
  if (names === undefined) {
    // Mounts come and go; their names need not be kept for ever.
    if (routeNames.size >= 10_000) routeNames.clear();
    routeNames.set(prefix, (names = new Map()));
  }
  let name = names.get(operation);
  if (name === undefined) {
    name = `vault.route.${operation}.${prefix.replaceAll('/', '-')}`;
    names.set(operation, name);
  }
  return name;
}

/** Times the writing of an audit entry; one that no device took is counted as a failure. */
export async function observeAudit(
  metrics: Metrics,
  kind: 'request' | 'response',
  now: () => number,
  write: () => Promise<unknown>,
): Promise<void> {
  const began = now();
  try {
    await write();
  } catch (error) {
    metrics.count(`vault.audit.log_${kind}_failure`);
    throw error;
  }
  metrics.time(`vault.audit.log_${kind}`, now() - began);
}
