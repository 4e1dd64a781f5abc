import { existsSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openBuildah } from './buildah.ts';
import { buildGoFile } from './gomodules.ts';
import { withLock } from './lock.ts';
import { sandboxImage } from './machine.ts';
import { cacheFolder } from './paths.ts';
import { type Report, step } from './progress.ts';

/**
 * The image that holds a pod's namespaces, as an archive in the cache.
 * @param report Told when it has to be made.
 * @returns The archive file.
 * @throws {CommandFailed} When it cannot be built.
 */
export async function sandboxArchive(report: Report): Promise<string> {
  const archive = join(cacheFolder(), 'images', 'pause-1.tar');
  if (existsSync(archive)) return archive;
  return withLock(`${archive}.lock`, report, async () => {
    if (!existsSync(archive))
      await step(report, 'building the sandbox image', () => build(archive, report), '10 s');
    return archive;
  });
}

async function build(archive: string, report: Report): Promise<void> {
  const buildah = await openBuildah(report);
  const program = join(dirname(archive), 'pause');
  await buildGoFile(join(import.meta.dirname, 'pause', 'main.go'), program, report);
  const container = (await buildah.run(['from', 'scratch'])).trim();
  try {
    await buildah.run(['add', '--quiet', container, program, '/pause']);
    await buildah.run(['config', '--entrypoint', '["/pause"]', '--user', '65535:65535', container]);
    await buildah.run(['commit', '--quiet', container, sandboxImage]);
  } finally {
    await buildah.run(['rm', container]);
  }
  const temporary = `${archive}.${process.pid}`;
  await buildah.run(['push', '--quiet', sandboxImage, `docker-archive:${temporary}:${sandboxImage}`]);
  renameSync(temporary, archive);
  rmSync(program, { force: true });
}
