import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessRecord } from './daemon.ts';

/** Everything that a cluster put on this machine outside its own folder; enough to remove it from another process. */
export interface ClusterRecord {
  readonly name: string;
  readonly netns: string;
  readonly hostLink: string;
  readonly controlGroup: string;
  readonly processes: readonly ProcessRecord[];
  /** Kernel settings as they were before the kubelet changed them. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** Empty folders that were made as mount points. */
  readonly folders: readonly string[];
}

/**
 * Writes the record in one move.
 * @param dir Folder of the cluster.
 * @param record What to remember.
 */
export function writeRecord(dir: string, record: ClusterRecord): void {
  const file = join(dir, 'cluster.json');
  writeFileSync(`${file}.new`, `${JSON.stringify(record, null, 2)}\n`);
  renameSync(`${file}.new`, file);
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
