import { inTurns } from '../../../lib/turns.ts';
import type { JsonObject } from '../../../lib/json.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data } from '../../logical/response.ts';
import { decodeBase64 } from './base64.ts';
import { readBatch } from './batch.ts';
import { batchField, keyVersionField, nameField } from './fields.ts';
import { DEFAULT_HASH, type HashFunction, hashFunction } from './hash.ts';
import { makeHmac } from './hmac.ts';
import type { KeyPolicy } from './policy.ts';
import { Refused, refusal } from './refused.ts';
import type { KeyStore } from './store.ts';

/** hmac/: HMACs of one input or a batch, with the HMAC key that every key has. */
export function hmacPaths(store: KeyStore): Path[] {
  return ['hmac/:name', 'hmac/:name/:urlalgorithm'].map((pattern) =>
    path({
      pattern,
      synopsis: 'Generate an HMAC for input data using the named key',
      fields: {
        name: nameField,
        input: { type: 'string', description: 'The base64-encoded input data' },
        algorithm: {
          type: 'string',
          description: 'Algorithm to use (POST body parameter). Defaults to "sha2-256".',
          default: DEFAULT_HASH,
        },
        urlalgorithm: { type: 'string', description: 'Algorithm to use (POST URL parameter)', default: '' },
        key_version: keyVersionField,
        batch_input: batchField,
      },
      operations: {
        update: {
          summary: 'Make an HMAC with a named key.',
          handler: async (_request, fields) => {
            const policy = await store.get(fields.name);
            if (policy === undefined) return badRequest('encryption key not found');
            const name = fields.urlalgorithm || fields.algorithm;
            const hash = hashFunction(name);
            if (hash === undefined) return badRequest(`unsupported algorithm ${JSON.stringify(name)}`);
            const batch = fields.batch_input;
            if (batch === undefined || batch === null) {
              const made = makeOne(policy, fields.input, fields.key_version, hash);
              return made instanceof Refused ? refusal(made) : data({ hmac: made });
            }
            const items = readBatch(batch);
            if (items instanceof Refused) return refusal(items);
            return data({
              batch_results: await inTurns(items, ({ input, reference = '' }): JsonObject => {
                const made = makeOne(policy, input, fields.key_version, hash);
                return made instanceof Refused
                  ? { error: made.message, reference }
                  : { hmac: made, reference };
              }),
            });
          },
        },
      },
    }),
  );
}

function makeOne(
  policy: KeyPolicy,
  given: string | undefined,
  keyVersion: number,
  hash: HashFunction,
): string | Refused {
  if (given === undefined) return new Refused('missing input for HMAC');
  const input = decodeBase64(given);
  return input instanceof Refused
    ? new Refused(`unable to decode input as base64: ${input.message}`)
    : makeHmac(policy, input, keyVersion, hash);
}
