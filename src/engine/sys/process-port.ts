import type { JsonObject } from '../../lib/json.ts';
import type { LogLevel } from '../../lib/log.ts';

/** A look at the process from inside. */
export interface ProfilerPort {
  heap(): JsonObject;
  /** What the event loop waits for: how many of each kind. */
  resources(): Record<string, number>;
  /** @param seconds how long to look */
  sample(kind: 'profile' | 'allocs', seconds: number, signal: AbortSignal): Promise<JsonObject>;
}

/** What the system backend shows of the process. */
export interface ProcessPort {
  readonly log: {
    levels(): Readonly<Record<string, LogLevel>>;
    setLevel(level: LogLevel): void;
    setPartLevel(name: string, level: LogLevel | undefined): boolean;
    /** Back to the configured level. */
    reset(): void;
    listen(level: LogLevel, write: (line: string) => void): () => void;
  };
  readonly metrics: { snapshot(): Promise<JsonObject>; prometheus(): Promise<string | undefined> };
  inFlight(): JsonObject;
  readonly sanitizedConfig: JsonObject;
  readonly commandLine: readonly string[];
  /** Reads certificates again. */
  reload(): Promise<void>;
  readonly profiler: ProfilerPort;
}
