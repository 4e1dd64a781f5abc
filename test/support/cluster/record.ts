import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Lifetime, ProcessRecord } from './daemon.ts';
import { stateFolder } from './paths.ts';

/** Everything that a cluster put on this machine outside its own folder; enough to remove it from another process. */
export interface ClusterRecord {
  readonly name: string;
  readonly dir: string;
  readonly lifetime: Lifetime;
  /** The process that started it. */
  readonly owner: ProcessRecord;
  readonly netns: string;
  readonly hostLink: string;
  readonly controlGroup: string;
  readonly processes: readonly ProcessRecord[];
  /** Kernel settings as they were before the kubelet changed them. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** Empty folders that were made as mount points. */
  readonly folders: readonly string[];
}

/** Every cluster of this user has a line here, so that one whose owner was killed can be found. */
const registry = stateFolder('clusters');

/**
 * Writes the record in one move.
 * @param record What to remember.
 */
export function writeRecord(record: ClusterRecord): void {
  const file = join(record.dir, 'cluster.json');
  writeFileSync(`${file}.new`, `${JSON.stringify(record, null, 2)}\n`);
  renameSync(`${file}.new`, file);
  mkdirSync(registry, { recursive: true });
  writeFileSync(join(registry, record.name), record.dir);
}

/**
 * Forgets a cluster.
 * @param record The cluster.
 */
export function forgetRecord(record: ClusterRecord): void {
  rmSync(join(registry, record.name), { force: true });
  for (const folder of [registry, dirname(registry)]) {
    try {
      rmdirSync(folder);
    } catch {
      // Other clusters are listed there.
      return;
    }
  }
}

/**
 * Reads the record of a cluster.
 * @param dir Folder of the cluster.
 * @returns The record, or undefined when no cluster was started there.
 */
export function readRecord(dir: string): ClusterRecord | undefined {
  const file = join(dir, 'cluster.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as ClusterRecord) : undefined;
}

/**
 * Lists the clusters that were started on this machine and not removed.
 * @returns Their records.
 */
export function listRecords(): ClusterRecord[] {
  const names = existsSync(registry) ? readdirSync(registry) : [];
  return names
    .map((name) => readRecord(readFileSync(join(registry, name), 'utf8')))
    .filter((record) => record !== undefined);
}
