import type { Response } from '../../logical/response.ts';

/** Why an operation was refused, in the words clients know. Never holds key material. */
export class Refused {
  readonly status: number;
  readonly message: string;
  constructor(message: string, status = 400) {
    this.message = message;
    this.status = status;
  }
}

/** What Vault answers with 500 and a list of one, though it is the request that names what is not there. */
export function failed(message: string): Refused {
  return new Refused(`1 error occurred:\n\t* ${message}\n\n`, 500);
}

/** The answer to a client whose request was refused. */
export function refusal({ status, message }: Refused): Response {
  return { kind: 'refusal', status, errors: [message] };
}
