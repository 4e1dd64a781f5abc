import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { ControlPlane } from './controlplane.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { type ClusterNetwork, podNetwork } from './network.ts';

/** Name of the one node. */
export const nodeName = 'node';

/** Local name of the image that holds a pod's namespaces. */
export const sandboxImage = 'localhost/sealedvault-pause:1';

/** The files that containerd, kubelet and their namespaces are started from. */
export interface MachineFiles {
  /** Shell script that becomes the node's first process. */
  readonly init: string;
  readonly containerdSocket: string;
  readonly logs: { readonly containerd: string; readonly kubelet: string };
}

/**
 * Writes the configuration of containerd, its network plug-ins and the kubelet, and the node's init script.
 * @param dir Folder of the cluster.
 * @param name Name of the cluster; also the name of its control group.
 * @param plane Issues the node's certificates.
 * @param network Addresses.
 * @param kubelet The kubelet program.
 * @returns Where the files are.
 */
export function writeMachineFiles(
  dir: string,
  name: string,
  plane: ControlPlane,
  network: ClusterNetwork,
  kubelet: string,
): MachineFiles {
  const at = (...parts: string[]): string => join(dir, 'node', ...parts);
  for (const folder of ['kubelet', 'containerd', 'log', 'cni', 'net.d'])
    mkdirSync(at(folder), { recursive: true, mode: 0o755 });
  const socket = at('containerd.sock');
  writeFileSync(at('containerd.toml'), containerdConfig(socket));
  writeFileSync(at('net.d', '10-bridge.conflist'), JSON.stringify(networkConfig()));
  writeFileSync(at('kubelet.yaml'), stringify(kubeletConfig(name, plane.keys.authority, socket)));
  const client = plane.issue({
    commonName: `system:node:${nodeName}`,
    organization: 'system:nodes',
    usage: 'client',
  });
  writeKubeconfig(at('kubelet.kubeconfig'), {
    server: plane.server,
    authority: plane.caPem,
    certificate: client.certificate,
    key: client.key,
  });
  const server = plane.issue({
    commonName: nodeName,
    usage: 'server',
    dnsNames: [nodeName],
    addresses: [network.nodeAddress],
  });
  mkdirSync(at('kubelet', 'pki'), { recursive: true, mode: 0o700 });
  writeFileSync(at('kubelet', 'pki', 'server.crt'), server.certificate);
  writeFileSync(at('kubelet', 'pki', 'server.key'), server.key, { mode: 0o600 });
  const logs = { containerd: join(dir, 'containerd.log'), kubelet: join(dir, 'kubelet.log') };
  writeFileSync(at('init.sh'), initScript(at(), socket, logs, kubelet, network.nodeAddress));
  return { init: at('init.sh'), containerdSocket: socket, logs };
}

/**
 * The folders that containerd and the kubelet insist on keep their usual names, but are mounts
 * that only the node's own mount namespace sees.
 */
export const mountPoints: readonly string[] = [
  '/var/lib/kubelet',
  '/var/lib/containerd',
  '/var/lib/cni',
  '/run/containerd',
  '/etc/cni/net.d',
];

function initScript(
  dir: string,
  socket: string,
  logs: MachineFiles['logs'],
  kubelet: string,
  address: string,
): string {
  return `set -eu
mount --bind '${dir}/kubelet' /var/lib/kubelet
mount --bind '${dir}/containerd' /var/lib/containerd
mount --bind '${dir}/cni' /var/lib/cni
mount --bind '${dir}/net.d' /etc/cni/net.d
mount --bind '${dir}/log' /var/log
mount -t tmpfs -o mode=0711 tmpfs /run/containerd
mount -t tmpfs -o mode=0755 tmpfs /run/netns
containerd --config '${dir}/containerd.toml' >>'${logs.containerd}' 2>&1 &
until [ -S '${socket}' ] && ctr --address '${socket}' version >/dev/null 2>&1; do sleep 0.2; done
# The sandbox image has to be there before the first pod.
until [ -e '${dir}/images-ready' ]; do sleep 0.2; done
'${kubelet}' --config '${dir}/kubelet.yaml' --kubeconfig '${dir}/kubelet.kubeconfig' \\
  --hostname-override ${nodeName} --node-ip ${address} --root-dir /var/lib/kubelet >>'${logs.kubelet}' 2>&1 &
# Waiting reaps what the containers' shims leave behind.
while :; do wait; sleep 1; done
`;
}

function containerdConfig(socket: string): string {
  return `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "${socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${sandboxImage}"
  # A machine without CAP_SYS_RESOURCE may not lower a score, and would fail every sandbox.
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
`;
}

function networkConfig(): unknown {
  return {
    cniVersion: '1.0.0',
    name: 'pods',
    plugins: [
      {
        type: 'bridge',
        bridge: 'pods0',
        isGateway: true,
        hairpinMode: true,
        ipam: { type: 'host-local', ranges: [[{ subnet: podNetwork.cidr }]], routes: [{ dst: '0.0.0.0/0' }] },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  };
}

function kubeletConfig(name: string, authority: string, socket: string): unknown {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    containerRuntimeEndpoint: `unix://${socket}`,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/sealedvault-${name}`,
    cgroupsPerQOS: true,
    failSwapOn: false,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: authority },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: '/var/lib/kubelet/pki/server.crt',
    tlsPrivateKeyFile: '/var/lib/kubelet/pki/server.key',
    evictionHard: {
      'memory.available': '50Mi',
      'nodefs.available': '0%',
      'nodefs.inodesFree': '0%',
      'imagefs.available': '0%',
    },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    resolvConf: '',
    // Rotating faster than the default lets a changed Secret reach its pods within seconds.
    syncFrequency: '10s',
    configMapAndSecretChangeDetectionStrategy: 'Watch',
    registryPullQPS: 0,
    maxPods: 110,
    healthzBindAddress: '127.0.0.1',
    shutdownGracePeriod: '0s',
  };
}
