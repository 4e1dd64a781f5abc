import { createPublicKey, diffieHellman, hkdfSync, type KeyObject } from 'node:crypto';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, empty } from '../../logical/response.ts';
import { nameField } from './fields.ts';
import { isKeyType, type KeyTraits, traitsOf } from './key-type.ts';
import { ownSecretKey } from './key-version.ts';
import { type KeyPolicy, newPolicy, withMaterial } from './policy.ts';
import { noSuchVersion, Refused, refusal, softDeleted } from './refused.ts';
import type { KeyStore } from './store.ts';

/** derive-key/: a new AEAD key, agreed on with the holder of another ECDSA key (ECDH, then HKDF-SHA256). */
export function deriveKeyPaths(store: KeyStore): Path[] {
  return [
    path({
      pattern: 'derive-key/:name',
      synopsis: 'Derives a new key from a base key',
      fields: {
        name: nameField,
        key_derivation_algorithm: {
          type: 'string',
          fold: true,
          description: 'The key derivation algorithm to use. Only "ecdh" is served.',
          default: 'ecdh',
        },
        base_key_name: { type: 'string', description: 'Name of the private key to agree with.', default: '' },
        base_key_version: { type: 'int', description: 'Its version; 0 for the latest.', default: 0 },
        peer_public_key: { type: 'string', description: "The peer's public key, in PEM.", default: '' },
        derived_key_type: {
          type: 'string',
          fold: true,
          description:
            'The type of the derived key: aes128-gcm96, aes256-gcm96, chacha20-poly1305 or xchacha20-poly1305.',
          default: 'aes256-gcm96',
        },
      },
      operations: {
        update: {
          summary: 'Derive a key.',
          handler: async (_request, fields) => {
            const type = fields.derived_key_type;
            if (fields.key_derivation_algorithm !== 'ecdh')
              return badRequest(`unknown key derivation algorithm ${fields.key_derivation_algorithm}`);
            const traits = isKeyType(type) ? traitsOf(type) : undefined;
            if (!isKeyType(type) || traits?.family !== 'aead')
              return badRequest(`unknown key type ${fields.derived_key_type}`);
            const base = await store.get(fields.base_key_name);
            if (base === undefined) return badRequest('specified base key not found');
            const secret = agree(base, fields.base_key_version, fields.peer_public_key, traits);
            if (secret instanceof Refused) return refusal(secret);
            const saved = await store.change(fields.name, (current) =>
              current === undefined
                ? withMaterial(
                    newPolicy({ name: fields.name, type, imported: true }),
                    { secret },
                    store.random,
                    store.now(),
                  )
                : new Refused(`key ${JSON.stringify(fields.name)} already exists`),
            );
            return saved instanceof Refused ? refusal(saved) : empty;
          },
        },
      },
    }),
  ];
}

function agree(
  base: KeyPolicy,
  asked: number,
  peerPem: string,
  derived: Extract<KeyTraits, { family: 'aead' }>,
): KeyObject | Refused {
  const traits = traitsOf(base.type);
  if (base.softDeleted) return softDeleted;
  if (traits.family !== 'ecdsa')
    return new Refused(`base key type ${base.type} does not support key agreement`);
  if (asked < 0) return new Refused('requested version of the base key is negative');
  if (asked > base.latestVersion)
    return new Refused('requested version of the base key is higher than the latest key version');
  const privateKey = base.versions.get(asked === 0 ? base.latestVersion : asked)?.privateKey;
  if (privateKey === undefined) return noSuchVersion;
  if (!peerPem.includes('-----BEGIN PUBLIC KEY-----'))
    return new Refused('failed to parse supplied peer public key PEM');
  let publicKey: KeyObject;
  try {
    publicKey = createPublicKey(peerPem);
  } catch {
    return new Refused('failed to parse supplied peer public key PEM');
  }
  if (publicKey.asymmetricKeyType !== 'ec')
    return new Refused('supplied peer public key is not an ECDSA key');
  if (publicKey.asymmetricKeyDetails?.namedCurve !== traits.group)
    return new Refused(`base private key type ${base.type} does not match peer public key curve`);
  const shared = diffieHellman({ privateKey, publicKey });
  const none = new Uint8Array(0);
  const bytes = new Uint8Array(hkdfSync('sha256', shared, none, none, derived.bytes));
  shared.fill(0);
  return ownSecretKey(bytes);
}
