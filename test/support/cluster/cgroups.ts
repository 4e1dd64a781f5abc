import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pause } from './command.ts';

const root = '/sys/fs/cgroup';

/** The control group hierarchies of this machine: one with version 2, one for each controller with version 1. */
function hierarchies(): string[] {
  if (existsSync(join(root, 'cgroup.controllers'))) return [root];
  return readdirSync(root)
    .map((name) => join(root, name))
    .filter((folder) => existsSync(join(folder, 'cgroup.procs')));
}

/**
 * Makes a top-level control group in every hierarchy.
 * @param name Its name.
 */
export function createControlGroup(name: string): void {
  for (const hierarchy of hierarchies()) {
    const folder = join(hierarchy, name);
    mkdirSync(folder, { recursive: true });
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      // In version 1 a new group has no processors until somebody gives it some.
      if (existsSync(join(folder, file)) && !existsSync(join(root, 'cgroup.controllers'))) {
        writeFileSync(join(folder, file), readFileSync(join(hierarchy, file)));
      }
    }
  }
}

/**
 * Removes a control group with everything below it, once its processes are gone.
 * @param name Its name.
 */
export async function removeControlGroup(name: string): Promise<void> {
  for (const hierarchy of hierarchies()) {
    const folder = join(hierarchy, name);
    for (let tries = 0; tries < 50 && existsSync(folder); tries++) {
      try {
        removeTree(folder);
      } catch {
        await pause(100);
      }
    }
  }
}

function removeTree(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) removeTree(join(folder, entry.name));
  rmdirSync(folder);
}
