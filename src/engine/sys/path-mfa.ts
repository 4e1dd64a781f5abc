import { type Path, path } from '../logical/logical.ts';
import { badRequest } from '../logical/response.ts';
import type { SysPort } from './port.ts';

/** mfa/validate: the second request of a login that needs a second factor. */
export function mfaPaths({ secondFactors }: SysPort): Path[] {
  return [
    path({
      pattern: 'mfa/validate',
      synopsis: 'Validates the login for the given MFA methods.',
      access: 'unauthenticated',
      fields: {
        mfa_request_id: { type: 'string', description: 'ID of the login that waits.', default: '' },
        mfa_payload: {
          type: 'object',
          description: 'A map of MFA method IDs to lists with their passcode.',
        },
      },
      operations: {
        update: {
          summary: 'Validates the login for the given MFA methods.',
          handler: (_request, values) => {
            if (values.mfa_request_id === '') return badRequest('missing request ID');
            if (values.mfa_payload === undefined) return badRequest('missing MFA payload');
            return secondFactors.validate(values.mfa_request_id, values.mfa_payload);
          },
        },
      },
    }),
  ];
}
