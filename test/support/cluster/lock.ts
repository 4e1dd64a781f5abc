import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { pause } from './command.ts';
import { startTimeOf } from './daemon.ts';
import type { Report } from './progress.ts';

/**
 * Runs work while holding a file lock, so that two processes do not build the same thing at once.
 * A lock whose holder is gone is taken over.
 * @param file Lock file; its folder is made.
 * @param report Told once when somebody else holds the lock.
 * @param work Runs with the lock held.
 * @returns What the work returned.
 * @throws Whatever the work throws; the lock is released first.
 */
export async function withLock<T>(file: string, report: Report, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  let told = false;
  while (!take(file)) {
    const holder = readHolder(file);
    if (holder !== undefined && startTimeOf(holder.pid) !== holder.startTime) {
      rmSync(file, { force: true });
      continue;
    }
    if (!told && holder !== undefined)
      report(`  waiting for process ${holder.pid}, which is doing the same (${file})`);
    told = true;
    await pause(500);
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function take(file: string): boolean {
  try {
    writeFileSync(file, `${process.pid} ${startTimeOf(process.pid) ?? ''}\n`, { flag: 'wx' });
    return true;
  } catch {
    return false;
  }
}

function readHolder(file: string): { pid: number; startTime: string } | undefined {
  try {
    const [pid, startTime] = readFileSync(file, 'utf8').trim().split(' ');
    return pid === undefined || startTime === undefined ? undefined : { pid: Number(pid), startTime };
  } catch {
    return undefined;
  }
}
