import { type Path, path } from '../../../logical/logical.ts';
import { badRequest, data, empty, keys as listed, notFound } from '../../../logical/response.ts';
import { DEFAULT_KEY, type NamedKey } from './keys.ts';
import type { Oidc } from './context.ts';
import { isAlgorithm } from './signing.ts';

const DAY = 86_400;

/** oidc/key: named keys that sign. */
export function keyPaths(oidc: Oidc): Path[] {
  const { keys, roles, clients } = oidc;
  const name = { type: 'string', description: 'Name of the key', required: true } as const;
  return [
    path({
      pattern: 'oidc/key',
      synopsis: 'List OIDC keys',
      fields: {},
      operations: {
        list: { summary: 'List the names of the keys.', handler: async () => listed(await keys.names()) },
      },
    }),
    path({
      pattern: 'oidc/key/:name',
      synopsis: 'CRUD operations for OIDC keys.',
      fields: {
        name,
        rotation_period: { type: 'duration', description: 'How often to generate a new keypair.' },
        verification_ttl: {
          type: 'duration',
          description:
            'Controls how long the public portion of a key will be available for verification after being rotated.',
        },
        algorithm: { type: 'string', description: 'Signing algorithm to use. This will default to RS256.' },
        allowed_client_ids: {
          type: 'commaList',
          description: 'Client ids of roles and clients allowed to use this key for signing; * for all.',
        },
      },
      exists: async (_request, values) => (await keys.get(values.name)) !== undefined,
      operations: {
        read: {
          summary: 'Read a key.',
          handler: async (_request, values) => {
            const key = await keys.get(values.name);
            return key === undefined
              ? notFound
              : data({
                  algorithm: key.algorithm,
                  allowed_client_ids: [...key.allowedClientIds],
                  rotation_period: key.rotationPeriod,
                  verification_ttl: key.verificationTtl,
                });
          },
        },
        update: {
          summary: 'Create or update a key.',
          handler: async (_request, values) => {
            const refused = await oidc.exclusive(() =>
              keys.change(values.name, async (before) => {
                const rotationPeriod = values.rotation_period ?? before?.rotationPeriod ?? DAY;
                const verificationTtl = values.verification_ttl ?? before?.verificationTtl ?? DAY;
                const algorithm = values.algorithm ?? before?.algorithm ?? 'RS256';
                if (rotationPeriod < 60) return 'rotation_period must be at least one minute';
                if (verificationTtl > 10 * rotationPeriod)
                  return 'verification_ttl cannot be longer than 10x rotation_period';
                for (const [, role] of await roles.entries())
                  if (role.key === values.name && role.ttl > verificationTtl)
                    return `unable to update key ${JSON.stringify(values.name)} because it is currently referenced by one or more roles with a token ttl greater than ${verificationTtl} seconds`;
                for (const [, client] of await clients.entries())
                  if (client.key === values.name && client.idTokenTtl > verificationTtl)
                    return `unable to update key ${JSON.stringify(values.name)} because it is currently referenced by one or more clients with an id_token_ttl greater than ${verificationTtl} seconds`;
                if (!isAlgorithm(algorithm)) return `unknown signing algorithm ${JSON.stringify(algorithm)}`;
                const nextRotation = keys.now() + rotationPeriod;
                return {
                  rotationPeriod,
                  verificationTtl,
                  algorithm,
                  allowedClientIds: values.allowed_client_ids ?? before?.allowedClientIds ?? [],
                  nextRotation: Math.min(before?.nextRotation ?? nextRotation, nextRotation),
                  ...pairsAfter(before, algorithm, keys.now() + verificationTtl),
                };
              }),
            );
            return refused === undefined ? empty : badRequest(refused);
          },
        },
        delete: {
          summary: 'Delete a key.',
          handler: (_request, values) =>
            oidc.exclusive(async () => {
              if (values.name === DEFAULT_KEY)
                return badRequest(`deletion of key ${JSON.stringify(DEFAULT_KEY)} not allowed`);
              for (const [kind, entries] of [
                ['roles', await roles.entries()],
                ['clients', await clients.entries()],
              ] as const) {
                const users = entries.filter(([, { key }]) => key === values.name).map(([user]) => user);
                if (users.length > 0) {
                  return badRequest(
                    `unable to delete key ${JSON.stringify(values.name)} because it is currently referenced by these ${kind}: ${users.join(', ')}`,
                  );
                }
              }
              await keys.delete(values.name);
              return empty;
            }),
        },
      },
    }),
    path({
      pattern: 'oidc/key/:name/rotate',
      record: 'oidc/key/:name',
      synopsis: 'Rotate a named OIDC key.',
      fields: {
        name,
        verification_ttl: {
          type: 'duration',
          description:
            'How long the key that signed until now is good for verification, instead of its own setting.',
        },
      },
      operations: {
        update: {
          summary: 'Rotate a key.',
          handler: async (_request, values) => {
            const rotated = await keys.rotate(values.name, values.verification_ttl);
            return rotated ? empty : badRequest(`no named key found at ${JSON.stringify(values.name)}`);
          },
        },
      },
    }),
  ];
}

// Another algorithm needs other pairs; the public keys of the old ones are good for a while.
function pairsAfter(
  before: NamedKey | undefined,
  algorithm: string,
  expires: number,
): Pick<NamedKey, 'pairs' | 'retired'> {
  if (before === undefined) return { pairs: null, retired: [] };
  const { pairs, retired } = before;
  if (before.algorithm === algorithm || pairs === null) return { pairs, retired };
  return {
    pairs: null,
    retired: [...retired, { key: pairs.signing.publicKey, expires }],
  };
}
