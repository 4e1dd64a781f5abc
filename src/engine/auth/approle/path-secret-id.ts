import { isBlock, isSubset } from '../../../lib/cidr.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { KeyedMutex } from '../../../lib/keyed-mutex.ts';
import type { JsonObject } from '../../../lib/json.ts';
import type { Random } from '../../../lib/random.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, empty, keys, type Response } from '../../logical/response.ts';
import { readMetadata } from './metadata.ts';
import { type AppRole, type AppRoleStore, digest, type SecretId } from './store.ts';

const TIDYING =
  "Tidy operation successfully started. Any information from the operation will be printed to Vault's server logs.";
const role_name = { type: 'string', description: 'Name of the role.', required: true } as const;
const secret_id = { type: 'string', description: 'SecretID attached to the role.', default: '' } as const;
const secret_id_accessor = { type: 'string', description: 'Accessor of the SecretID.', default: '' } as const;
const making = {
  role_name,
  metadata: {
    type: 'string',
    description: 'Metadata to be tied to the SecretID: JSON text of a map.',
    default: '',
  },
  cidr_list: { type: 'commaList', description: 'Blocks of addresses that may log in with it.' },
  token_bound_cidrs: {
    type: 'commaList',
    description: 'Blocks of addresses that its tokens may be used from.',
  },
  num_uses: { type: 'int', description: 'How often it may be used; the default is the role’s.' },
  ttl: { type: 'duration', description: 'How long it is good; the default is the role’s.' },
} as const;

const paging = {
  after: { type: 'string', description: 'Begin the list after this accessor.', query: true },
  limit: { type: 'int', description: 'How many to list; all by default.', query: true },
} as const;

interface Given {
  readonly role_name: string;
  readonly metadata: string;
  readonly cidr_list: readonly string[] | undefined;
  readonly token_bound_cidrs: readonly string[] | undefined;
  readonly num_uses: number | undefined;
  readonly ttl: number | undefined;
}

/** Secret IDs: made, chosen, looked up and destroyed, by themselves or by their accessors. */
export function secretIdPaths(store: AppRoleStore, clock: Clock, random: Random, locks: KeyedMutex): Path[] {
  // Beside logins, which count uses, and beside the end of the role.
  const alone = (name: string, work: () => Promise<Response>): Promise<Response> =>
    locks.run(name.toLowerCase(), work);
  const make = async (given: Given, text: string, maxTtl: number): Promise<Response> => {
    const role = await store.role(given.role_name);
    if (role === undefined) return noRole(given.role_name, 404);
    if (!role.bindSecretId) return badRequest('bind_secret_id is not set on the role');
    const cidrs = given.cidr_list ?? [];
    const tokenCidrs = given.token_bound_cidrs ?? [];
    const refused = checkBlocks(role, cidrs, tokenCidrs);
    if (refused !== undefined) return badRequest(refused);
    const metadata = readMetadata(given.metadata);
    if (metadata === undefined)
      return badRequest('failed to parse metadata: expected JSON or key=value pairs');
    const numUses = given.num_uses ?? role.secretIdNumUses;
    const ttl = given.ttl ?? role.secretIdTtl;
    if (numUses < 0) return badRequest('num_uses cannot be negative');
    if (role.secretIdNumUses > 0 && (numUses === 0 || numUses > role.secretIdNumUses))
      return badRequest("num_uses cannot be higher than the role's secret_id_num_uses");
    if (ttl < 0) return badRequest('ttl cannot be negative');
    if (role.secretIdTtl > 0 && (ttl === 0 || ttl > role.secretIdTtl))
      return badRequest("ttl cannot be longer than the role's secret_id_ttl");
    const granted = Math.min(ttl, maxTtl);
    if ((await store.secretId(role, text)) !== undefined) return badRequest('SecretID is already registered');
    const now = Math.floor(clock.now() / 1000);
    const secret: SecretId = {
      hash: digest(text),
      accessor: random.uuid(),
      numUses,
      ttl,
      created: now,
      updated: now,
      expires: granted === 0 ? 0 : now + granted,
      metadata,
      cidrs,
      tokenCidrs,
    };
    await store.putSecretId(role, secret);
    return data({
      secret_id: text,
      secret_id_accessor: secret.accessor,
      secret_id_num_uses: numUses,
      secret_id_ttl: granted,
    });
  };
  const find = async (
    name: string,
    by: { readonly text: string } | { readonly accessor: string },
  ): Promise<{ readonly role: AppRole; readonly secret: SecretId | undefined } | undefined> => {
    const role = await store.role(name);
    if (role === undefined) return undefined;
    const secret =
      'text' in by ? await store.secretId(role, by.text) : await store.secretIdByAccessor(role, by.accessor);
    const expired = secret !== undefined && secret.expires !== 0 && secret.expires <= clock.now() / 1000;
    return { role, secret: expired ? undefined : secret };
  };
  const badAccessor = (accessor: string): Response => ({
    kind: 'refusal',
    status: 404,
    errors: [`failed to find accessor entry for secret_id_accessor: ${JSON.stringify(accessor)}`],
  });

  const lookup = async (name: string, text: string): Promise<Response> => {
    if (text === '') return badRequest('missing secret_id');
    const found = await find(name, { text });
    if (found === undefined) return noRole(name, 500);
    return found.secret === undefined ? empty : data(render(found.secret));
  };
  const destroy = async (name: string, text: string): Promise<Response> => {
    if (text === '') return badRequest('missing secret_id');
    const found = await find(name, { text });
    if (found === undefined) return noRole(name, 500);
    if (found.secret !== undefined) await store.deleteSecretId(found.role, found.secret);
    return empty;
  };
  const destroyByAccessor = async (name: string, accessor: string): Promise<Response> => {
    if (accessor === '') return badRequest('missing secret_id_accessor');
    const found = await find(name, { accessor });
    if (found === undefined) return noRole(name, 500);
    if (found.secret === undefined) return badAccessor(accessor);
    await store.deleteSecretId(found.role, found.secret);
    return empty;
  };

  return [
    path({
      pattern: 'role/:role_name/secret-id',
      record: 'role/:role_name',
      synopsis: 'Generate a SecretID against this role.',
      fields: { ...making, ...paging },
      operations: {
        update: {
          summary: 'Make a secret ID.',
          handler: (request, values) =>
            alone(values.role_name, () => make(values, random.uuid(), request.leaseTtl.max)),
        },
        list: {
          summary: 'List the accessors of the secret IDs.',
          handler: async (_request, values) => {
            const role = await store.role(values.role_name);
            if (role === undefined) return noRole(values.role_name);
            const { after, limit } = values;
            return keys(
              await store.accessors(role, {
                ...(after === undefined ? {} : { after }),
                ...(limit === undefined || limit < 1 ? {} : { limit }),
              }),
            );
          },
        },
      },
    }),
    path({
      pattern: 'role/:role_name/custom-secret-id',
      record: 'role/:role_name',
      synopsis: 'Assign a SecretID of choice against the role.',
      fields: { ...making, secret_id },
      operations: {
        update: {
          summary: 'Set a chosen secret ID.',
          handler: (request, values) =>
            values.secret_id === ''
              ? badRequest('missing secret_id')
              : alone(values.role_name, () => make(values, values.secret_id, request.leaseTtl.max)),
        },
      },
    }),
    path({
      pattern: 'role/:role_name/secret-id/lookup',
      synopsis: 'Read the properties of an issued secret_id.',
      fields: { role_name, secret_id },
      operations: {
        update: {
          summary: 'Look up a secret ID.',
          handler: (_request, values) => lookup(values.role_name, values.secret_id),
        },
      },
    }),
    path({
      pattern: 'role/:role_name/secret-id/destroy',
      synopsis: 'Invalidate an issued secret_id.',
      fields: { role_name, secret_id },
      operations: {
        update: {
          summary: 'Destroy a secret ID.',
          handler: (_request, values) =>
            alone(values.role_name, () => destroy(values.role_name, values.secret_id)),
        },
        delete: {
          summary: 'Destroy a secret ID.',
          handler: (_request, values) =>
            alone(values.role_name, () => destroy(values.role_name, values.secret_id)),
        },
      },
    }),
    path({
      pattern: 'role/:role_name/secret-id-accessor/lookup',
      synopsis: 'Read an issued secret_id, using its accessor.',
      fields: { role_name, secret_id_accessor },
      operations: {
        update: {
          summary: 'Look up a secret ID by its accessor.',
          handler: async (_request, values) => {
            if (values.secret_id_accessor === '') return badRequest('missing secret_id_accessor');
            const found = await find(values.role_name, { accessor: values.secret_id_accessor });
            if (found === undefined) return noRole(values.role_name, 500);
            return found.secret === undefined
              ? badAccessor(values.secret_id_accessor)
              : data(render(found.secret));
          },
        },
      },
    }),
    path({
      pattern: 'role/:role_name/secret-id-accessor/destroy',
      synopsis: 'Delete an issued secret_id, using its accessor.',
      fields: { role_name, secret_id_accessor },
      operations: {
        update: {
          summary: 'Destroy by accessor.',
          handler: (_request, values) =>
            alone(values.role_name, () => destroyByAccessor(values.role_name, values.secret_id_accessor)),
        },
        delete: {
          summary: 'Destroy by accessor.',
          handler: (_request, values) =>
            alone(values.role_name, () => destroyByAccessor(values.role_name, values.secret_id_accessor)),
        },
      },
    }),
    path({
      pattern: 'tidy/secret-id',
      synopsis: 'Trigger the clean-up of expired SecretID entries.',
      fields: {},
      operations: {
        update: {
          summary: 'Remove expired secret IDs.',
          handler: async () => {
            await store.tidy(Math.floor(clock.now() / 1000), locks);
            return { kind: 'data', data: null, status: 202, warnings: [TIDYING] };
          },
        },
      },
    }),
  ];
}

function render(secret: SecretId): JsonObject {
  const time = (seconds: number): string =>
    seconds === 0 ? '0001-01-01T00:00:00Z' : new Date(seconds * 1000).toISOString();
  return {
    cidr_list: [...secret.cidrs],
    creation_time: time(secret.created),
    expiration_time: time(secret.expires),
    last_updated_time: time(secret.updated),
    metadata: { ...secret.metadata },
    secret_id_accessor: secret.accessor,
    secret_id_num_uses: secret.numUses,
    secret_id_ttl: secret.ttl,
    token_bound_cidrs: [...secret.tokenCidrs],
  };
}

function noRole(name: string, status = 400): Response {
  return { kind: 'refusal', status, errors: [`role ${JSON.stringify(name)} does not exist`] };
}

function checkBlocks(
  role: AppRole,
  cidrs: readonly string[],
  tokenCidrs: readonly string[],
): string | undefined {
  if (!cidrs.every(isBlock)) return 'failed to validate CIDR blocks';
  if (!tokenCidrs.every(isBlock)) return 'failed to validate token CIDR blocks';
  for (const [inner, outer] of [
    [cidrs, role.secretIdBoundCidrs],
    [tokenCidrs, role.token.boundCidrs],
  ] as const) {
    if (!isSubset(inner, outer)) {
      return `failed to verify subset relationship between CIDR blocks on the role ${JSON.stringify(outer)} and CIDR blocks on the secret ID ${JSON.stringify(inner)}`;
    }
  }
  return undefined;
}
