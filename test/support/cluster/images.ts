import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { baseImage, ensureBaseImage } from './baseimage.ts';
import { type Buildah, openBuildah } from './buildah.ts';
import { withLock } from './lock.ts';
import { cacheFolder, projectRoot } from './paths.ts';
import { type Report, step } from './progress.ts';

/** An image in a file that a node can load. */
export interface ImageArchive {
  /** Full name; the tag changes with the image's inputs. */
  readonly image: string;
  readonly archive: string;
}

/** What the project's image is made from, relative to the project's root. */
export const projectImageInputs: readonly string[] = [
  'Dockerfile',
  '.dockerignore',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'deploy/bundle.ts',
  'deploy/plugin.ts',
  'LICENSE',
  'src',
];

const caBundle = '/etc/ssl/certs/ca-certificates.crt';

/**
 * Builds the project's image from its Dockerfile without a daemon, unless one of the same inputs is cached.
 * @param report Told whether it is built, its size and time.
 * @returns Name and archive.
 * @throws {CommandFailed} When the build fails.
 */
export function projectImage(report: Report): Promise<ImageArchive> {
  return archived(
    'sealedvault',
    inputsHash(projectRoot, projectImageInputs),
    report,
    async (buildah, image) => {
      // Inside the build the machine's own authorities stand beside the system's, which the build may change.
      const trusted = existsSync(caBundle)
        ? [
            '--volume',
            `${caBundle}:/run/build-ca.crt:ro`,
            '--build-arg',
            'NODE_EXTRA_CA_CERTS=/run/build-ca.crt',
          ]
        : [];
      const flags = ['--layers', '--isolation', 'chroot', '--network', 'host', '--pull-never', ...trusted];
      await buildah.run(
        ['bud', ...flags, '--tag', image, '--file', join(projectRoot, 'Dockerfile'), projectRoot],
        {
          onLine: (line) => {
            if (/^STEP |^\[\d\/\d\]/.test(line)) report(`    ${line.slice(0, 110)}`);
          },
        },
      );
    },
  );
}

/**
 * The base image itself under a name of ours, for pods that only have to run.
 * @param report Told when it has to be made.
 * @returns Name and archive.
 * @throws {CommandFailed} When it cannot be made.
 */
export function plainImage(report: Report): Promise<ImageArchive> {
  return archived('debian', 'trixie-slim', report, async (buildah, image) => {
    await buildah.run(['tag', baseImage, image]);
  });
}

async function archived(
  name: string,
  tag: string,
  report: Report,
  build: (buildah: Buildah, image: string) => Promise<void>,
): Promise<ImageArchive> {
  const image = `localhost/${name}:${tag}`;
  const archive = join(cacheFolder(), 'images', `${name}-${tag}.tar`);
  if (existsSync(archive)) {
    report(`• image ${image}: cached, ${megabytes(archive)}`);
    return { image, archive };
  }
  mkdirSync(dirname(archive), { recursive: true });
  return withLock(join(dirname(archive), `${name}.lock`), report, async () => {
    if (existsSync(archive)) return { image, archive };
    const buildah = await openBuildah(report);
    await ensureBaseImage(buildah, report);
    await step(
      report,
      `building image ${image}`,
      () => build(buildah, image),
      '3 min, 30 s when only sources changed',
    );
    await pruneBuilds(buildah);
    const temporary = `${archive}.${process.pid}`;
    try {
      await step(
        report,
        `exporting image ${image}`,
        () => buildah.run(['push', '--quiet', image, `docker-archive:${temporary}:${image}`]),
        '10 s',
      );
      removeOlder(dirname(archive), `${name}-`);
      renameSync(temporary, archive);
    } finally {
      rmSync(temporary, { force: true });
    }
    report(`• image ${image}: ${megabytes(archive)}`);
    return { image, archive };
  });
}

/** Every build leaves its steps for the next one; after many of them they are a heap of gigabytes. */
async function pruneBuilds(buildah: Buildah): Promise<void> {
  const kept = (await buildah.run(['images', '--all', '--quiet'])).trim().split('\n');
  if (kept.length <= 60) return;
  try {
    // A build that was ended half-way leaves its container, and that keeps its image.
    await buildah.run(['rm', '--all']);
    await buildah.run(['rmi', '--prune']);
  } catch {
    // It only costs space.
  }
}

/** Only the newest archive is kept: each is as large as the image. */
function removeOlder(folder: string, prefix: string): void {
  for (const entry of readdirSync(folder))
    if (entry.startsWith(prefix) && entry.endsWith('.tar')) rmSync(join(folder, entry), { force: true });
}

function megabytes(file: string): string {
  return `${Math.round(statSync(file).size / 1e6)} MB`;
}

/**
 * A short name for the content of files.
 * @param root Folder that the paths are relative to.
 * @param paths Files and folders.
 * @returns Twelve hexadecimal digits.
 */
export function inputsHash(root: string, paths: readonly string[]): string {
  const hash = createHash('sha256');
  const visit = (path: string): void => {
    if (!existsSync(path)) return;
    if (statSync(path).isDirectory()) {
      for (const entry of readdirSync(path).sort()) visit(join(path, entry));
      return;
    }
    hash.update(`${relative(root, path)}\0`).update(createHash('sha256').update(readFileSync(path)).digest());
  };
  for (const path of paths) visit(join(root, path));
  return hash.digest('hex').slice(0, 12);
}
