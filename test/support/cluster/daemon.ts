import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { pause } from './command.ts';

/** How long a daemon may live: no longer than this process, or until it is stopped by name. */
export type Lifetime = 'parent' | 'detached';

/** How to start a daemon. */
export interface DaemonOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly logFile: string;
  readonly lifetime: Lifetime;
  /** Name of the network namespace to start it in. */
  readonly netns?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A process as written down for a later clean-up; the start time tells it from a stranger with the same number. */
export interface ProcessRecord {
  readonly name: string;
  readonly pid: number;
  readonly startTime: string;
}

/** A running background process. */
export interface Daemon {
  readonly record: ProcessRecord;
  /** False as soon as the process has ended. */
  running(): boolean;
  /** Sends a signal, waits for the end, and kills what is still there after the grace time. */
  stop(signal?: NodeJS.Signals, graceMs?: number): Promise<void>;
}

/**
 * Starts a background process in its own process group, with its output in a file.
 * @param options Program, log file, lifetime, network namespace.
 * @returns A handle.
 * @throws {Error} When the program cannot be started.
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const log = openSync(options.logFile, 'a', 0o600);
  const prefix = [
    // The kernel ends the process when this one is gone, even after a SIGKILL.
    ...(options.lifetime === 'parent' ? ['setpriv', '--pdeathsig', 'KILL', '--'] : []),
    ...(options.netns === undefined ? [] : ['nsenter', `--net=/run/netns/${options.netns}`, '--']),
  ];
  const [command = options.command, ...args] = [...prefix, options.command, ...options.args];
  const child = spawn(command, args, {
    stdio: ['ignore', log, log],
    detached: true,
    env: { ...process.env, ...options.env },
  });
  closeSync(log);
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  child.unref();
  if (child.pid === undefined) throw new Error(`${options.name} has no process id`);
  return new ChildDaemon(child, {
    name: options.name,
    pid: child.pid,
    startTime: startTimeOf(child.pid) ?? '',
  });
}

class ChildDaemon implements Daemon {
  readonly record: ProcessRecord;
  readonly #child: ChildProcess;

  constructor(child: ChildProcess, record: ProcessRecord) {
    this.#child = child;
    this.record = record;
  }

  running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM', graceMs = 10_000): Promise<void> {
    if (!this.running()) return;
    this.#child.kill(signal);
    const deadline = performance.now() + graceMs;
    while (this.running() && performance.now() < deadline) await pause(20);
    if (this.running()) this.#child.kill('SIGKILL');
    while (this.running()) await pause(20);
  }
}

/**
 * Ends a process by its record, when it is still the same process.
 * @param record What `Daemon.record` gave.
 * @param graceMs Time between SIGTERM and SIGKILL; with 0 there is no SIGTERM.
 * @returns Whether it was still running.
 */
export async function stopRecorded(record: ProcessRecord, graceMs = 10_000): Promise<boolean> {
  const same = (): boolean => isRunning(record);
  if (!same()) return false;
  if (graceMs > 0) process.kill(record.pid, 'SIGTERM');
  const deadline = performance.now() + graceMs;
  while (same() && performance.now() < deadline) await pause(50);
  if (same()) process.kill(record.pid, 'SIGKILL');
  while (same()) await pause(50);
  return true;
}

/**
 * Whether a recorded process still runs.
 * @param record The process.
 * @returns True when it does, and is not a stranger with the same number.
 */
export function isRunning(record: ProcessRecord): boolean {
  return record.startTime !== '' && startTimeOf(record.pid) === record.startTime;
}

/**
 * When a process started, in the kernel's clock ticks.
 * @param pid Process id.
 * @returns The value, or undefined when no such process runs (a zombie does not count).
 */
export function startTimeOf(pid: number): string | undefined {
  const file = `/proc/${pid}/stat`;
  if (!existsSync(file)) return undefined;
  try {
    const stat = readFileSync(file, 'utf8');
    // The second field, the program's name, may hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
