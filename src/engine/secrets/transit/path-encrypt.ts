import { inTurns } from '../../../lib/turns.ts';
import type { JsonObject } from '../../../lib/json.ts';
import { type Path, path } from '../../logical/logical.ts';
import type { LogicalRequest } from '../../logical/request.ts';
import { badRequest, data, type Response } from '../../logical/response.ts';
import { decodeBase64 } from './base64.ts';
import { type BatchItem, batchResponse, mixedContexts, readBatch } from './batch.ts';
import { type Encrypted, encrypt, optionalBytes } from './cipher.ts';
import {
  associatedDataField,
  batchField,
  contextField,
  keyVersionField,
  nameField,
  nonceField,
  partialFailureField,
} from './fields.ts';
import { isKeyType, traitsOf } from './key-type.ts';
import { type KeyPolicy, newPolicy, rotated } from './policy.ts';
import { Refused, refusal } from './refused.ts';
import type { KeyStore } from './store.ts';

/** encrypt/: plaintext to ciphertext, one or a batch; a key that does not exist is made. */
export function encryptPaths(store: KeyStore): Path[] {
  return [
    path({
      pattern: 'encrypt/:name',
      synopsis: 'Encrypt a plaintext value or a batch of plaintext blocks using a named key',
      fields: {
        name: nameField,
        plaintext: { type: 'string', description: 'Base64 encoded plaintext value to be encrypted' },
        context: contextField,
        nonce: nonceField,
        type: {
          type: 'string',
          description: 'The type of the key that is made when there is none of the name.',
          default: 'aes256-gcm96',
        },
        convergent_encryption: {
          type: 'bool',
          description: 'Whether a key that is made here encrypts convergently.',
          default: false,
        },
        key_version: keyVersionField,
        associated_data: associatedDataField,
        batch_input: batchField,
        partial_failure_response_code: partialFailureField,
      },
      exists: async (_request, fields) => (await store.get(fields.name)) !== undefined,
      operations: {
        update: {
          summary: 'Encrypt with a named key, which is made when it does not exist.',
          handler: async (request, fields) => {
            const batch = fields.batch_input;
            const isBatch = batch !== undefined && batch !== null;
            if (!isBatch && fields.plaintext === undefined) return badRequest('missing plaintext to encrypt');
            const items = isBatch
              ? readBatch(batch, { member: 'plaintext', purpose: 'encrypt' })
              : [itemOf(fields.plaintext, fields)];
            if (items instanceof Refused) return refusal(items);
            const mixed = mixedContexts(items);
            if (mixed !== undefined) return refusal(mixed);
            const { policy, warnings } = await findOrMake(store, request, fields, items);
            if (policy instanceof Refused) return refusal(policy);
            const results = await inTurns(items, (item, index) => encryptItem(policy, item, index, store));
            return isBatch
              ? batchResponse(results.map(render), fields.partial_failure_response_code, warnings)
              : single(results[0], warnings);
          },
        },
      },
    }),
  ];
}

interface Given {
  readonly context: string | undefined;
  readonly nonce: string | undefined;
  readonly associated_data: string | undefined;
  readonly key_version: number;
}

function itemOf(plaintext: string | undefined, given: Given): BatchItem {
  return {
    plaintext: plaintext ?? '',
    context: given.context ?? '',
    nonce: given.nonce ?? '',
    associated_data: given.associated_data ?? '',
    keyVersion: given.key_version,
  };
}

type Result = Encrypted | Refused;

function encryptItem(
  policy: KeyPolicy,
  item: BatchItem,
  index: number,
  store: KeyStore,
): [BatchItem, Result] {
  const plaintext = decodeBase64(item.plaintext ?? '');
  if (plaintext instanceof Refused) return [item, plaintext];
  const context = optionalBytes(item.context);
  if (context instanceof Refused) return [item, context];
  if (item.nonce !== undefined && item.nonce !== '')
    return [item, new Refused('provided nonce not allowed for this key')];
  const associatedData = optionalBytes(item.associated_data);
  if (associatedData instanceof Refused) return [item, associatedData];
  const refused = checkAssociatedData(policy, associatedData, index);
  if (refused !== undefined) return [item, refused];
  const encrypted = encrypt(policy, plaintext, item.keyVersion, { context, associatedData }, store.random);
  plaintext.fill(0);
  return [item, encrypted];
}

/** @returns a refusal when associated data was given for a key that cannot authenticate it */
export function checkAssociatedData(
  policy: KeyPolicy,
  associatedData: Uint8Array | undefined,
  index: number,
): Refused | undefined {
  return associatedData === undefined || traitsOf(policy.type).family === 'aead'
    ? undefined
    : new Refused(`'[${index}].associated_data' provided for non-AEAD cipher suite ${policy.type}`);
}

function render([item, result]: [BatchItem, Result]): JsonObject {
  const reference = item.reference ?? '';
  return result instanceof Refused
    ? { error: result.message, reference }
    : { ciphertext: result.ciphertext, key_version: result.keyVersion, reference };
}

function single(result: [BatchItem, Result] | undefined, warnings: readonly string[]): Response {
  if (result === undefined) return badRequest('missing plaintext to encrypt');
  const encrypted = result[1];
  return encrypted instanceof Refused
    ? refusal(encrypted)
    : data({ ciphertext: encrypted.ciphertext, key_version: encrypted.keyVersion }, warnings);
}

async function findOrMake(
  store: KeyStore,
  request: LogicalRequest,
  fields: { readonly name: string; readonly type: string; readonly convergent_encryption: boolean },
  items: readonly BatchItem[],
): Promise<{ readonly policy: KeyPolicy | Refused; readonly warnings: readonly string[] }> {
  const notFound = new Refused('encryption key not found');
  if (request.operation !== 'create')
    return { policy: (await store.get(fields.name)) ?? notFound, warnings: [] };
  const derived = (items[0]?.context ?? '') !== '';
  const refused = checkNewKey(fields.type, fields.convergent_encryption, derived);
  if (refused !== undefined) return { policy: refused, warnings: [] };
  const { type } = fields;
  if ((await store.config()).disableUpsert || !isKeyType(type)) return { policy: notFound, warnings: [] };
  let existed = false;
  const policy = await store.change(fields.name, (current) => {
    existed = current !== undefined;
    const fresh = newPolicy({
      name: fields.name,
      type,
      derived,
      convergent: fields.convergent_encryption,
    });
    return current ?? rotated(fresh, store.keyRandom, store.now());
  });
  const warning = 'Attempted creation of the key during the encrypt operation, but it was created beforehand';
  return { policy, warnings: existed ? [warning] : [] };
}

function checkNewKey(type: string, convergent: boolean, derived: boolean): Refused | undefined {
  if (convergent && !derived)
    return new Refused('convergent encryption requires derivation to be enabled, so context is required');
  if (!isKeyType(type)) return new Refused(`unknown key type ${type}`);
  return traitsOf(type).family === 'aead'
    ? undefined
    : new Refused(`key type ${type} not supported for this operation`);
}
