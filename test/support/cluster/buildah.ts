import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { attempt, type CommandOptions, run } from './command.ts';
import { ensurePrograms } from './packages.ts';
import { cacheFolder } from './paths.ts';
import type { Report } from './progress.ts';

/** Container image tools on a storage folder of our own, so that nothing is left in the machine's. */
export interface Buildah {
  /** Runs a buildah command that has to succeed and returns its standard output. */
  run(args: readonly string[], options?: CommandOptions): Promise<string>;
  /** The id of a local image, or undefined. */
  imageId(image: string): Promise<string | undefined>;
  /** Size of a local image in bytes. */
  imageSize(image: string): Promise<number>;
}

/**
 * Prepares buildah.
 * @param report Told when it has to be installed.
 * @returns Calls that work on the cache folder's image storage.
 * @throws {Error} When buildah is missing and cannot be installed.
 */
export async function openBuildah(report: Report): Promise<Buildah> {
  await ensurePrograms(['buildah'], report);
  const storage = join(cacheFolder(), 'images');
  const flags = [
    '--root',
    join(storage, 'storage'),
    '--runroot',
    join(storage, 'run'),
    '--storage-driver',
    'overlay',
  ];
  mkdirSync(storage, { recursive: true });
  writeFileSync(
    join(storage, 'containers.conf'),
    `[network]\nnetwork_config_dir = "${join(storage, 'networks')}"\n`,
  );
  writeFileSync(join(storage, 'registries.conf'), '[aliases]\n"debian" = "docker.io/library/debian"\n');
  const env = {
    CONTAINERS_CONF: join(storage, 'containers.conf'),
    CONTAINERS_REGISTRIES_CONF: join(storage, 'registries.conf'),
  };
  return {
    run: (args, options) =>
      run('buildah', [...flags, ...args], { ...options, env: { ...env, ...options?.env } }),
    async imageId(image) {
      const result = await attempt('buildah', [...flags, 'images', '--quiet', '--no-trunc', image], { env });
      const id = result.stdout.trim().split('\n')[0];
      return result.status === 0 && id !== undefined && id !== '' ? id : undefined;
    },
    async imageSize(image) {
      const text = await run('buildah', [...flags, 'images', '--json', image]);
      const [entry] = JSON.parse(text) as { size: string }[];
      return parseSize(entry?.size ?? '');
    },
  };
}

function parseSize(text: string): number {
  const [, value = 'NaN', unit = 'B'] = /^([\d.]+)\s*([kMG]?B)$/.exec(text.trim()) ?? [];
  const factor = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9 }[unit] ?? Number.NaN;
  return Number(value) * factor;
}
