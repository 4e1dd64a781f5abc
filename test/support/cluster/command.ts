import { spawn } from 'node:child_process';

/** A command ended with a status that its caller did not expect. Arguments are left out: they are in the caller's code. */
export class CommandFailed extends Error {
  readonly command: string;
  readonly status: number | null;
  readonly stderr: string;

  constructor(command: string, status: number | null, stderr: string) {
    super(`${command} failed (status ${status ?? 'none'}): ${stderr.trim().slice(-2000)}`);
    this.name = 'CommandFailed';
    this.command = command;
    this.status = status;
    this.stderr = stderr;
  }
}

/** What a finished command left behind. */
export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a command is run. */
export interface CommandOptions {
  readonly cwd?: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Written to standard input: the only way in for a secret. */
  readonly input?: string | Uint8Array;
  readonly timeoutMs?: number;
  /** Receives each line of standard output and standard error as it comes. */
  readonly onLine?: (line: string) => void;
}

/**
 * Runs a command to its end, whatever its status.
 * @param command Program, found on the PATH or by its path.
 * @param args Arguments; never a secret, since other users can read them.
 * @param options Working folder, environment, input, time limit.
 * @returns Status and output.
 * @throws {CommandFailed} When it cannot be started or runs out of time.
 */
export function attempt(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    const output = { stdout: '', stderr: '' };
    let timedOut = false;
    const timer =
      options.timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            timedOut = true;
            child.kill('SIGKILL');
          }, options.timeoutMs);
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        output[name] += text;
        if (options.onLine !== undefined)
          for (const line of text.split('\n')) if (line.trim() !== '') options.onLine(line);
      });
    }
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(new CommandFailed(command, null, error.message));
    });
    child.on('close', (status) => {
      clearTimeout(timer);
      if (timedOut)
        reject(new CommandFailed(command, null, `no end after ${options.timeoutMs} ms\n${output.stderr}`));
      else resolve({ status, ...output });
    });
    // A command that does not read its input may close it first.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input);
  });
}

/**
 * Runs a command that has to succeed.
 * @param command Program, found on the PATH or by its path.
 * @param args Arguments; never a secret.
 * @param options Working folder, environment, input, time limit.
 * @returns Its standard output.
 * @throws {CommandFailed} When its status is not zero.
 */
export async function run(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const result = await attempt(command, args, options);
  if (result.status !== 0)
    throw new CommandFailed(`${command} ${args[0] ?? ''}`, result.status, result.stderr || result.stdout);
  return result.stdout;
}

/**
 * Asks again and again until something holds.
 * @param what Named in the error.
 * @param timeoutMs Limit.
 * @param probe Returns the value, or undefined when it does not hold yet. What it throws counts as "not yet".
 * @param everyMs Pause between two questions.
 * @returns The first value.
 * @throws {Error} When the time is over; its cause is the last thing that `probe` threw.
 */
export async function until<T>(
  what: string,
  timeoutMs: number,
  probe: () => Promise<T | undefined> | T | undefined,
  everyMs = 200,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      const value = await probe();
      if (value !== undefined) return value;
      last = undefined;
    } catch (error: unknown) {
      last = error;
    }
    await pause(everyMs);
  }
  throw new Error(`${what}: not within ${timeoutMs / 1000} s`, { cause: last });
}

/**
 * Waits.
 * @param ms Milliseconds.
 */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
