import type { JsonObject } from '../../../lib/json.ts';
import type { FieldValues } from '../../logical/fields.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, empty, keys, notFound, type Response } from '../../logical/response.ts';
import { type DatabaseContext, nameField } from './context.ts';
import { detail, hasPassword, redacted } from './details.ts';
import { orFailure, withoutSecrets } from './errors.ts';
import type { DatabaseConfig } from './store.ts';

const fields = {
  name: nameField,
  plugin_name: { type: 'string', description: 'The name of a builtin database plugin.' },
  plugin_version: { type: 'string', description: 'The version of the plugin to use.' },
  verify_connection: {
    type: 'bool',
    description: 'Whether to connect to the database before the configuration is stored.',
    default: true,
  },
  allowed_roles: {
    type: 'commaList',
    description: 'Names or globs of the roles that may get credentials from this connection; * for all.',
  },
  root_rotation_statements: {
    type: 'stringList',
    description: 'The statements that rotate the credentials of the root user.',
  },
  password_policy: { type: 'string', description: 'The password policy of generated passwords.' },
} as const;

type ConfigFields = FieldValues<typeof fields>;

const URL_WARNING =
  'Password found in connection_url, use a templated url to enable root rotation and prevent read access to password information.';

/** config, config/:name, reset/:name and reload/:plugin_name. */
export function configPaths(context: DatabaseContext): Path[] {
  const { store, connections } = context;
  return [
    path({
      pattern: 'config',
      synopsis: 'Configure connection details to a database plugin.',
      fields: {},
      operations: {
        list: { summary: 'List the connections.', handler: async () => keys(await store.names('config')) },
      },
    }),
    path({
      pattern: 'config/:name',
      arbitrary: true,
      synopsis: 'Configure connection details to a database plugin.',
      fields,
      exists: async (_request, values) => (await store.config(values.name)) !== undefined,
      operations: {
        read: {
          summary: 'Read a connection, without its secrets.',
          handler: async (_request, values) => {
            const config = await store.config(values.name);
            return config === undefined ? notFound : data(render(config));
          },
        },
        update: {
          summary: 'Configure a connection.',
          handler: (request, values) =>
            connections.exclusive(values.name, () =>
              orFailure(() => write(context, values, detailsOf(request.body))),
            ),
        },
        delete: {
          summary: 'Delete a connection.',
          handler: (_request, values) =>
            connections.exclusive(values.name, async () => {
              await store.deleteConfig(values.name);
              connections.drop(values.name);
              return empty;
            }),
        },
      },
    }),
    path({
      pattern: 'reset/:name',
      record: 'config/:name',
      synopsis: 'Resets a database plugin.',
      fields: { name: nameField },
      operations: {
        update: {
          summary: 'Close a connection and open it anew.',
          handler: (_request, values) =>
            orFailure(async () => {
              connections.drop(values.name);
              await connections.use(values.name, () => Promise.resolve());
              return empty;
            }),
        },
      },
    }),
    path({
      pattern: 'reload/:plugin_name',
      synopsis: 'Reloads all connections using a plugin.',
      fields: { plugin_name: { type: 'string', description: 'Name of the plugin.', required: true } },
      operations: {
        update: {
          summary: 'Close all connections of a plugin; they are opened anew by their next use.',
          handler: async (_request, values) => {
            const reloaded: string[] = [];
            for (const name of await store.names('config')) {
              if ((await store.config(name))?.pluginName !== values.plugin_name) continue;
              connections.drop(name);
              reloaded.push(name);
            }
            return data(
              { connections: reloaded, count: reloaded.length },
              reloaded.length === 0 ? [`no connections were found with plugin ${values.plugin_name}`] : [],
            );
          },
        },
      },
    }),
  ];
}

async function write(
  { store, connections }: DatabaseContext,
  values: ConfigFields,
  given: JsonObject,
): Promise<Response> {
  const before = await store.config(values.name);
  // What a crash left of a rotation is settled before the password it is about may be replaced.
  if (before !== undefined && (await store.rootIntent(values.name)) !== undefined)
    await connections.useAlone(values.name, () => Promise.resolve()).catch(() => undefined);
  const current = before === undefined ? undefined : await store.config(values.name);
  const pluginName = values.plugin_name ?? current?.pluginName ?? '';
  if (pluginName === '') return badRequest('empty plugin name');
  const config: DatabaseConfig = {
    pluginName,
    pluginVersion: values.plugin_version ?? current?.pluginVersion ?? '',
    details: { ...current?.details, ...given },
    allowedRoles: values.allowed_roles ?? current?.allowedRoles ?? [],
    rootRotationStatements: values.root_rotation_statements ?? current?.rootRotationStatements ?? [],
    passwordPolicy: values.password_policy ?? current?.passwordPolicy ?? '',
  };
  const made = await connections.make(config);
  if ('refused' in made) return badRequest(`error creating database object: ${made.refused}`);
  if (values.verify_connection) {
    try {
      await withoutSecrets([detail(config.details, 'password')], () => made.plugin.verify());
    } catch (error) {
      await made.plugin.close().catch(() => undefined);
      const reason = error instanceof Error ? error.message : '';
      return badRequest(`error creating database object: error verifying connection: ${reason}`);
    }
  }
  await store.putConfig(values.name, config);
  connections.put(values.name, made);
  return hasPassword(detail(config.details, 'connection_url')) ? data(null, [URL_WARNING]) : empty;
}

// Everything that is no field of ours is the plugin's.
function detailsOf(body: JsonObject): JsonObject {
  const details: JsonObject = {};
  for (const [key, value] of Object.entries(body))
    if (!Object.hasOwn(fields, key.toLowerCase()) && key !== '__proto__') details[key] = value;
  return details;
}

function render(config: DatabaseConfig): JsonObject {
  return {
    allowed_roles: [...config.allowedRoles],
    connection_details: redacted(config.details),
    password_policy: config.passwordPolicy,
    plugin_name: config.pluginName,
    plugin_version: config.pluginVersion,
    root_credentials_rotate_statements: [...config.rootRotationStatements],
  };
}
