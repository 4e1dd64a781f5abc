import { parseDuration } from '../../../lib/duration.ts';
import { getCrlConfig } from './config.ts';
import type { Pki } from './context.ts';
import { buildCrls, buildDeltas } from './crl-build.ts';
import { getCrl, getCrlState } from './crl-store.ts';
import { resolveIssuer } from './issuers.ts';
import { failed, Refused } from './refused.ts';
import { listPending } from './revoked.ts';

/**
 * The list of an issuer, in DER. Where lists are rebuilt by themselves, one that is due is made first.
 * @returns undefined when there is no such list
 */
export async function fetchCrl(
  pki: Pki,
  issuerRef: string,
  delta: boolean,
): Promise<Uint8Array | undefined | Refused> {
  const due = await rebuildDue(pki);
  if (due instanceof Refused) return due;
  const issuer = await resolveIssuer(pki.storage, issuerRef);
  if (issuer instanceof Refused) return issuer;
  const id = (await getCrlState(pki.storage)).byIssuer[issuer.id];
  return id === undefined
    ? failed(`unable to find CRL for issuer: id:${issuer.id}/ref:${issuerRef}`)
    : getCrl(pki.storage, id, delta);
}

async function rebuildDue(pki: Pki): Promise<Refused | undefined> {
  const due = await whatIsDue(pki);
  if (due === undefined) return undefined;
  const done = await pki.change(async (batch) => {
    // Someone else may have been first.
    const now = await whatIsDue(pki);
    if (now === 'complete') await buildCrls(pki, batch, false);
    else if (now === 'delta') await buildDeltas(pki, batch);
    return true;
  });
  return done instanceof Refused ? done : undefined;
}

async function whatIsDue(pki: Pki): Promise<'complete' | 'delta' | undefined> {
  const config = await getCrlConfig(pki.storage);
  if (!config.auto_rebuild || config.disable) return undefined;
  const { ends, deltaBuilt } = await getCrlState(pki.storage);
  const now = pki.clock.now();
  const grace = (parseDuration(config.auto_rebuild_grace_period) ?? 0) * 1000;
  if (ends !== 0 && now >= ends - grace) return 'complete';
  if (!config.enable_delta) return undefined;
  const interval = (parseDuration(config.delta_rebuild_interval) ?? 0) * 1000;
  if (now < deltaBuilt + interval) return undefined;
  return (await listPending(pki.storage)).length > 0 ? 'delta' : undefined;
}
