import { createPublicKey } from 'node:crypto';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, empty } from '../../logical/response.ts';
import { decodeBase64 } from './base64.ts';
import { nameField } from './fields.ts';
import { checkPair, readPrivate, readPublic } from './import.ts';
import { publicKeyPem } from './key-format.ts';
import { derives, isKeyType, type KeyType } from './key-type.ts';
import { buildVersion, type Material } from './key-version.ts';
import { checkRotatePeriod } from './path-keys.ts';
import { type KeyPolicy, newPolicy, withMaterial } from './policy.ts';
import { Refused, refusal, softDeleted } from './refused.ts';
import type { KeyStore } from './store.ts';
import type { WrappingKey } from './wrapping-key.ts';
import { oaepHash, unwrapKey } from './wrapping.ts';

const materialFields = {
  name: nameField,
  hash_function: {
    type: 'string',
    description:
      'The hash function of the RSA-OAEP step: "SHA1", "SHA224", "SHA256" (default), "SHA384", or "SHA512"',
    default: 'SHA256',
  },
  ciphertext: {
    type: 'string',
    description:
      'The base64-encoded ciphertext of the keys. The AES key should be encrypted using OAEP with the wrapping key and then concatenated with the import key, wrapped by the AES key.',
  },
  public_key: {
    type: 'string',
    description: 'The plaintext PEM public key to be imported, without a ciphertext.',
  },
} as const;

/** keys/:name/import, import_version and wrapping_key: keys that were made elsewhere. */
export function importPaths(store: KeyStore, wrapping: WrappingKey): Path[] {
  return [
    path({
      pattern: 'wrapping_key',
      synopsis: 'Returns the public key to use for wrapping imported keys',
      fields: {},
      operations: {
        read: {
          summary: 'Read the RSA-4096 key that wraps keys in transport.',
          handler: async () =>
            data({ public_key: publicKeyPem(createPublicKey(await wrapping.privateKey())) }),
        },
      },
    }),
    path({
      pattern: 'keys/:name/import',
      synopsis: 'Imports an externally-generated key into a new transit key',
      fields: {
        ...materialFields,
        type: {
          type: 'string',
          description: 'The type of key being imported.',
          default: 'aes256-gcm96',
          fold: true,
        },
        allow_rotation: {
          type: 'bool',
          description: 'True if the imported key may be rotated within the vault.',
          default: false,
        },
        derived: { type: 'bool', description: 'Enables key derivation mode.', default: false },
        exportable: { type: 'bool', description: 'Enables keys to be exportable.', default: false },
        allow_plaintext_backup: {
          type: 'bool',
          description: 'Enables taking a backup of the named key in plaintext format.',
          default: false,
        },
        context: { type: 'string', description: 'Base64 encoded context for key derivation.' },
        auto_rotate_period: {
          type: 'duration',
          description: 'Amount of time the key should live before being automatically rotated.',
          default: 0,
        },
      },
      operations: {
        update: {
          summary: 'Import a key.',
          handler: async (request, fields) => {
            const type = fields.type;
            if (Object.hasOwn(request.body, 'convergent_encryption'))
              return badRequest('import cannot be used on keys with convergent encryption enabled');
            if (fields.auto_rotate_period > 0 && !fields.allow_rotation)
              return badRequest('allow_rotation must be set to true if auto-rotation is enabled');
            const period = checkRotatePeriod(fields.auto_rotate_period);
            if (period !== undefined) return badRequest(period);
            if (!isKeyType(type)) return badRequest(`unknown key type: ${fields.type}`);
            if (fields.derived && !derives(type))
              return badRequest(`derivation not supported for key type ${type}`);
            const material = await readMaterial(type, fields, wrapping);
            if (material instanceof Refused) return refusal(material);
            if (fields.derived && 'publicKey' in material)
              return badRequest('unable to import only public key for derived Ed25519 key');
            const saved = await store.change(fields.name, (current) =>
              current === undefined
                ? withMaterial(
                    newPolicy({
                      name: fields.name,
                      type,
                      derived: fields.derived,
                      exportable: fields.exportable,
                      allowPlaintextBackup: fields.allow_plaintext_backup,
                      allowRotation: fields.allow_rotation,
                      autoRotatePeriod: fields.auto_rotate_period,
                      imported: true,
                      keySize: keySize(type, material),
                    }),
                    material,
                    store.random,
                    store.now(),
                  )
                : new Refused(
                    'the import path cannot be used with an existing key; use import-version to rotate an existing imported key',
                  ),
            );
            return saved instanceof Refused ? refusal(saved) : empty;
          },
        },
      },
    }),
    path({
      pattern: 'keys/:name/import_version',
      synopsis: 'Imports an externally-generated key into an existing imported key',
      fields: {
        ...materialFields,
        version: {
          type: 'int',
          description:
            "Key version to be updated, if left empty, a new version will be created unless a private key is specified and the 'Latest' key is missing a private key.",
        },
      },
      operations: {
        update: {
          summary: 'Import a version of a key.',
          handler: async (_request, fields) => {
            const existing = await store.get(fields.name);
            if (existing === undefined)
              return badRequest(
                `no key found with name ${fields.name}; to import a new key, use the import/ endpoint`,
              );
            const material = await readMaterial(existing.type, fields, wrapping);
            if (material instanceof Refused) return refusal(material);
            const saved = await store.change(fields.name, (policy) =>
              policy === undefined
                ? new Refused(`no key found with name ${fields.name}`)
                : importVersion(policy, material, fields.version, store),
            );
            return saved instanceof Refused ? refusal(saved) : empty;
          },
        },
      },
    }),
  ];
}

async function readMaterial(
  type: KeyType,
  fields: {
    readonly ciphertext: string | undefined;
    readonly public_key: string | undefined;
    readonly hash_function: string;
  },
  wrapping: WrappingKey,
): Promise<Material | Refused> {
  if (fields.ciphertext !== undefined && fields.public_key !== undefined)
    return new Refused('only one of the following fields, ciphertext and public_key, can be set');
  if (fields.public_key !== undefined) return readPublic(type, fields.public_key);
  if (fields.ciphertext === undefined)
    return new Refused('one of the following fields, ciphertext and public_key, must be set');
  const hash = oaepHash(fields.hash_function);
  if (hash instanceof Refused) return hash;
  const wrapped = decodeBase64(fields.ciphertext);
  if (wrapped instanceof Refused) return wrapped;
  const bytes = unwrapKey(await wrapping.privateKey(), wrapped, hash);
  return bytes instanceof Refused ? bytes : readPrivate(type, bytes);
}

function importVersion(
  policy: KeyPolicy,
  material: Material,
  asked: number | undefined,
  store: KeyStore,
): KeyPolicy | Refused {
  if (policy.softDeleted) return softDeleted;
  if (!policy.imported)
    return new Refused('the import_version endpoint can only be used with an imported key');
  const number = asked ?? policy.latestVersion;
  const version = policy.versions.get(number);
  if (version === undefined) return new Refused('no such key version');
  const unfit = checkPair(version, material);
  if (unfit === undefined) {
    const { created, hmac, chain } = version;
    const completed = { ...buildVersion(policy, material, store.random, created), hmac, chain };
    return { ...policy, versions: new Map(policy.versions).set(number, completed) };
  }
  return asked === undefined ? withMaterial(policy, material, store.random, store.now()) : unfit;
}

function keySize(type: KeyType, material: Material): number {
  return type === 'hmac' && 'secret' in material ? (material.secret.symmetricKeySize ?? 0) : 0;
}
