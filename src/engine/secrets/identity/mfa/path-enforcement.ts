import type { JsonObject } from '../../../../lib/json.ts';
import type { Enforcement } from '../../../identity/mfa/model.ts';
import type { IdentityStore } from '../../../identity/store.ts';
import { type Path, path } from '../../../logical/logical.ts';
import { badRequest, data, empty, keys, notFound } from '../../../logical/response.ts';

/** Which auth mounts there are. */
export interface AuthMounts {
  readonly hasAccessor: (accessor: string) => boolean;
  readonly hasType: (type: string) => boolean;
}

/** mfa/login-enforcement: whose logins need a second factor. */
export function mfaEnforcementPaths({ mfa, records }: IdentityStore, auth: AuthMounts): Path[] {
  return [
    path({
      pattern: 'mfa/login-enforcement',
      synopsis: 'Lists all the MFA login enforcement configurations by name.',
      fields: {},
      operations: {
        list: {
          summary: 'List the enforcements.',
          handler: async () => {
            const info: JsonObject = {};
            for (const each of await mfa.enforcements()) info[each.name] = render(each);
            return keys(Object.keys(info), { key_info: info });
          },
        },
      },
    }),
    path({
      pattern: 'mfa/login-enforcement/:name',
      synopsis: 'Configures or updates an MFA login enforcement.',
      fields: {
        name: {
          type: 'string',
          description: 'Name for this login enforcement configuration',
          required: true,
        },
        mfa_method_ids: {
          type: 'stringList',
          description: 'Array of Method IDs that determine what methods will be enforced',
        },
        auth_method_accessors: {
          type: 'stringList',
          description: 'Array of auth mount accessor IDs; only their logins need a second factor',
        },
        auth_method_types: {
          type: 'stringList',
          description: 'Array of auth mount types; only their logins need a second factor',
        },
        identity_group_ids: {
          type: 'stringList',
          description: 'Array of identity group IDs whose members need a second factor',
        },
        identity_entity_ids: {
          type: 'stringList',
          description: 'Array of identity entity IDs that need a second factor',
        },
      },
      operations: {
        read: {
          summary: 'Read an enforcement.',
          handler: async (_request, { name }) => {
            const found = await mfa.enforcement(name);
            return found === undefined ? notFound : data(render(found));
          },
        },
        update: {
          summary: 'Create or update an enforcement.',
          handler: async (_request, values) => {
            const { mfa_method_ids: methodIds } = values;
            const given = {
              accessors: values.auth_method_accessors,
              types: values.auth_method_types,
              groupIds: values.identity_group_ids,
              entityIds: values.identity_entity_ids,
            };
            if (methodIds === undefined) return badRequest('missing method ids');
            if (given.accessors?.every(auth.hasAccessor) === false)
              return badRequest('one of the auth method accessors provided is invalid');
            if (given.types?.every(auth.hasType) === false)
              return badRequest('one of the auth method types provided is invalid');
            for (const id of given.groupIds ?? [])
              if ((await records.group(id)) === undefined)
                return badRequest("one of the provided group ids doesn't exist");
            for (const id of given.entityIds ?? [])
              if ((await records.entity(id)) === undefined)
                return badRequest("one of the provided entity ids doesn't exist");
            if (Object.values(given).every((list) => list === undefined)) {
              return badRequest(
                'One of auth_method_accessors, auth_method_types, identity_group_ids, identity_entity_ids must be specified',
              );
            }
            const before = await mfa.enforcement(values.name);
            const refused = await mfa.saveEnforcement({
              id: before?.id ?? records.uuid(),
              name: values.name,
              methodIds,
              accessors: given.accessors ?? before?.accessors ?? [],
              types: given.types ?? before?.types ?? [],
              groupIds: given.groupIds ?? before?.groupIds ?? [],
              entityIds: given.entityIds ?? before?.entityIds ?? [],
            });
            return refused === undefined ? empty : badRequest(refused.refused);
          },
        },
        delete: {
          summary: 'Delete an enforcement.',
          handler: async (_request, { name }) => {
            await mfa.deleteEnforcement(name);
            return empty;
          },
        },
      },
    }),
  ];
}

function render(enforcement: Enforcement): JsonObject {
  return {
    auth_method_accessors: [...enforcement.accessors],
    auth_method_types: [...enforcement.types],
    id: enforcement.id,
    identity_entity_ids: [...enforcement.entityIds],
    identity_group_ids: [...enforcement.groupIds],
    mfa_method_ids: [...enforcement.methodIds],
    name: enforcement.name,
    namespace_id: 'root',
    namespace_path: '',
  };
}
