import { turns } from '../../../lib/turns.ts';
import type { JsonObject } from '../../../lib/json.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data } from '../../logical/response.ts';
import { decodeBase64 } from './base64.ts';
import { type BatchItem, readBatch } from './batch.ts';
import { optionalBytes } from './cipher.ts';
import { batchField, contextField, keyVersionField, nameField } from './fields.ts';
import { signs } from './key-type.ts';
import type { KeyPolicy } from './policy.ts';
import { Refused, refusal } from './refused.ts';
import { readSignatureOptions, signatureFields } from './sign-request.ts';
import { type Signed, type SignatureOptions, sign } from './signature.ts';
import type { KeyStore } from './store.ts';

/** sign/: signatures of one input or a batch. */
export function signPaths(store: KeyStore): Path[] {
  return ['sign/:name', 'sign/:name/:urlalgorithm'].map((pattern) =>
    path({
      pattern,
      synopsis: 'Generate a signature for input data using the named key',
      fields: {
        name: nameField,
        ...signatureFields,
        context: contextField,
        key_version: keyVersionField,
        batch_input: batchField,
      },
      operations: {
        update: {
          summary: 'Sign with a named key.',
          handler: async (_request, fields) => {
            const options = readSignatureOptions(fields);
            if (options instanceof Refused) return refusal(options);
            const policy = await store.get(fields.name);
            if (policy === undefined) return badRequest('signing key not found');
            if (!signs(policy.type)) return badRequest(`key type ${policy.type} does not support signing`);
            const version = fields.key_version;
            const batch = fields.batch_input;
            if (batch === undefined || batch === null) {
              const item = { input: fields.input, context: fields.context ?? '', keyVersion: 0 };
              const signed = await signItem(policy, item, version, options, store);
              return signed instanceof Refused ? refusal(signed) : data(render(signed));
            }
            const items = readBatch(batch);
            if (items instanceof Refused) return refusal(items);
            const results: JsonObject[] = [];
            const pause = turns();
            for (const item of items) {
              await pause();
              const signed = await signItem(policy, item, version, options, store);
              const reference = item.reference ?? '';
              results.push(
                signed instanceof Refused
                  ? { error: signed.message, reference }
                  : { ...render(signed), reference },
              );
            }
            return data({ batch_results: results });
          },
        },
      },
    }),
  );
}

function signItem(
  policy: KeyPolicy,
  item: BatchItem,
  version: number,
  options: SignatureOptions,
  store: KeyStore,
): Promise<Signed | Refused> | Refused {
  if (item.input === undefined) return new Refused('missing input');
  const input = decodeBase64(item.input);
  if (input instanceof Refused) return new Refused(`unable to decode input as base64: ${input.message}`);
  const context = optionalBytes(item.context);
  if (context instanceof Refused) return new Refused('failed to base64-decode context');
  return sign(policy, input, version, context, options, store.random, store.openManagedKey);
}

function render(signed: Signed): JsonObject {
  return {
    signature: signed.signature,
    key_version: signed.keyVersion,
    ...(signed.publicKey === undefined ? {} : { public_key: signed.publicKey }),
  };
}
