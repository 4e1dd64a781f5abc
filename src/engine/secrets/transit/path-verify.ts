import { turns } from '../../../lib/turns.ts';
import type { JsonObject } from '../../../lib/json.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data } from '../../logical/response.ts';
import { decodeBase64 } from './base64.ts';
import { type BatchItem, readBatch } from './batch.ts';
import { optionalBytes } from './cipher.ts';
import { batchField, contextField, nameField } from './fields.ts';
import { DEFAULT_HASH, hashFunction } from './hash.ts';
import { verifyHmac } from './hmac.ts';
import { signs } from './key-type.ts';
import type { KeyPolicy } from './policy.ts';
import { Refused, refusal } from './refused.ts';
import { readSignatureOptions, signatureFields } from './sign-request.ts';
import { type SignatureOptions, verify } from './signature.ts';
import type { KeyStore } from './store.ts';

const verifyFields = {
  name: nameField,
  ...signatureFields,
  context: contextField,
  batch_input: batchField,
  signature: { type: 'string', description: 'The signature, including vault header/key version' },
  hmac: { type: 'string', description: 'The HMAC, including vault header/key version' },
} as const;

type Check = (item: BatchItem) => Promise<boolean | Refused> | boolean | Refused;

/** verify/: signatures or HMACs, one or a batch of the same kind. */
export function verifyPaths(store: KeyStore): Path[] {
  return ['verify/:name', 'verify/:name/:urlalgorithm'].map((pattern) =>
    path({
      pattern,
      synopsis: 'Verify a signature or HMAC for input data created using the named key',
      fields: verifyFields,
      operations: {
        update: {
          summary: 'Verify with a named key.',
          handler: async (_request, fields) => {
            const batch = fields.batch_input;
            const isBatch = batch !== undefined && batch !== null;
            const items = isBatch ? readBatch(batch) : [singleItem(fields)];
            if (items instanceof Refused) return refusal(items);
            const kind = kindOf(items, isBatch);
            if (kind instanceof Refused) return refusal(kind);
            const policy = await store.get(fields.name);
            const check = kind === 'hmac' ? hmacCheck(policy, fields) : signatureCheck(policy, fields);
            if (check instanceof Refused) return refusal(check);
            const results: (boolean | Refused)[] = [];
            const pause = turns();
            for (const item of items) {
              await pause();
              results.push(await check(item));
            }
            const first = results[0];
            if (isBatch)
              return data({
                batch_results: results.map((each, index) => render(each, items[index]?.reference ?? '')),
              });
            if (first === undefined) return badRequest('missing input');
            return first instanceof Refused ? refusal(first) : data({ valid: first });
          },
        },
      },
    }),
  );
}

function singleItem(fields: {
  readonly input: string;
  readonly context: string | undefined;
  readonly signature: string | undefined;
  readonly hmac: string | undefined;
}): BatchItem {
  return {
    input: fields.input,
    context: fields.context ?? '',
    ...(fields.signature === undefined ? {} : { signature: fields.signature }),
    ...(fields.hmac === undefined ? {} : { hmac: fields.hmac }),
    keyVersion: 0,
  };
}

function kindOf(items: readonly BatchItem[], isBatch: boolean): 'signature' | 'hmac' | Refused {
  const signatures = items.filter(({ signature }) => signature !== undefined).length;
  const hmacs = items.filter(({ hmac, signature }) => hmac !== undefined && signature === undefined).length;
  if (!isBatch && signatures > 0 && items[0]?.hmac !== undefined)
    return new Refused("provide one of 'signature' or 'hmac'");
  if (!isBatch && signatures + hmacs === 0)
    return new Refused("neither a 'signature' nor an 'hmac' were given to verify");
  if (signatures > 0 && hmacs > 0)
    return new Refused("elements of batch_input must all provide 'signature' or all provide 'hmac'");
  if (signatures + hmacs === 0) return new Refused("no batch_input elements have 'signature' or 'hmac'");
  const kind = signatures > 0 ? 'signature' : 'hmac';
  return signatures + hmacs < items.length
    ? new Refused(`some elements of batch_input are missing '${kind}'`)
    : kind;
}

function signatureCheck(
  policy: KeyPolicy | undefined,
  fields: Parameters<typeof readSignatureOptions>[0],
): Check | Refused {
  const options = readSignatureOptions(fields);
  if (options instanceof Refused) return options;
  if (policy === undefined) return new Refused('signature verification key not found');
  if (!signs(policy.type)) return new Refused(`key type ${policy.type} does not support verification`);
  return (item) => checkSignature(policy, item, options);
}

function checkSignature(
  policy: KeyPolicy,
  item: BatchItem,
  options: SignatureOptions,
): Promise<boolean | Refused> | Refused {
  if (item.input === undefined) return new Refused('missing input');
  const input = decodeBase64(item.input);
  if (input instanceof Refused) return new Refused(`unable to decode input as base64: ${input.message}`);
  const context = optionalBytes(item.context);
  if (context instanceof Refused) return new Refused('failed to base64-decode context');
  return verify(policy, input, item.signature ?? '', context, options);
}

function hmacCheck(
  policy: KeyPolicy | undefined,
  fields: { readonly urlalgorithm: string; readonly algorithm: string; readonly hash_algorithm: string },
): Check | Refused {
  if (policy === undefined) return new Refused('encryption key not found');
  const name = fields.urlalgorithm || fields.hash_algorithm || fields.algorithm || DEFAULT_HASH;
  const hash = hashFunction(name);
  if (hash === undefined) return new Refused(`unsupported algorithm ${JSON.stringify(name)}`);
  return (item) => {
    if (item.input === undefined) return new Refused('missing input');
    const input = decodeBase64(item.input);
    return input instanceof Refused
      ? new Refused(`unable to decode input as base64: ${input.message}`)
      : verifyHmac(policy, input, item.hmac ?? '', hash);
  };
}

function render(result: boolean | Refused, reference: string): JsonObject {
  return result instanceof Refused
    ? { error: result.message, reference, valid: false }
    : { reference, valid: result };
}
