import type { VaultApi, VaultClientFactory } from '../../client/factory.ts';
import type { ReconcileContext } from '../runtime/runtime.ts';
import { decode, type SecretObject } from './certificates.ts';
import type { SealedVault } from './kind.ts';
import { namesOf, PORT, podServerName } from './names.ts';
import { podsOf } from './pods.ts';
import type { ConfigMap } from './resources/config.ts';
import { CONFIG_MAP, SECRET } from './types.ts';

/** A client with the operator's identity of a vault's pod; undefined while there is no such pod or no certificate yet. */
export async function openVaultPod(
  vault: SealedVault,
  operatorNamespace: string,
  factory: VaultClientFactory,
  context: ReconcileContext,
): Promise<VaultApi | undefined> {
  const key = { namespace: vault.metadata.namespace ?? '', name: vault.metadata.name };
  const pod = podsOf(vault, context.cache).find(
    ({ metadata, status }) => metadata.deletionTimestamp === undefined && status?.podIP !== undefined,
  );
  const host = pod?.status?.podIP;
  if (pod === undefined || host === undefined) return undefined;
  const names = namesOf(key);
  const where = { namespace: operatorNamespace, name: names.authority };
  const own = decode(await context.api.get<SecretObject>(SECRET, where, context.signal));
  const trust = { namespace: key.namespace, name: names.trust };
  const authority =
    vault.spec.tls === undefined
      ? own['ca.crt']
      : (await context.api.get<ConfigMap>(CONFIG_MAP, trust, context.signal))?.data?.['ca.crt'];
  const certificate = own['client.crt'];
  const clientKey = own['client.key'];
  if (authority === undefined || certificate === undefined || clientKey === undefined) return undefined;
  return factory({
    host,
    port: PORT,
    servername: podServerName(pod.metadata.name, key),
    authority,
    identity: { certificate, key: clientKey },
  });
}
