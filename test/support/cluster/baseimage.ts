import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Buildah } from './buildah.ts';
import { attempt, run } from './command.ts';
import { withLock } from './lock.ts';
import { ensurePrograms } from './packages.ts';
import { cacheFolder } from './paths.ts';
import { type Report, step } from './progress.ts';

const suite = 'trixie';

/** The image that the project's Dockerfile starts from, by its full name. */
export const baseImage = 'docker.io/library/debian:trixie-slim';

/**
 * Makes sure that the base image is in the local storage: pulled where that works, else bootstrapped from Debian's packages.
 * @param buildah Image tools.
 * @param report Told which way was taken.
 * @throws {Error} When neither way works.
 */
export async function ensureBaseImage(buildah: Buildah, report: Report): Promise<void> {
  if ((await buildah.imageId(baseImage)) !== undefined) return;
  await withLock(join(cacheFolder(), 'images', 'base.lock'), report, async () => {
    if ((await buildah.imageId(baseImage)) !== undefined) return;
    if (await pull(buildah, report)) return;
    await step(
      report,
      `bootstrapping Debian ${suite} as ${baseImage} (it cannot be pulled here)`,
      () => bootstrap(buildah, report),
      '50 s',
    );
  });
}

async function pull(buildah: Buildah, report: Report): Promise<boolean> {
  try {
    await buildah.run(['pull', '--quiet', '--retry', '0', baseImage], { timeoutMs: 120_000 });
    report(`• base image ${baseImage}: pulled`);
    return true;
  } catch {
    return false;
  }
}

async function bootstrap(buildah: Buildah, report: Report): Promise<void> {
  await ensurePrograms(['debootstrap'], report);
  mkdirSync(cacheFolder(), { recursive: true });
  const work = mkdtempSync(join(cacheFolder(), 'debootstrap-'));
  const tree = join(work, 'tree');
  try {
    await run('debootstrap', ['--variant=minbase', suite, tree, await debianMirror()]);
    slim(tree);
    const container = (
      await buildah.run(['from', '--name', `sealedvault-base-${process.pid}`, 'scratch'])
    ).trim();
    try {
      await buildah.run(['add', '--quiet', container, tree, '/']);
      await buildah.run([
        'config',
        '--cmd',
        'bash',
        '--env',
        'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        container,
      ]);
      await buildah.run(['commit', '--quiet', container, baseImage]);
    } finally {
      await buildah.run(['rm', container]);
    }
  } finally {
    // A debootstrap that was ended half-way leaves these mounted, and rm would reach through them.
    for (const mount of ['proc', 'sys', 'dev/pts', 'dev']) await attempt('umount', ['-l', join(tree, mount)]);
    rmSync(work, { recursive: true, force: true });
  }
}

/** What the -slim images leave out: documentation and translations, now and for packages installed later. */
function slim(tree: string): void {
  const excluded = [
    'usr/share/doc',
    'usr/share/man',
    'usr/share/info',
    'usr/share/locale',
    'usr/share/lintian',
    'usr/share/linda',
    'usr/share/groff',
  ];
  writeFileSync(
    join(tree, 'etc/dpkg/dpkg.cfg.d/docker'),
    `force-unsafe-io\n${excluded.map((path) => `path-exclude /${path}/*\n`).join('')}path-include /usr/share/doc/*/copyright\n`,
  );
  for (const path of [...excluded.slice(1), 'var/cache/apt', 'var/lib/apt/lists', 'var/log']) {
    const folder = join(tree, path);
    if (existsSync(folder))
      for (const entry of readdirSync(folder)) rmSync(join(folder, entry), { recursive: true, force: true });
  }
  const docs = join(tree, 'usr/share/doc');
  for (const name of readdirSync(docs)) {
    const folder = join(docs, name);
    const entries = readdirSync(folder).filter((entry) => entry !== 'copyright');
    for (const entry of entries) rmSync(join(folder, entry), { recursive: true, force: true });
  }
  mkdirSync(join(tree, 'var/cache/apt/archives/partial'), { recursive: true });
  mkdirSync(join(tree, 'var/lib/apt/lists/partial'), { recursive: true });
}

/** The Debian mirror that this machine's own package manager uses. */
async function debianMirror(): Promise<string> {
  const listed = await run('apt-get', [
    'indextargets',
    '--format',
    '$(LABEL) $(REPO_URI)',
    'Created-By: Packages',
  ]);
  const line = listed.split('\n').find((text) => text.startsWith('Debian ') || text.startsWith('Debian\t'));
  const mirror = line?.slice('Debian'.length).trim();
  if (mirror === undefined || mirror === '')
    throw new Error(
      'no Debian package source is configured on this machine, so the base image cannot be made',
    );
  return mirror;
}
