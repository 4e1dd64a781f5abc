import { SealedVaultError } from '../../lib/errors.ts';

/** What is known of a failed call. */
export interface KubeFailure {
  readonly verb: string;
  /** Plural of the kind, with its subresource: `pods`, `sealedvaults/status`. */
  readonly resource: string;
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** The API server's reason (`NotFound`, `Conflict`, …), or Node's code of a failed connection. */
  readonly reason: string;
  /** How long the API server asked to be left alone. */
  readonly retryAfterMs?: number | undefined;
}

/** A call to the API server that failed. Nothing of a request's or an answer's body is in it. */
export class KubeApiError extends SealedVaultError {
  override readonly code = 'ERR_KUBE_API';
  readonly verb: string;
  readonly resource: string;
  readonly status: number;
  readonly reason: string;
  readonly retryAfterMs: number | undefined;

  constructor(failure: KubeFailure, options?: { cause?: unknown; hint?: string }) {
    super(`the Kubernetes API did not do what was asked (${summary(failure)})`, options);
    this.verb = failure.verb;
    this.resource = failure.resource;
    this.status = failure.status;
    this.reason = failure.reason;
    this.retryAfterMs = failure.retryAfterMs;
  }
}

/** An object of the wanted name exists and is controlled by somebody else. */
export class NameConflict extends KubeApiError {
  constructor(resource: string) {
    super(
      { verb: 'apply', resource, status: 409, reason: 'NameConflict' },
      { hint: 'an object of that name has another controller; rename or delete it' },
    );
  }
}

/** The lease was lost, or may have been: nothing more may be written by this process. */
export class LeaderLost extends SealedVaultError {
  override readonly code = 'ERR_LEADER_LOST';

  constructor(options?: { cause?: unknown }) {
    super('the lease of the leader is no longer held', options);
  }
}

/** @returns the fields of an error that are worth a log line. */
export function errorFields(error: unknown): object {
  if (!(error instanceof KubeApiError)) return { err: error };
  const { code, verb, resource, status, reason } = error;
  return { code, verb, resource, status, reason };
}

// Four short words of ours and the API server's own enumeration: safe wherever a message may end up.
function summary({ verb, resource, status, reason }: KubeFailure): string {
  return [verb, resource, ...(status === 0 ? [] : [String(status)]), ...(reason === '' ? [] : [reason])].join(
    ' ',
  );
}

/** @returns the HTTP status of a failed call, or undefined for another error. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof KubeApiError ? error.status : undefined;
}
