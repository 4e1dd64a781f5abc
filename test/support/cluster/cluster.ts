import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type NodeBinaries, nodeBinaries } from './binaries.ts';
import { createControlGroup } from './cgroups.ts';
import { run, until } from './command.ts';
import { type ControlPlane, startControlPlane } from './controlplane.ts';
import { type Daemon, type Lifetime, type ProcessRecord, startDaemon, startTimeOf } from './daemon.ts';
import { removeAbandoned, removeCluster } from './down.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { type MachineFiles, mountPoints, nodeName, writeMachineFiles } from './machine.ts';
import { type ClusterNetwork, createNetwork, podNetwork } from './network.ts';
import { ensurePrograms } from './packages.ts';
import { type Report, step, toTerminal } from './progress.ts';
import { type ClusterRecord, readRecord, writeRecord } from './record.ts';
import { sandboxArchive } from './sandbox.ts';
import { offerVolumes } from './volumes.ts';

/**
 * A real Kubernetes on this machine, for tests and the demo: no Docker engine, no image registry, no simulation.
 * `controlplane.ts` alone gives an API server (3 s), enough for an operator's tests; this file adds a node on which
 * pods run (9 s). Programs come from KUBEBUILDER_ASSETS, the cache folder, or a build from Go modules; images from
 * Debian packages and the project's own Dockerfile.
 *
 * I1  A cluster sees its own network, mounts, process table and control group. Two of them run side by side, and
 *     none of it is in the machine's way: bridges, routes and packet filter rules vanish with the namespace.
 * I2  What is changed on the machine is written down before (`record.ts`), so that another process can undo it.
 * I3  With the lifetime `parent` the kernel ends every process when the owner is gone, even by SIGKILL; the next
 *     start removes what is left. With `detached` it runs on until `removeCluster`.
 * I4  A file in the cache is complete: it is made under another name and moved into place, by one process at a time.
 *
 * Not here: cluster DNS, enforcement of network policies, more than one node.
 * Every failure is an Error that says what was tried; the logs stay in the cluster's folder until it is removed.
 */

/** How to start a one-node cluster. */
export interface ClusterOptions {
  /** At most 11 letters, digits and dashes; two clusters on one machine have different names. */
  readonly name: string;
  /** Everything is kept below this folder. */
  readonly dir: string;
  /** `parent` ends the cluster with this process; `detached` keeps it until `removeCluster`. */
  readonly lifetime: Lifetime;
  readonly report?: Report;
}

/** A Kubernetes cluster of one node on this machine. */
export interface Cluster {
  readonly plane: ControlPlane;
  readonly kubeconfigPath: string;
  /** Makes an image that stands in an archive file known to the node. */
  loadImage(archive: string): Promise<void>;
  /** Ends the cluster and removes every trace but the cache folder. */
  remove(): Promise<void>;
}

/** Kernel settings that a kubelet changes for the whole machine. */
const sysctls = [
  'vm/overcommit_memory',
  'vm/panic_on_oom',
  'kernel/panic',
  'kernel/panic_on_oops',
  'kernel/keys/root_maxkeys',
  'kernel/keys/root_maxbytes',
];

/**
 * Starts a one-node cluster: control plane, controller manager, scheduler, containerd, kubelet, kube-proxy, local volumes.
 * Its processes see their own network, mounts and process table, so that ending one process ends them all.
 * There is no cluster DNS, and network policies are stored but not enforced.
 * @param options Name, folder, lifetime.
 * @returns The cluster, with its node ready; about 20 seconds once the programs are built.
 * @throws {Error} When this process is not root, a cluster is there already, or the node does not become ready; the logs are in `dir`.
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const report = options.report ?? toTerminal;
  if (process.getuid?.() !== 0) throw new Error('a one-node cluster on this machine needs root');
  if (readRecord(options.dir) !== undefined)
    throw new Error(`there is a cluster in ${options.dir} already; remove it first`);
  await removeAbandoned(report);
  await ensurePrograms(['ip', 'iptables', 'containerd', 'ctr', 'runc', '/usr/lib/cni/bridge'], report);
  const binaries = await nodeBinaries(report);
  const sandbox = await sandboxArchive(report);
  mkdirSync(options.dir, { recursive: true, mode: 0o700 });
  const keeper = new Keeper(options);
  try {
    return await step(
      report,
      `starting Kubernetes ${options.name}`,
      () => assemble(options, keeper, binaries, sandbox),
      '20 s',
    );
  } catch (error: unknown) {
    const text = ['kubelet.log', 'containerd.log'].map((name) => tail(join(options.dir, name))).join('\n');
    await removeCluster(options.dir, report);
    throw new Error(`the cluster did not start:\n${text}`, { cause: error });
  }
}

async function assemble(
  options: ClusterOptions,
  keeper: Keeper,
  binaries: NodeBinaries,
  sandbox: string,
): Promise<Cluster> {
  const network = await createNetwork(options.name);
  const { netns } = network;
  createControlGroup(keeper.record.controlGroup);
  const plane = await startControlPlane({
    dir: join(options.dir, 'control-plane'),
    address: network.nodeAddress,
    port: 6443,
    nodeMode: true,
    netns,
    lifetime: options.lifetime,
    binaries,
    report: options.report ?? toTerminal,
  });
  keeper.add(plane.processes);
  const daemon = async (name: string, command: string, args: readonly string[]): Promise<Daemon> => {
    const started = await startDaemon({
      name,
      command,
      args,
      logFile: join(options.dir, `${name}.log`),
      lifetime: options.lifetime,
      netns,
    });
    keeper.add([started.record]);
    return started;
  };
  const identity = (user: string): string => {
    const issued = plane.issue({ commonName: user, usage: 'client' });
    const file = join(options.dir, `${user.replace('system:', '')}.kubeconfig`);
    writeKubeconfig(file, {
      server: plane.server,
      authority: plane.caPem,
      certificate: issued.certificate,
      key: issued.key,
    });
    return file;
  };
  await daemon('kube-controller-manager', binaries.controllerManager, [
    `--kubeconfig=${identity('system:kube-controller-manager')}`,
    `--service-account-private-key-file=${plane.keys.serviceAccount}`,
    `--root-ca-file=${plane.keys.authority}`,
    '--use-service-account-credentials=true',
    '--leader-elect=false',
    '--bind-address=127.0.0.1',
    '--profiling=false',
  ]);
  await daemon('kube-scheduler', binaries.scheduler, [
    `--kubeconfig=${identity('system:kube-scheduler')}`,
    '--leader-elect=false',
    '--bind-address=127.0.0.1',
    '--profiling=false',
  ]);
  const files = writeMachineFiles(options.dir, options.name, plane, network, binaries.kubelet);
  const machine = await startMachine(daemon, files);
  await daemon('kube-proxy', binaries.kubeProxy, [
    `--kubeconfig=${identity('system:kube-proxy')}`,
    '--proxy-mode=iptables',
    `--cluster-cidr=${podNetwork.cidr}`,
    `--hostname-override=${nodeName}`,
    '--bind-address=127.0.0.1',
    // These limits belong to the whole machine.
    '--conntrack-max-per-core=0',
    '--conntrack-min=0',
    '--conntrack-tcp-timeout-established=0s',
    '--conntrack-tcp-timeout-close-wait=0s',
  ]);
  const cluster = new RunningCluster(options, plane, files.containerdSocket, network);
  await until('containerd', 20_000, () => (existsSync(files.containerdSocket) ? true : undefined), 50);
  await until('sandbox image', 20_000, () => cluster.loadImage(sandbox).then(() => true));
  writeFileSync(join(options.dir, 'node', 'images-ready'), '');
  await offerVolumes(plane.api, join(options.dir, 'volumes'), nodeName);
  await until('node ready', 60_000, () => nodeReady(plane, machine));
  await until('default service account', 30_000, () =>
    plane.api.find('/api/v1/namespaces/default/serviceaccounts/default'),
  );
  return cluster;
}

function startMachine(
  daemon: (name: string, command: string, args: readonly string[]) => Promise<Daemon>,
  files: MachineFiles,
): Promise<Daemon> {
  const namespaces = [
    '--mount',
    '--propagation',
    'private',
    '--pid',
    '--fork',
    '--kill-child=KILL',
    '--mount-proc',
  ];
  return daemon('node', 'unshare', [...namespaces, '--', 'sh', files.init]);
}

async function nodeReady(plane: ControlPlane, machine: Daemon): Promise<true | undefined> {
  if (!machine.running()) throw new Error('the node ended');
  const node = await plane.api.find<{ status?: { conditions?: { type: string; status: string }[] } }>(
    `/api/v1/nodes/${nodeName}`,
  );
  return node?.status?.conditions?.some(
    (condition) => condition.type === 'Ready' && condition.status === 'True',
  ) === true
    ? true
    : undefined;
}

class RunningCluster implements Cluster {
  readonly plane: ControlPlane;
  readonly kubeconfigPath: string;
  readonly network: ClusterNetwork;
  readonly #options: ClusterOptions;
  readonly #socket: string;

  constructor(options: ClusterOptions, plane: ControlPlane, socket: string, network: ClusterNetwork) {
    this.#options = options;
    this.plane = plane;
    this.kubeconfigPath = plane.kubeconfigPath;
    this.network = network;
    this.#socket = socket;
  }

  async loadImage(archive: string): Promise<void> {
    await run('ctr', ['--address', this.#socket, '--namespace', 'k8s.io', 'images', 'import', archive]);
  }

  async remove(): Promise<void> {
    // One that was started again is not in the record.
    await this.plane.killApiServer();
    await removeCluster(this.#options.dir, this.#options.report ?? toTerminal);
  }
}

/** Writes down what the cluster changes on the machine before it is changed. */
class Keeper {
  record: ClusterRecord;

  constructor(options: ClusterOptions) {
    const folders = mountPoints.flatMap((folder) => {
      const first = mkdirSync(folder, { recursive: true });
      return first === undefined ? [] : [...new Set([first, folder])];
    });
    this.record = {
      name: options.name,
      dir: options.dir,
      lifetime: options.lifetime,
      owner: { name: 'owner', pid: process.pid, startTime: startTimeOf(process.pid) ?? '' },
      netns: `sv-${options.name}`,
      hostLink: `sv-${options.name}`,
      controlGroup: `sealedvault-${options.name}`,
      processes: [],
      folders,
      sysctls: Object.fromEntries(
        sysctls
          .map((name) => `/proc/sys/${name}`)
          .filter((file) => existsSync(file))
          .map((file) => [file, readFileSync(file, 'utf8')]),
      ),
    };
    writeRecord(this.record);
  }

  add(processes: readonly ProcessRecord[]): void {
    this.record = { ...this.record, processes: [...this.record.processes, ...processes] };
    writeRecord(this.record);
  }
}

function tail(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(-15).join('\n') : '';
}
