import type { JsonObject } from '../../../lib/json.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, empty, keys, notFound } from '../../logical/response.ts';
import { type DatabaseContext, nameField } from './context.ts';
import { credentialFields, readCredential } from './credential.ts';
import type { Role } from './store.ts';

const fields = {
  name: nameField,
  db_name: { type: 'string', description: 'Name of the connection this role acts on.' },
  default_ttl: { type: 'duration', description: 'Default TTL of credentials.' },
  max_ttl: { type: 'duration', description: 'Maximum time that credentials are valid for.' },
  creation_statements: {
    type: 'stringList',
    description: 'The database statements that make and configure a user.',
  },
  revocation_statements: { type: 'stringList', description: 'The database statements that revoke a user.' },
  renew_statements: { type: 'stringList', description: 'The database statements that renew a user.' },
  rollback_statements: {
    type: 'stringList',
    description: 'The database statements that take back a creation which failed.',
  },
  ...credentialFields,
} as const;

/** roles and roles/:name: how dynamic credentials are made. */
export function rolePaths({ store }: DatabaseContext): Path[] {
  return [
    path({
      pattern: 'roles',
      synopsis: 'Manage the roles that can be created with this backend.',
      fields: {},
      operations: {
        list: { summary: 'List the roles.', handler: async () => keys(await store.names('role')) },
      },
    }),
    path({
      pattern: 'roles/:name',
      synopsis: 'Manage the roles that can be created with this backend.',
      fields,
      exists: async (_request, values) => (await store.role(values.name)) !== undefined,
      operations: {
        read: {
          summary: 'Read a role.',
          handler: async (_request, values) => {
            const role = await store.role(values.name);
            return role === undefined ? notFound : data(render(role));
          },
        },
        update: {
          summary: 'Create or update a role.',
          handler: async (_request, values) => {
            if ((await store.staticRole(values.name)) !== undefined)
              return badRequest('Role and Static Role names must be unique');
            const before = await store.role(values.name);
            const dbName = values.db_name ?? before?.dbName ?? '';
            if (dbName === '') return badRequest('database name is required');
            const credential = readCredential(values, before);
            if (typeof credential === 'string') return badRequest(credential);
            await store.putRole(values.name, {
              dbName,
              creation: values.creation_statements ?? before?.creation ?? [],
              revocation: values.revocation_statements ?? before?.revocation ?? [],
              rollback: values.rollback_statements ?? before?.rollback ?? [],
              renew: values.renew_statements ?? before?.renew ?? [],
              defaultTtl: values.default_ttl ?? before?.defaultTtl ?? 0,
              maxTtl: values.max_ttl ?? before?.maxTtl ?? 0,
              ...credential,
            });
            return empty;
          },
        },
        delete: {
          summary: 'Delete a role.',
          handler: async (_request, values) => {
            await store.deleteRole(values.name);
            return empty;
          },
        },
      },
    }),
  ];
}

function render(role: Role): JsonObject {
  return {
    creation_statements: [...role.creation],
    ...(Object.keys(role.credentialConfig).length === 0
      ? {}
      : { credential_config: { ...role.credentialConfig } }),
    credential_type: role.credentialType,
    db_name: role.dbName,
    default_ttl: role.defaultTtl,
    max_ttl: role.maxTtl,
    renew_statements: [...role.renew],
    revocation_statements: [...role.revocation],
    rollback_statements: [...role.rollback],
  };
}
