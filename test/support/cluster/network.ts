import { existsSync, readdirSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { attempt, run } from './command.ts';

/** The network of one cluster: everything in a network namespace of its own, joined to the machine by one cable. */
export interface ClusterNetwork {
  readonly netns: string;
  /** Name of the machine's end of the cable. */
  readonly hostLink: string;
  readonly hostAddress: string;
  /** Where the API server and the node are reached from the machine. */
  readonly nodeAddress: string;
}

/** Addresses of pods; they are the same in every cluster, since no cluster sees another. */
export const podNetwork = { cidr: '10.244.0.0/24', gateway: '10.244.0.1' } as const;

/**
 * Makes a network namespace with a cable to the machine.
 * Bridges, routes and packet filter rules of the cluster live inside and vanish with it.
 * @param name Name of the cluster, at most 11 characters.
 * @returns Names and addresses.
 * @throws {CommandFailed} When this process may not do that, or the name is taken.
 */
export async function createNetwork(name: string): Promise<ClusterNetwork> {
  const octet = freeOctet();
  const network = {
    netns: `sv-${name}`,
    hostLink: `sv-${name}`,
    hostAddress: `10.198.${octet}.1`,
    nodeAddress: `10.198.${octet}.2`,
  };
  const inside = ['netns', 'exec', network.netns];
  await run('ip', ['netns', 'add', network.netns]);
  await run('ip', [
    'link',
    'add',
    network.hostLink,
    'type',
    'veth',
    'peer',
    'name',
    'eth0',
    'netns',
    network.netns,
  ]);
  await run('ip', ['address', 'add', `${network.hostAddress}/30`, 'dev', network.hostLink]);
  await run('ip', ['link', 'set', network.hostLink, 'up']);
  await run('ip', [...inside, 'ip', 'address', 'add', `${network.nodeAddress}/30`, 'dev', 'eth0']);
  await run('ip', [...inside, 'ip', 'link', 'set', 'lo', 'up']);
  await run('ip', [...inside, 'ip', 'link', 'set', 'eth0', 'up']);
  // Without a default route the kernel refuses Service addresses before the packet filter can translate them.
  await run('ip', [...inside, 'ip', 'route', 'add', 'default', 'via', network.hostAddress]);
  await run('ip', [...inside, 'sysctl', '-q', '-w', 'net.ipv4.ip_forward=1']);
  return network;
}

/**
 * Removes the network namespace and the cable; missing ones are fine.
 * @param network What `createNetwork` returned.
 */
export async function removeNetwork(network: Pick<ClusterNetwork, 'netns' | 'hostLink'>): Promise<void> {
  await attempt('ip', ['link', 'delete', network.hostLink]);
  if (existsSync(`/run/netns/${network.netns}`)) await attempt('ip', ['netns', 'delete', network.netns]);
}

/** A third octet whose /30 nobody on this machine uses. */
function freeOctet(): number {
  const used = new Set(
    Object.values(networkInterfaces())
      .flat()
      .map((entry) => entry?.address ?? '')
      .filter((address) => address.startsWith('10.198.'))
      .map((address) => Number(address.split('.')[2])),
  );
  const namespaces = existsSync('/run/netns') ? readdirSync('/run/netns').length : 0;
  for (let offset = 0; offset < 250; offset++) {
    const octet = ((namespaces + offset) % 250) + 1;
    if (!used.has(octet)) return octet;
  }
  throw new Error('no free address range below 10.198.0.0/16');
}
