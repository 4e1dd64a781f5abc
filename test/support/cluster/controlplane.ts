import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type ApiAccess, ApiClient } from './api.ts';
import { type ControlPlaneBinaries, controlPlaneBinaries } from './binaries.ts';
import {
  type Authority,
  type CertificateRequest,
  createAuthority,
  type Identity,
  issueCertificate,
} from './certificates.ts';
import { until } from './command.ts';
import { type Daemon, type Lifetime, type ProcessRecord, startDaemon } from './daemon.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { type Report, toTerminal } from './progress.ts';

/** The Services' address range, and the address of the API server's own Service in it. */
export const serviceNetwork = { cidr: '10.96.0.0/16', apiServer: '10.96.0.1' } as const;

/** How to start a control plane. */
export interface ControlPlaneOptions {
  /** Everything is kept below this folder. */
  readonly dir: string;
  /** IPv4 address to listen on; the default is the loopback address. */
  readonly address?: string;
  readonly port?: number;
  /** Whether pods will run against it: then the API server announces its address to them. */
  readonly nodeMode?: boolean;
  readonly netns?: string;
  readonly lifetime?: Lifetime;
  readonly binaries?: ControlPlaneBinaries;
  readonly apiServerArgs?: readonly string[];
  readonly report?: Report;
}

/** A running etcd and kube-apiserver. */
export interface ControlPlane {
  readonly server: string;
  /** PEM of the authority that signed the API server's certificate. */
  readonly caPem: string;
  /** A kubeconfig of a cluster administrator. */
  readonly kubeconfigPath: string;
  readonly kubectl: string;
  readonly admin: ApiAccess;
  readonly api: ApiClient;
  readonly processes: readonly ProcessRecord[];
  readonly keys: { readonly serviceAccount: string; readonly authority: string };
  /** Issues a certificate that the API server accepts. */
  issue(request: CertificateRequest): Identity;
  /** A kubeconfig of a service account, through the TokenRequest API: a test runs with that account's real permissions. */
  kubeconfigFor(account: { readonly namespace: string; readonly name: string }): Promise<string>;
  /** Ends the API server in an orderly way and starts it again on the same address. */
  restartApiServer(): Promise<void>;
  /** Ends the API server as a power cut would. */
  killApiServer(): Promise<void>;
  /** Starts the API server again after `killApiServer`. */
  startApiServer(): Promise<void>;
  /** Ends both processes. */
  stop(): Promise<void>;
}

/**
 * Starts etcd and kube-apiserver with RBAC and pod security admission on; about 5 seconds.
 * There is no controller manager: no garbage collection, no pods from StatefulSets.
 * @param options Folder, address, lifetime.
 * @returns A ready control plane.
 * @throws {Error} When a program is missing or the API server is not ready within a minute; the logs are in `dir`.
 */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const report = options.report ?? toTerminal;
  const binaries = options.binaries ?? (await controlPlaneBinaries(report));
  mkdirSync(options.dir, { recursive: true, mode: 0o700 });
  const address = options.address ?? '127.0.0.1';
  const port = options.port ?? (await freePort());
  const files = writeIdentities(options.dir, address);
  const etcd = await startEtcd(options, binaries.etcd);
  const args = apiServerArgs({ ...options, address, port }, files, etcd.url);
  const start = (): Promise<Daemon> =>
    startDaemon({
      name: 'kube-apiserver',
      command: binaries.apiserver,
      args,
      logFile: join(options.dir, 'kube-apiserver.log'),
      lifetime: options.lifetime ?? 'parent',
      ...(options.netns === undefined ? {} : { netns: options.netns }),
    });
  const plane = new RunningControlPlane(
    options.dir,
    `https://${address}:${port}`,
    binaries.kubectl,
    files,
    etcd.daemon,
    start,
  );
  try {
    await plane.startApiServer();
  } catch (error: unknown) {
    await plane.stop();
    throw error;
  }
  return plane;
}

class RunningControlPlane implements ControlPlane {
  readonly server: string;
  readonly caPem: string;
  readonly kubeconfigPath: string;
  readonly kubectl: string;
  readonly admin: ApiAccess;
  readonly api: ApiClient;
  readonly keys: { readonly serviceAccount: string; readonly authority: string };
  readonly #dir: string;
  readonly #authority: Authority;
  readonly #etcd: Daemon;
  readonly #start: () => Promise<Daemon>;
  #apiServer: Daemon | undefined;

  constructor(
    dir: string,
    server: string,
    kubectl: string,
    files: IdentityFiles,
    etcd: Daemon,
    start: () => Promise<Daemon>,
  ) {
    this.#dir = dir;
    this.#authority = files.authority;
    this.#etcd = etcd;
    this.#start = start;
    this.server = server;
    this.kubectl = kubectl;
    this.caPem = files.authority.certificate;
    this.keys = { serviceAccount: files.serviceAccountKey, authority: files.authorityFile };
    this.kubeconfigPath = join(dir, 'kubeconfig');
    const admin = this.issue({ commonName: 'admin', organization: 'system:masters', usage: 'client' });
    this.admin = { server, authority: this.caPem, certificate: admin.certificate, key: admin.key };
    this.api = new ApiClient(this.admin);
    writeKubeconfig(this.kubeconfigPath, this.admin);
  }

  get processes(): readonly ProcessRecord[] {
    return [this.#etcd.record, ...(this.#apiServer === undefined ? [] : [this.#apiServer.record])];
  }

  issue(request: CertificateRequest): Identity {
    return issueCertificate(this.#authority, request);
  }

  async kubeconfigFor(account: { readonly namespace: string; readonly name: string }): Promise<string> {
    const path = `/api/v1/namespaces/${account.namespace}/serviceaccounts/${account.name}/token`;
    const answer = await this.api.call<{ status: { token: string } }>('POST', path, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: 7200 },
    });
    const file = join(this.#dir, `kubeconfig-${account.namespace}-${account.name}`);
    writeKubeconfig(
      file,
      { server: this.server, authority: this.caPem, token: answer.status.token },
      account.namespace,
    );
    return file;
  }

  async restartApiServer(): Promise<void> {
    await this.#apiServer?.stop();
    await this.startApiServer();
  }

  async killApiServer(): Promise<void> {
    await this.#apiServer?.stop('SIGKILL');
  }

  async startApiServer(): Promise<void> {
    const daemon = await this.#start();
    this.#apiServer = daemon;
    try {
      await until(
        'kube-apiserver ready',
        60_000,
        async () => {
          if (!daemon.running() || !this.#etcd.running()) return 'ended';
          return (await this.api.call<string>('GET', '/readyz')) === 'ok' ? 'ready' : undefined;
        },
        100,
      );
    } catch (error: unknown) {
      throw new Error(`kube-apiserver is not ready:\n${tail(join(this.#dir, 'kube-apiserver.log'))}`, {
        cause: error,
      });
    }
    if (!daemon.running())
      throw new Error(`kube-apiserver ended:\n${tail(join(this.#dir, 'kube-apiserver.log'))}`);
    if (!this.#etcd.running()) throw new Error(`etcd ended:\n${tail(join(this.#dir, 'etcd.log'))}`);
  }

  async stop(): Promise<void> {
    await this.#apiServer?.stop('SIGTERM', 3_000);
    await this.#etcd.stop();
  }
}

interface IdentityFiles {
  readonly authority: Authority;
  readonly authorityFile: string;
  readonly server: { readonly certificate: string; readonly key: string };
  readonly kubelet: { readonly certificate: string; readonly key: string };
  readonly serviceAccountKey: string;
}

function writeIdentities(dir: string, address: string): IdentityFiles {
  const folder = join(dir, 'pki');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const write = (name: string, text: string): string => {
    const file = join(folder, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };
  const pair = (name: string, identity: Identity): { certificate: string; key: string } => ({
    certificate: write(`${name}.crt`, identity.certificate),
    key: write(`${name}.key`, identity.key),
  });
  const authority = createAuthority('sealedvault-test-cluster');
  const service = [
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
    'localhost',
  ];
  const server = issueCertificate(authority, {
    commonName: 'kube-apiserver',
    usage: 'server',
    dnsNames: service,
    addresses: [...new Set([address, '127.0.0.1', serviceNetwork.apiServer])],
  });
  const kubelet = issueCertificate(authority, {
    commonName: 'kube-apiserver-kubelet-client',
    organization: 'system:masters',
    usage: 'client',
  });
  const accounts = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  return {
    authority,
    authorityFile: write('ca.crt', authority.certificate),
    server: pair('apiserver', server),
    kubelet: pair('apiserver-kubelet-client', kubelet),
    serviceAccountKey: write(
      'service-account.key',
      accounts.export({ type: 'sec1', format: 'pem' }).toString(),
    ),
  };
}

async function startEtcd(
  options: ControlPlaneOptions,
  command: string,
): Promise<{ daemon: Daemon; url: string }> {
  const url = `http://127.0.0.1:${await freePort()}`;
  const peer = `http://127.0.0.1:${await freePort()}`;
  const daemon = await startDaemon({
    name: 'etcd',
    command,
    args: [
      '--name=default',
      `--data-dir=${join(options.dir, 'etcd')}`,
      '--unsafe-no-fsync',
      '--logger=zap',
      '--log-level=warn',
      `--listen-client-urls=${url}`,
      `--advertise-client-urls=${url}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
    ],
    logFile: join(options.dir, 'etcd.log'),
    lifetime: options.lifetime ?? 'parent',
    ...(options.netns === undefined ? {} : { netns: options.netns }),
  });
  return { daemon, url };
}

function apiServerArgs(
  options: ControlPlaneOptions & { address: string; port: number },
  files: IdentityFiles,
  etcd: string,
): string[] {
  return [
    `--etcd-servers=${etcd}`,
    `--bind-address=${options.address}`,
    `--secure-port=${options.port}`,
    `--advertise-address=${options.address}`,
    // A loopback address may not stand in an Endpoints object.
    ...(options.nodeMode === true ? [] : ['--endpoint-reconciler-type=none']),
    `--tls-cert-file=${files.server.certificate}`,
    `--tls-private-key-file=${files.server.key}`,
    `--client-ca-file=${files.authorityFile}`,
    `--kubelet-client-certificate=${files.kubelet.certificate}`,
    `--kubelet-client-key=${files.kubelet.key}`,
    `--kubelet-certificate-authority=${files.authorityFile}`,
    '--kubelet-preferred-address-types=InternalIP',
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    `--service-account-key-file=${files.serviceAccountKey}`,
    `--service-account-signing-key-file=${files.serviceAccountKey}`,
    `--service-cluster-ip-range=${serviceNetwork.cidr}`,
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction,PodSecurity',
    '--allow-privileged=true',
    '--profiling=false',
    `--cert-dir=${join(options.dir, 'pki')}`,
    ...(options.apiServerArgs ?? []),
  ];
}

/**
 * Finds a TCP port that nobody listens on.
 * @returns Its number.
 */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address !== null
          ? resolve(address.port)
          : reject(new Error('no port')),
      );
    });
  });
}

/** The last lines of a log file. */
function tail(file: string): string {
  try {
    return readFileSync(file, 'utf8').split('\n').slice(-25).join('\n');
  } catch {
    return '';
  }
}
