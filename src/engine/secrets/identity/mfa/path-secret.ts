import { barcode } from '../../../../lib/qr/barcode.ts';
import type { IdentityStore } from '../../../identity/store.ts';
import { type Path, path } from '../../../logical/logical.ts';
import { badRequest, data, empty, type Response } from '../../../logical/response.ts';

const methodId = {
  type: 'string',
  description: 'The unique identifier for this MFA method.',
  default: '',
} as const;
const entityId = { type: 'string', description: 'Entity ID on which the secret is.', default: '' } as const;

/** mfa/method/totp/…: secrets of entities, made by themselves or for them. */
export function mfaSecretPaths(store: IdentityStore): Path[] {
  return [
    path({
      pattern: 'mfa/method/totp/generate',
      synopsis: "Update or create TOTP secret for the given method ID on the caller's entity.",
      fields: { method_id: methodId },
      operations: {
        update: {
          summary: 'Generate a secret for the caller.',
          handler: (request, values) => generate(store, values.method_id, request.token?.entityId ?? ''),
        },
      },
    }),
    path({
      pattern: 'mfa/method/totp/admin-generate',
      synopsis: 'Update or create TOTP secret for the given method ID on the given entity.',
      fields: { method_id: methodId, entity_id: entityId },
      operations: {
        update: {
          summary: 'Generate a secret for an entity.',
          handler: (_request, values) => generate(store, values.method_id, values.entity_id),
        },
      },
    }),
    path({
      pattern: 'mfa/method/totp/admin-destroy',
      synopsis: 'Deletes the TOTP secret for the given method ID on the given entity.',
      fields: { method_id: methodId, entity_id: entityId },
      operations: {
        update: {
          summary: 'Forget the secret of an entity.',
          handler: async (_request, values) => {
            if (values.method_id === '') return badRequest('missing method ID');
            if (values.entity_id === '') return badRequest('missing entity ID');
            const entity = await store.entity(values.entity_id);
            if (entity === undefined) return badRequest('invalid entity ID');
            if ((await store.mfa.method(values.method_id)) === undefined) return unknown(values.method_id);
            await store.mfa.destroy(values.method_id, entity.id);
            return empty;
          },
        },
      },
    }),
  ];
}

async function generate(store: IdentityStore, id: string, entity: string): Promise<Response> {
  if (id === '') return badRequest('missing method ID');
  if (entity === '') return badRequest('missing entityID');
  const method = await store.mfa.method(id);
  if (method === undefined) return unknown(id);
  const found = await store.entity(entity);
  if (found === undefined) return badRequest('invalid entity ID');
  const url = await store.mfa.generate(method, found.id);
  return url === undefined
    ? data(null, [`Entity already has a secret for MFA method ${JSON.stringify(method.name)}`])
    : data({ barcode: barcode(url, method.qrSize) ?? '', url });
}

function unknown(id: string): Response {
  return badRequest(`configuration for method ID ${JSON.stringify(id)} does not exist`);
}
