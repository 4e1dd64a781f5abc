import { Aborted } from '../../../lib/errors.ts';
import type { AgentCalls, AgentOp } from './protocol.ts';

/** An HSM agent, wherever it runs: a child of this process, or a program behind a socket. */
export interface AgentPort {
  /**
   * Ends by the agent's own deadlines, or by the signal; what was sent is not taken back then.
   *
   * @throws ERR_HSM_*, ERR_SEAL_BLOB, ERR_ABORTED
   */
  call<K extends AgentOp>(
    op: K,
    body: AgentCalls[K]['request'],
    options: { readonly signal?: AbortSignal },
  ): Promise<AgentCalls[K]['reply']>;
  /**
   * Ends a program that runs beside this one, so that whoever keeps it running starts it with the credentials of today.
   * Absent where the agent is a child of this process.
   *
   * @throws ERR_HSM_AGENT_UNAVAILABLE, ERR_HSM_TIMEOUT, ERR_ABORTED
   */
  renew?(options: { readonly signal?: AbortSignal }): Promise<void>;
  close(): Promise<void>;
}

/** How long things may take, in milliseconds. */
export interface AgentTiming {
  /** Start of the PKCS#11 process. */
  readonly startMs: number;
  /** Library, log-in, key generation and self-test; network HSMs take their time. */
  readonly openMs: number;
  /** One operation. */
  readonly callMs: number;
}

export const DEFAULT_TIMING: AgentTiming = { startMs: 20_000, openMs: 60_000, callMs: 15_000 };

/** The promise's outcome, or ERR_ABORTED when the signal fires first. */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(new Aborted('the operation was ended', { cause: signal.reason }));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
