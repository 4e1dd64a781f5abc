import { inTurns } from '../../../lib/turns.ts';
import type { JsonObject } from '../../../lib/json.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data } from '../../logical/response.ts';
import { type BatchItem, mixedContexts, readBatch } from './batch.ts';
import { decryptByAny, type Encrypted, encrypt, optionalBytes } from './cipher.ts';
import { batchField, contextField, keyVersionField, nameField, nonceField } from './fields.ts';
import type { KeyPolicy } from './policy.ts';
import { Refused, refusal } from './refused.ts';
import type { KeyStore } from './store.ts';

/** rewrap/: a ciphertext under another version of its key, without showing the plaintext. */
export function rewrapPaths(store: KeyStore): Path[] {
  return [
    path({
      pattern: 'rewrap/:name',
      synopsis: 'Rewrap ciphertext',
      description:
        'After key rotation, this function can be used to rewrap the given ciphertext or a batch of given ciphertext blocks with the latest version of the named key.',
      fields: {
        name: nameField,
        ciphertext: { type: 'string', description: 'Ciphertext value to rewrap' },
        context: contextField,
        nonce: nonceField,
        key_version: keyVersionField,
        batch_input: batchField,
      },
      operations: {
        update: {
          summary: 'Rewrap with a named key.',
          handler: async (_request, fields) => {
            const batch = fields.batch_input;
            const isBatch = batch !== undefined && batch !== null;
            if (!isBatch && (fields.ciphertext ?? '') === '')
              return badRequest('missing ciphertext to decrypt');
            const items = isBatch
              ? readBatch(batch)
              : [
                  {
                    ciphertext: fields.ciphertext ?? '',
                    context: fields.context ?? '',
                    nonce: fields.nonce ?? '',
                    keyVersion: fields.key_version,
                  },
                ];
            if (items instanceof Refused) return refusal(items);
            const mixed = mixedContexts(items);
            if (mixed !== undefined) return refusal(mixed);
            const policy = await store.get(fields.name);
            if (policy === undefined) return badRequest('encryption key not found');
            const results = await inTurns(items, (item) => rewrap(policy, item, store));
            const first = results[0];
            if (isBatch)
              return data({
                batch_results: results.map((each, index) => render(each, items[index]?.reference ?? '')),
              });
            if (first === undefined) return badRequest('missing ciphertext to decrypt');
            return first instanceof Refused
              ? refusal(first)
              : data({ ciphertext: first.ciphertext, key_version: first.keyVersion });
          },
        },
      },
    }),
  ];
}

async function rewrap(policy: KeyPolicy, item: BatchItem, store: KeyStore): Promise<Encrypted | Refused> {
  if ((item.ciphertext ?? '') === '') return new Refused('missing ciphertext to decrypt');
  const context = optionalBytes(item.context);
  if (context instanceof Refused) return context;
  if ((item.nonce ?? '') !== '') return new Refused('provided nonce not allowed for this key');
  const plaintext = await decryptByAny(policy, item.ciphertext ?? '', { context }, store.openManagedKey);
  if (plaintext instanceof Refused) return plaintext;
  const encrypted = encrypt(policy, plaintext, item.keyVersion, { context }, store.random);
  plaintext.fill(0);
  return encrypted;
}

function render(result: Encrypted | Refused, reference: string): JsonObject {
  return result instanceof Refused
    ? { error: result.message, reference }
    : { ciphertext: result.ciphertext, key_version: result.keyVersion, reference };
}
