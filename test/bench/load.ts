import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';

/** One request of a load. */
export interface Shot {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
}

export interface LoadOptions {
  readonly port: number;
  readonly token: string;
  readonly clients: number;
  readonly requests: number;
  /** The n-th request. */
  readonly shot: (n: number) => Shot;
}

/** Sends requests over kept-alive connections. @throws when one is answered with an error status */
export async function load(options: LoadOptions): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: options.clients });
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < options.requests) {
      const n = next;
      next += 1;
      await send(agent, options, options.shot(n));
    }
  };
  try {
    await Promise.all(Array.from({ length: options.clients }, client));
  } finally {
    agent.destroy();
  }
}

/** Sends requests for a time. @returns how long each took, in milliseconds */
export async function timed(options: Omit<LoadOptions, 'requests'>, forMs: number): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: options.clients });
  const end = performance.now() + forMs;
  const times: number[] = [];
  let next = 0;
  const client = async (): Promise<void> => {
    while (performance.now() < end) {
      const from = performance.now();
      next += 1;
      await send(agent, options, options.shot(next));
      times.push(performance.now() - from);
    }
  };
  try {
    await Promise.all(Array.from({ length: options.clients }, client));
    return times;
  } finally {
    agent.destroy();
  }
}

function send(
  agent: Agent,
  { port, token }: Pick<LoadOptions, 'port' | 'token'>,
  { method, path, body }: Shot,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        agent,
        port,
        host: '127.0.0.1',
        method,
        path,
        headers: {
          'X-Vault-Token': token,
          ...(body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) }),
        },
      },
      (response) => {
        response.resume();
        response.once('end', () => {
          if ((response.statusCode ?? 500) < 300) resolve();
          else reject(new Error(`${method} ${path} was answered ${response.statusCode}`));
        });
      },
    );
    call.once('error', reject);
    call.end(body);
  });
}

/** Microseconds of processor time that a process has used, all its threads together. */
export function cpuTime(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

/** MiB of resident memory: all of it, or what is not mapped from files. */
export function residentMemory(pid: number, kind: 'VmRSS' | 'RssAnon' = 'VmRSS'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`${kind}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
