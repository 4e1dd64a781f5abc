import type { Response } from '../../logical/response.ts';

/** Why an operation was refused, in the words clients know. Never holds key material, plaintext or a context. */
export class Refused {
  readonly message: string;
  readonly status: number;
  constructor(message: string, status = 400) {
    this.message = message;
    this.status = status;
  }
}

/** The answer to a client whose request was refused. */
export function refusal(refused: Refused): Response {
  return { kind: 'refusal', status: refused.status, errors: [refused.message] };
}

export const softDeleted: Refused = new Refused(
  'the key has been soft deleted and cannot be used until it is restored',
);
export const tooOld: Refused = new Refused(
  'ciphertext or signature version is disallowed by policy (too old)',
);
export const noSuchVersion: Refused = new Refused('no such key version');
