import { setTimeout as sleep } from 'node:timers/promises';
import createClient, { type client as VaultClient } from 'node-vault';
import { until } from '../../test/support/cluster/command.ts';
import type { Kubectl, PortForward } from '../../test/support/cluster/kubectl.ts';
import { names, namespaces } from './names.ts';

/** A stock Vault client on a forwarded port. */
export interface OpenVault {
  readonly client: VaultClient;
  readonly forward: PortForward;
}

/**
 * Connects node-vault to the vault over a forwarded port, trusting the vault's own authority.
 * @param kubectl The cluster.
 * @param options A Vault token, kept by the client alone; and where to connect, by default the active pod's Service.
 * @returns The client, and the forwarded port to stop.
 * @throws {Error} When nothing answers within a minute.
 */
export async function openVault(
  kubectl: Kubectl,
  options: { readonly token?: string; readonly service?: string } = {},
): Promise<OpenVault> {
  const { token, service = `service/${names.vault}-active` } = options;
  const authority = await kubectl.get<{ data?: Record<string, string> }>(
    namespaces.vault,
    `configmap/${names.vault}-ca`,
  );
  const ca = authority?.data?.['ca.crt'];
  if (ca === undefined) throw new Error(`ConfigMap ${names.vault}-ca has no ca.crt`);
  return until('an answer from the vault', 60_000, async () => {
    const forward = await kubectl.portForward(namespaces.vault, service, 8200);
    try {
      const servername = `${names.vault}-active.${namespaces.vault}.svc`;
      const client = createClient({
        endpoint: `https://127.0.0.1:${forward.port}`,
        requestOptions: { agentOptions: { ca, servername } },
        ...(token === undefined ? {} : { token }),
      });
      await client.health();
      return { client, forward };
    } catch (error: unknown) {
      forward.stop();
      await sleep(500);
      throw error;
    }
  });
}

/**
 * Mounts a KV version 2 engine, writes a secret and reads it back, with node-vault.
 * @param kubectl The cluster.
 * @param token Root token.
 * @param value What to write.
 * @throws {Error} When the vault refuses or answers with something else.
 */
export async function writeAndRead(kubectl: Kubectl, token: string, value: string): Promise<void> {
  const { client, forward } = await openVault(kubectl, { token });
  try {
    await client.mount({ mount_point: 'secret', type: 'kv', options: { version: '2' } });
    await client.write('secret/data/demo', { data: { value } });
  } finally {
    forward.stop();
  }
  await expectValue(kubectl, token, value);
}

/**
 * Reads the secret that `writeAndRead` wrote.
 * @param kubectl The cluster.
 * @param token Root token.
 * @param value What it has to be.
 * @throws {Error} When it is not.
 */
export async function expectValue(kubectl: Kubectl, token: string, value: string): Promise<void> {
  const { client, forward } = await openVault(kubectl, { token });
  try {
    const answer = (await client.read('secret/data/demo')) as { data: { data: { value: string } } };
    if (answer.data.data.value !== value)
      throw new Error('the vault answered with another value than the one written');
  } finally {
    forward.stop();
  }
}
