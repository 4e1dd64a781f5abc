import { type Path, path } from '../../logical/logical.ts';
import { badRequest, empty, keys, notFound, type Response } from '../../logical/response.ts';
import { optionalBytes } from './cipher.ts';
import { managedKeyFields, nameField } from './fields.ts';
import { derives, HMAC_MAX_BYTES, HMAC_MIN_BYTES, isKeyType, type KeyType, traitsOf } from './key-type.ts';
import { chosenKey, type ManagedKeyChoice, withManagedKey } from './managed.ts';
import { newPolicy, rotated } from './policy.ts';
import { Refused } from './refused.ts';
import { describeKey } from './render.ts';
import type { KeyStore } from './store.ts';

const HOUR = 3600;

/** @returns why a rotation period is refused */
export function checkRotatePeriod(seconds: number): string | undefined {
  return seconds === 0 || seconds >= HOUR
    ? undefined
    : 'auto rotate period must be 0 to disable or at least an hour';
}

/** keys/: make, read, delete and list named keys. */
export function keyPaths(store: KeyStore): Path[] {
  return [
    path({
      pattern: 'keys',
      synopsis: 'Managed named encryption keys',
      fields: {},
      operations: {
        list: { summary: 'List the names of the keys.', handler: async () => keys(await store.list()) },
      },
    }),
    path({
      pattern: 'keys/:name',
      synopsis: 'Managed named encryption keys',
      description:
        'This path is used to manage the named keys that are available. Doing a write with no value against a new named key will create it using a randomly generated key.',
      fields: {
        name: nameField,
        type: { type: 'string', description: 'The type of key to create.', default: 'aes256-gcm96' },
        derived: { type: 'bool', description: 'Enables key derivation mode.', default: false },
        convergent_encryption: {
          type: 'bool',
          description: 'Whether to support convergent encryption. Requires derivation.',
          default: false,
        },
        exportable: { type: 'bool', description: 'Enables keys to be exportable.', default: false },
        allow_plaintext_backup: {
          type: 'bool',
          description:
            'Enables taking a backup of the named key in plaintext format. Once set, this cannot be disabled.',
          default: false,
        },
        context: {
          type: 'string',
          description:
            'Base64 encoded context for key derivation. Reading a key with derivation returns the public key for the context.',
          query: true,
        },
        auto_rotate_period: {
          type: 'duration',
          description:
            'Amount of time the key should live before being automatically rotated. 0 disables rotation.',
          default: 0,
        },
        ...managedKeyFields,
        key_size: { type: 'int', description: 'The key size in bytes of HMAC keys.', default: 0 },
      },
      operations: {
        read: {
          summary: 'Read a key, without its private material.',
          handler: async (_request, fields) => {
            const policy = await store.get(fields.name);
            if (policy === undefined) return notFound;
            const context = optionalBytes(fields.context);
            return context instanceof Refused
              ? badRequest('failed to base64-decode context')
              : describeKey(policy, [], context);
          },
        },
        update: {
          summary: 'Make a key.',
          handler: async (_request, fields) => {
            const { name, type, derived, convergent_encryption: convergent } = fields;
            const period = checkRotatePeriod(fields.auto_rotate_period);
            if (period !== undefined) return badRequest(period);
            if (convergent && !derived)
              return badRequest('convergent encryption requires derivation to be enabled');
            if (type === 'managed_key') return makeManaged(store, fields);
            if (!isKeyType(type)) return badRequest(`unknown key type ${type}`);
            const wrong = checkShape(type, derived, convergent, fields.key_size);
            if (wrong !== undefined) return badRequest(wrong);
            let existed = false;
            const made = await store.change(name, (current) => {
              existed = current !== undefined;
              const fresh = newPolicy({
                name,
                type,
                derived,
                convergent,
                exportable: fields.exportable,
                allowPlaintextBackup: fields.allow_plaintext_backup,
                autoRotatePeriod: fields.auto_rotate_period,
                keySize: type === 'hmac' ? fields.key_size || HMAC_MIN_BYTES : 0,
              });
              return current ?? rotated(fresh, store.keyRandom, store.now());
            });
            return describeKey(made, existed ? [`key ${name} already existed`] : []);
          },
        },
        delete: {
          summary: 'Delete a key, if its configuration allows it.',
          handler: async (_request, { name }) => {
            const refused = await store.remove(name, (policy) => {
              if (policy === undefined) return new Refused('could not delete key; not found');
              return policy.deletionAllowed ? undefined : new Refused('deletion is not allowed for this key');
            });
            return refused === undefined
              ? empty
              : badRequest(`error deleting policy ${name}: ${refused.message}`);
          },
        },
      },
    }),
  ];
}

interface ManagedRequest extends ManagedKeyChoice {
  readonly name: string;
  readonly derived: boolean;
  readonly exportable: boolean;
  readonly allow_plaintext_backup: boolean;
  readonly auto_rotate_period: number;
  readonly key_size: number;
}

async function makeManaged(store: KeyStore, fields: ManagedRequest): Promise<Response> {
  const { name, derived, exportable, allow_plaintext_backup: backup, key_size: size } = fields;
  if (derived || exportable || backup || size !== 0 || fields.auto_rotate_period !== 0) {
    return badRequest(
      'derived, exportable, allow_plaintext_backup, key_size and auto_rotate_period are not valid for keys of type managed_key',
    );
  }
  let existed = false;
  const made = await store.change(name, async (current) => {
    existed = current !== undefined;
    if (current !== undefined) return current;
    const key = await chosenKey(store.openManagedKey, fields);
    if (key instanceof Refused) return key;
    return withManagedKey(newPolicy({ name, type: 'managed_key' }), key, store.random, store.now());
  });
  return describeKey(made, existed ? [`key ${name} already existed`] : []);
}

function checkShape(
  type: KeyType,
  derived: boolean,
  convergent: boolean,
  keySize: number,
): string | undefined {
  if (keySize !== 0 && type !== 'hmac') return `key_size is not valid for algorithm ${type}`;
  if (keySize !== 0 && (keySize < HMAC_MIN_BYTES || keySize > HMAC_MAX_BYTES))
    return `invalid key_size ${keySize}`;
  if (derived && !derives(type))
    return `key derivation and convergent encryption not supported for keys of type ${type}`;
  return convergent && traitsOf(type).family !== 'aead'
    ? `convergent encryption not supported for keys of type ${type}`
    : undefined;
}
