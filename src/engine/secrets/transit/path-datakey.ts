import { toBase64 } from '../../../lib/bytes.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data } from '../../logical/response.ts';
import { encrypt, optionalBytes } from './cipher.ts';
import { associatedDataField, contextField, keyVersionField, nameField, nonceField } from './fields.ts';
import { checkAssociatedData } from './path-encrypt.ts';
import { Refused, refusal } from './refused.ts';
import type { KeyStore } from './store.ts';

/** datakey/: a fresh random key, encrypted with a named one, with or without its plaintext. */
export function datakeyPaths(store: KeyStore): Path[] {
  return [
    path({
      pattern: 'datakey/:plaintext/:name',
      synopsis: 'Generate a data key',
      fields: {
        name: nameField,
        plaintext: {
          type: 'string',
          description:
            '"plaintext" will return the key in both plaintext and ciphertext; "wrapped" will return the ciphertext only.',
          required: true,
        },
        context: contextField,
        nonce: nonceField,
        associated_data: associatedDataField,
        bits: {
          type: 'int',
          description:
            'Number of bits for the key; currently 128, 256, and 512 bits are supported. Defaults to 256.',
          default: 256,
        },
        key_version: keyVersionField,
      },
      operations: {
        update: {
          summary: 'Generate a data key.',
          handler: async (_request, fields) => {
            if (fields.plaintext !== 'plaintext' && fields.plaintext !== 'wrapped')
              return badRequest("Invalid path, must be 'plaintext' or 'wrapped'");
            const context = optionalBytes(fields.context);
            if (context instanceof Refused) return badRequest('failed to base64-decode context');
            if ((fields.nonce ?? '') !== '') return badRequest('provided nonce not allowed for this key');
            const associatedData = optionalBytes(fields.associated_data);
            if (associatedData instanceof Refused) return refusal(associatedData);
            const policy = await store.get(fields.name);
            if (policy === undefined) return badRequest('encryption key not found');
            const refused = checkAssociatedData(policy, associatedData, 0);
            if (refused !== undefined) return refusal(refused);
            if (![128, 256, 512].includes(fields.bits)) return badRequest('invalid bit length');
            const key = store.random.bytes(fields.bits / 8);
            const encrypted = encrypt(
              policy,
              key,
              fields.key_version,
              { context, associatedData },
              store.random,
            );
            const plaintext = toBase64(key);
            key.fill(0);
            if (encrypted instanceof Refused) return refusal(encrypted);
            return data({
              ciphertext: encrypted.ciphertext,
              key_version: encrypted.keyVersion,
              ...(fields.plaintext === 'plaintext' ? { plaintext } : {}),
            });
          },
        },
      },
    }),
  ];
}
