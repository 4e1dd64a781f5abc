import { SealedVaultError } from '../../../lib/errors.ts';
import type { Response } from '../../logical/response.ts';

/** A database that refused or did not answer. The message is the server's, without any secret of ours. */
export class DatabaseFailed extends SealedVaultError {
  override readonly code = 'ERR_DATABASE';
}

/** Runs work on a database; what it throws names none of the secrets, and keeps nothing that might (such as statements). */
export async function withoutSecrets<T>(secrets: readonly string[], work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new DatabaseFailed(sanitized(error, secrets));
  }
}

function sanitized(error: unknown, secrets: readonly string[]): string {
  const name = error instanceof AggregateError ? error.errors.map(String).join('; ') : '';
  let message = error instanceof Error && error.message !== '' ? error.message : name || 'unknown error';
  for (const secret of secrets) if (secret !== '') message = message.replaceAll(secret, '[password]');
  return message;
}

/** A failure as the peer tells it. */
export function failure(message: string): Response {
  return { kind: 'refusal', status: 500, errors: [`1 error occurred:\n\t* ${message}\n\n`] };
}

/** Answers with the failure of a database; everything else is a defect and goes on. */
export async function orFailure(work: () => Promise<Response>): Promise<Response> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DatabaseFailed) return failure(error.message);
    throw error;
  }
}
