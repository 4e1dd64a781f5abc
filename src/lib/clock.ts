import { Aborted } from './errors.ts';

/** Time as a port, so that TTLs, back-off and conditions can be tested without waiting. */
export interface Clock {
  /** Milliseconds since the epoch; may jump. */
  now(): number;
  /** Milliseconds that never go back; only differences mean anything. */
  monotonic(): number;
  /** Resolves after ms milliseconds. @throws ERR_ABORTED when the signal fires first */
  sleep(ms: number, options?: { signal?: AbortSignal | undefined }): Promise<void>;
}

/** The machine's clock. Timers do not keep the process alive by themselves. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, options) => {
    const signal = options?.signal;
    return new Promise<void>((resolve, reject) => {
      if (signal?.aborted) {
        reject(new Aborted('the wait was ended', { cause: signal.reason }));
        return;
      }
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(new Aborted('the wait was ended', { cause: signal?.reason }));
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, ms);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  },
};
