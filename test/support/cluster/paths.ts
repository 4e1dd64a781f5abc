import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * The folder that keeps what is expensive to make again: binaries, base images.
 * @returns `${XDG_CACHE_HOME:-~/.cache}/sealedvault`.
 */
export function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'sealedvault');
}

/**
 * The folder of a cluster that outlives the process which started it.
 * @param name Name of the cluster.
 * @returns `${XDG_STATE_HOME:-~/.local/state}/sealedvault/<name>`.
 */
export function stateFolder(name: string): string {
  return join(process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state'), 'sealedvault', name);
}

/** The root folder of the project. */
export const projectRoot: string = join(import.meta.dirname, '..', '..', '..');
