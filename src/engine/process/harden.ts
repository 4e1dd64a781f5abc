import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { url as inspectorUrl } from 'node:inspector';
import { SealedVaultError } from '../../lib/errors.ts';

/** The process was started in a way that would show its memory to others. */
export class ProcessUnsafe extends SealedVaultError {
  override readonly code = 'ERR_PROCESS_UNSAFE';
}

export interface HardenOptions {
  /** Flags of Node itself, before the script. */
  readonly execArgv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A vault in memory for tests: core dumps that cannot be forbidden are only warned of. */
  readonly dev: boolean;
  /** For tests: how the limit is read and lowered. */
  readonly limits?: CoreLimits;
}

export interface CoreLimits {
  /** The soft limit as /proc/self/limits shows it; undefined where there is none to read. */
  read(): string | undefined;
  /** Sets soft and hard limit of this process to 0; may fail. */
  forbid(): void;
}

/** Node's flags that open a debugger, or write memory or environment to a file. */
const UNSAFE =
  /^--(inspect|inspect-brk|inspect-wait|inspect-port|inspect-brk-node|debug|debug-brk|debug-port|heapsnapshot-signal|heapsnapshot-near-heap-limit|report-on-signal|report-on-fatalerror|report-uncaught-exception|abort-on-uncaught-exception)(=|$)/;

/**
 * Sees to it, before a key is in memory, that nobody is handed that memory: no debugger, no file of the heap or of
 * the environment, no core dump. The PKCS#11 process inherits the limit.
 *
 * @returns what could not be done and is no reason to refuse, as sentences
 * @throws ERR_PROCESS_UNSAFE
 */
export function harden(options: HardenOptions): readonly string[] {
  refuseUnsafeFlags(options);
  const limits = options.limits ?? systemLimits;
  const allowed = (): boolean => !['0', undefined].includes(limits.read());
  if (allowed()) {
    try {
      limits.forbid();
    } catch {
      // What counts is the limit that is read again.
    }
  }
  if (allowed()) {
    const hint =
      'start it after `ulimit -c 0`, or install prlimit (util-linux), by which it forbids them itself';
    if (!options.dev)
      throw new ProcessUnsafe('core dumps are enabled: a crash would write keys to a file', { hint });
    return [`core dumps are enabled: a crash would write keys to a file; ${hint}`];
  }
  return pipesCores()
    ? ['this machine hands core dumps to a program (kernel.core_pattern), which the limit of 0 may not bind']
    : [];
}

function refuseUnsafeFlags({ execArgv, env }: HardenOptions): void {
  const inherited = (env['NODE_OPTIONS'] ?? '').split(/\s+/);
  const flag = [...execArgv, ...inherited].find((each) => UNSAFE.test(each.replaceAll('_', '-')));
  if (flag === undefined && inspectorUrl() === undefined) return;
  const name = flag?.split('=')[0] ?? 'a debugger that is open already';
  throw new ProcessUnsafe('the process would show its memory to a debugger or a file', {
    hint: `start it without ${name}, on the command line and in NODE_OPTIONS`,
  });
}

const systemLimits: CoreLimits = {
  read: () => {
    try {
      return /^Max core file size\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    } catch {
      return undefined;
    }
  },
  forbid: () => {
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
    execFileSync('prlimit', ['--pid', String(process.pid), '--core=0:0'], { env, stdio: 'ignore' });
  },
};

function pipesCores(): boolean {
  try {
    return readFileSync('/proc/sys/kernel/core_pattern', 'utf8').startsWith('|');
  } catch {
    return false;
  }
}
