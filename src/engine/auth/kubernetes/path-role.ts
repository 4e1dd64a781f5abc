import { formatDuration } from '../../../lib/duration.ts';
import { KeyedMutex } from '../../../lib/keyed-mutex.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, empty, keys, notFound } from '../../logical/response.ts';
import {
  noTokenParameters,
  olderTokenFields,
  readTokenFields,
  renderTokenFields,
  tokenFields,
} from '../token-fields.ts';
import { parseSelector } from './label-selector.ts';
import {
  ALIAS_NAME_SOURCES,
  type AliasNameSource,
  type KubernetesRole,
  type KubernetesStore,
} from './store.ts';

const NO_AUDIENCE =
  'This role does not specify an audience. In a future version of Vault, specifying an audience will be required.';

const fields = {
  name: { type: 'string', description: 'Name of the role.', required: true },
  bound_service_account_names: {
    type: 'commaList',
    description: 'Names of service accounts that may log in; "*" is all.',
  },
  bound_service_account_namespaces: {
    type: 'commaList',
    description: 'Namespaces of service accounts that may log in; "*" is all.',
  },
  bound_service_account_namespace_selector: {
    type: 'string',
    description: 'Label selector of namespaces, as JSON or YAML; either this or the namespaces must fit.',
  },
  audience: { type: 'string', description: 'Audience that the token must have.' },
  alias_name_source: {
    type: 'string',
    description: 'What names the alias: serviceaccount_uid (the default) or serviceaccount_name.',
  },
  ...tokenFields,
  ...olderTokenFields,
} as const;

/** role/: which service accounts get which tokens. */
export function rolePaths(store: KubernetesStore): Path[] {
  const locks = new KeyedMutex();
  return [
    path({
      pattern: 'role',
      synopsis: 'Lists all the roles registered with the backend.',
      fields: {},
      operations: {
        list: { summary: 'List the roles.', handler: async () => keys(await store.roleNames()) },
      },
    }),
    path({
      pattern: 'role/:name',
      synopsis: 'Register an role with the backend.',
      fields,
      exists: async (_request, { name }) => (await store.role(name)) !== undefined,
      operations: {
        read: {
          summary: 'Read a role.',
          handler: async (_request, { name }) => {
            const role = await store.role(name);
            return role === undefined ? notFound : data(render(role));
          },
        },
        update: {
          summary: 'Create or change a role.',
          handler: (request, values) =>
            locks.run(values.name.toLowerCase(), async () => {
              const before = await store.role(values.name);
              const token = readTokenFields(before?.token ?? noTokenParameters, values);
              if (typeof token === 'string') return badRequest(token);
              const { max } = request.leaseTtl;
              if (token.period > max) {
                return badRequest(
                  `token period of '"${formatDuration(token.period)}"' is greater than the backend's maximum lease TTL of '"${formatDuration(max)}"'`,
                );
              }
              const source = values.alias_name_source || before?.aliasNameSource || 'serviceaccount_uid';
              const role: Omit<KubernetesRole, 'aliasNameSource'> & { aliasNameSource: string } = {
                names: values.bound_service_account_names ?? before?.names ?? [],
                namespaces: values.bound_service_account_namespaces ?? before?.namespaces ?? [],
                namespaceSelector:
                  values.bound_service_account_namespace_selector ?? before?.namespaceSelector ?? '',
                audience: values.audience ?? before?.audience ?? '',
                aliasNameSource: source,
                token,
              };
              const refused = check(role);
              if (refused !== undefined) return badRequest(refused);
              await store.putRole(values.name, { ...role, aliasNameSource: source as AliasNameSource });
              const warnings =
                token.maxTtl > max
                  ? [
                      "max_ttl is greater than the system or backend mount's maximum TTL value; issued tokens' max TTL value will be truncated",
                    ]
                  : [];
              if (role.audience.trim() === '') warnings.push(NO_AUDIENCE);
              return warnings.length === 0 ? empty : data(null, warnings);
            }),
        },
        delete: {
          summary: 'Delete a role.',
          handler: async (_request, { name }) => {
            await store.deleteRole(name);
            return empty;
          },
        },
      },
    }),
  ];
}

function check({
  names,
  namespaces,
  namespaceSelector,
  aliasNameSource,
}: Pick<KubernetesRole, 'names' | 'namespaces' | 'namespaceSelector'> & {
  readonly aliasNameSource: string;
}): string | undefined {
  if (names.length === 0) return '"bound_service_account_names" can not be empty';
  if (namespaces.length === 0 && namespaceSelector === '') {
    return '"bound_service_account_namespaces" can not be empty if "bound_service_account_namespace_selector" is not set';
  }
  if (namespaceSelector !== '' && parseSelector(namespaceSelector) === undefined)
    return 'invalid "bound_service_account_namespace_selector" configured';
  for (const list of [names, namespaces])
    if (list.length > 1 && list.includes('*')) return 'can not mix "*" with values';
  return ALIAS_NAME_SOURCES.some((each) => each === aliasNameSource)
    ? undefined
    : `invalid alias_name_source, must be one of: ${ALIAS_NAME_SOURCES.join(', ')}`;
}

function render(role: KubernetesRole): ReturnType<typeof renderTokenFields> {
  return {
    alias_name_source: role.aliasNameSource,
    ...(role.audience === '' ? {} : { audience: role.audience }),
    bound_service_account_names: [...role.names],
    bound_service_account_namespace_selector: role.namespaceSelector,
    bound_service_account_namespaces: [...role.namespaces],
    ...renderTokenFields(role.token),
  };
}
