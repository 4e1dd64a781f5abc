import { badRequest, type Response } from '../../logical/response.ts';

/** Why an operation was refused, in the words clients know. Never holds key material, plaintext or a context. */
export class Refused {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

/** The answer to a client whose request was refused. */
export function refusal(refused: Refused): Response {
  return badRequest(refused.message);
}

export const softDeleted: Refused = new Refused(
  'the key has been soft deleted and cannot be used until it is restored',
);
export const tooOld: Refused = new Refused(
  'ciphertext or signature version is disallowed by policy (too old)',
);
export const noSuchVersion: Refused = new Refused('no such key version');
