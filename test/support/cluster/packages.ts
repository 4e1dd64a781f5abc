import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.ts';
import { type Report, step } from './progress.ts';

/** Debian package that brings each program the harness calls. */
const packageOf = {
  curl: 'curl',
  zbarimg: 'zbar-tools',
  etcd: 'etcd-server',
  go: 'golang-go',
  python3: 'python3-venv',
  '/usr/share/doc/python3-venv': 'python3-venv',
  containerd: 'containerd',
  ctr: 'containerd',
  runc: 'runc',
  iptables: 'iptables',
  ip: 'iproute2',
  buildah: 'buildah',
  debootstrap: 'debootstrap',
  gpg: 'gnupg',
  chromium: 'chromium',
  openssl: 'openssl',
  'softhsm2-util': 'softhsm2',
  'pkcs11-tool': 'opensc',
  'p11-kit': 'p11-kit',
  '/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-client.so': 'p11-kit-modules',
  gcc: 'gcc',
  'pkg-config': 'pkg-config',
  '/usr/lib/llvm-14/lib/libclang.so.1': 'libclang1-14',
  '/usr/include/openssl/ssl.h': 'libssl-dev',
  '/usr/include/sqlite3.h': 'libsqlite3-dev',
  slapd: 'slapd',
  pg_ctlcluster: 'postgresql',
  mariadbd: 'mariadb-server',
  'mariadb-install-db': 'mariadb-server',
  'ssh-keygen': 'openssh-client',
  sshd: 'openssh-server',
  '/usr/include/stdlib.h': 'libc6-dev',
  '/usr/lib/cni/bridge': 'containernetworking-plugins',
} as const;

/** A program that the harness knows how to install. */
export type Program = keyof typeof packageOf;

/**
 * Finds a program on the PATH.
 * @param program Its name, or an absolute path.
 * @returns Its full path, or undefined.
 */
export function find(program: string): string | undefined {
  if (program.startsWith('/')) return existsSync(program) ? program : undefined;
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin', '/usr/local/go/bin'];
  return folders.map((folder) => join(folder, program)).find((file) => existsSync(file));
}

/**
 * Makes sure that programs are there, and installs their Debian packages when this process is root.
 * @param programs What is needed.
 * @param report Told what is installed.
 * @throws {Error} Naming the packages, when they are missing and cannot be installed.
 */
export function ensurePrograms(programs: readonly Program[], report: Report): Promise<void> {
  const turn = installing.then(() => install(programs, report));
  installing = turn.catch(() => undefined);
  return turn;
}

// apt-get runs once at a time, while images and programs are made beside each other.
let installing: Promise<void> = Promise.resolve();

async function install(programs: readonly Program[], report: Report): Promise<void> {
  const missing = programs.filter((program) => find(program) === undefined);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((program) => packageOf[program]))];
  if (process.getuid?.() !== 0 || find('apt-get') === undefined) {
    throw new Error(
      `missing programs: ${missing.join(', ')}. Install the packages ${packages.join(' ')} and run this again.`,
    );
  }
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  await step(
    report,
    `installing Debian packages: ${packages.join(' ')}`,
    async () => {
      await run('apt-get', ['update', '-q'], { env });
      // At run level 1 no package starts its own daemon beside ours.
      await run('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...packages], {
        env: { ...env, RUNLEVEL: '1' },
      });
    },
    'under a minute',
  );
}
