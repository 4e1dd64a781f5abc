import { inTurns } from '../../../lib/turns.ts';
import { toBase64 } from '../../../lib/bytes.ts';
import type { JsonObject } from '../../../lib/json.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data } from '../../logical/response.ts';
import { type BatchItem, batchResponse, mixedContexts, readBatch } from './batch.ts';
import { decryptByAny, optionalBytes } from './cipher.ts';
import {
  associatedDataField,
  batchField,
  contextField,
  nameField,
  nonceField,
  partialFailureField,
} from './fields.ts';
import { checkAssociatedData } from './path-encrypt.ts';
import type { KeyPolicy } from './policy.ts';
import { Refused, refusal } from './refused.ts';
import type { KeyStore } from './store.ts';

/** decrypt/: ciphertext to plaintext, one or a batch. */
export function decryptPaths(store: KeyStore): Path[] {
  return [
    path({
      pattern: 'decrypt/:name',
      synopsis: 'Decrypt a ciphertext value using a named key',
      fields: {
        name: nameField,
        ciphertext: { type: 'string', description: 'The ciphertext to decrypt, as returned by encrypt.' },
        context: contextField,
        nonce: nonceField,
        associated_data: associatedDataField,
        batch_input: batchField,
        partial_failure_response_code: partialFailureField,
      },
      operations: {
        update: {
          summary: 'Decrypt with a named key.',
          handler: async (_request, fields) => {
            const batch = fields.batch_input;
            const isBatch = batch !== undefined && batch !== null;
            if (!isBatch && (fields.ciphertext ?? '') === '')
              return badRequest('missing ciphertext to decrypt');
            const items = isBatch
              ? readBatch(batch, { member: 'ciphertext', purpose: 'decrypt' })
              : [singleItem(fields)];
            if (items instanceof Refused) return refusal(items);
            const mixed = mixedContexts(items);
            if (mixed !== undefined) return refusal(mixed);
            const policy = await store.get(fields.name);
            if (policy === undefined) return badRequest('encryption key not found');
            const results = await inTurns(items, (item, index) => decryptItem(policy, item, index, store));
            const first = results[0];
            if (isBatch)
              return batchResponse(
                results.map((result, index) => render(result, items[index]?.reference ?? '')),
                fields.partial_failure_response_code,
              );
            if (first === undefined) return badRequest('missing ciphertext to decrypt');
            return first instanceof Refused ? refusal(first) : data({ plaintext: first });
          },
        },
      },
    }),
  ];
}

function singleItem(fields: {
  readonly ciphertext: string | undefined;
  readonly context: string | undefined;
  readonly associated_data: string | undefined;
}): BatchItem {
  return {
    ciphertext: fields.ciphertext ?? '',
    context: fields.context ?? '',
    associated_data: fields.associated_data ?? '',
    keyVersion: 0,
  };
}

async function decryptItem(
  policy: KeyPolicy,
  item: BatchItem,
  index: number,
  store: KeyStore,
): Promise<string | Refused> {
  if ((item.ciphertext ?? '') === '') return new Refused('missing ciphertext to decrypt');
  const context = optionalBytes(item.context);
  if (context instanceof Refused) return context;
  const associatedData = optionalBytes(item.associated_data);
  if (associatedData instanceof Refused) return associatedData;
  const refused = checkAssociatedData(policy, associatedData, index);
  if (refused !== undefined) return refused;
  const plaintext = await decryptByAny(
    policy,
    item.ciphertext ?? '',
    { context, associatedData },
    store.openManagedKey,
  );
  if (plaintext instanceof Refused) return plaintext;
  const encoded = toBase64(plaintext);
  plaintext.fill(0);
  return encoded;
}

function render(result: string | Refused, reference: string): JsonObject {
  return result instanceof Refused
    ? { error: result.message, plaintext: '', reference }
    : { plaintext: result, reference };
}
