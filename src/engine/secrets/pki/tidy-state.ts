import type { TidyConfig } from './tidy-config.ts';

export type TidyPhase = 'Inactive' | 'Running' | 'Finished' | 'Error' | 'Cancelling' | 'Cancelled';

/** How the present or last tidying goes. */
export class TidyState {
  readonly backendUuid: string;
  phase: TidyPhase = 'Inactive';
  config: TidyConfig | undefined;
  error: string | undefined;
  message: string | undefined;
  /** RFC 3339. */
  started: string | undefined;
  finished: string | undefined;
  lastAutoTidy: string | undefined;
  /** Milliseconds since the epoch, of the last tidying of any kind; undefined when there was none here. */
  lastRun: number | undefined;
  certificates = 0;
  revoked = 0;
  missingIssuer = 0;

  constructor(backendUuid: string) {
    this.backendUuid = backendUuid;
  }

  get isRunning(): boolean {
    return this.phase === 'Running' || this.phase === 'Cancelling';
  }

  /** Begins a run. */
  start(config: TidyConfig, now: number): void {
    this.phase = 'Running';
    this.config = config;
    this.error = undefined;
    this.message = undefined;
    this.started = new Date(now).toISOString();
    this.finished = undefined;
    this.lastRun = now;
    this.certificates = 0;
    this.revoked = 0;
    this.missingIssuer = 0;
  }

  /** Ends a run. @param error what went wrong, in words without secrets */
  stop(now: number, error?: string): void {
    this.phase = this.phase === 'Cancelling' ? 'Cancelled' : error === undefined ? 'Finished' : 'Error';
    this.error = error;
    this.finished = new Date(now).toISOString();
    this.lastRun = now;
    this.lastAutoTidy = this.finished;
    if (this.phase === 'Finished') this.message = undefined;
  }
}
