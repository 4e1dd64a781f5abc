import type { HeldLease } from '../logical/lease.ts';
import { badRequest, permissionDenied, type Response } from '../logical/response.ts';
import type { Context } from './context.ts';

type Secret = Extract<Response, { readonly kind: 'secret' }>;

/** Stores the lease of a secret before anyone hears of it; a secret that cannot be leased is taken back at once. */
export async function completeSecret(context: Context, secret: Secret): Promise<Response> {
  const { vault, mounted, request, token } = context;
  if (mounted === undefined) throw new TypeError('a secret came from no mount');
  const { leaseTtl: limits, backend } = mounted;
  const mount = mounted.entry.accessor;
  const takeBack = async (): Promise<void> => {
    const held: HeldLease = {
      id: '',
      internal: secret.lease.internal,
      issueTime: 0,
      expireTime: 0,
      increment: 0,
      limits,
    };
    await backend.revokeSecret?.(held);
  };
  const full = await context.place?.take();
  if (full !== undefined) {
    await takeBack();
    return full;
  }
  const registered = await vault.leases
    .register(secret.lease, { path: request.path, mount, limits }, token)
    .catch(async (error: unknown) => {
      await takeBack().catch(() => undefined);
      throw error;
    });
  const { lease, ttl } = registered;
  context.place?.keep(lease.key);
  if (token?.numUses === 1) {
    await vault.leases.expire(lease.id);
    return badRequest(
      'Secret cannot be returned; token had one use left, so leased credentials were immediately revoked.',
    );
  }
  // The token may have gone while the secret was made; its leases were made due before this one was there.
  if (token !== undefined && (await vault.tokens.lookup(request.token)) === undefined) {
    await vault.leases.expire(lease.id);
    return permissionDenied;
  }
  const warnings = [...(secret.warnings ?? []), ...registered.warnings];
  return {
    kind: 'leased',
    data: secret.data,
    leaseId: lease.id,
    renewable: lease.renewable,
    leaseDuration: ttl,
    ...(warnings.length === 0 ? {} : { warnings }),
  };
}
