import type { JsonObject } from '../../lib/json.ts';
import { type Path, path } from '../logical/logical.ts';
import { badRequest, data, keys, notFound, type Response } from '../logical/response.ts';
import type { SysPort } from './port.ts';
import { builtinVersion } from './render-mount.ts';

const TYPES = ['auth', 'database', 'secret'] as const;
const refused = badRequest('plugins cannot be registered: this server has built-in plugins only');

/** plugins/catalog and plugins/reload/backend. The catalogue is what is built in. */
export function pluginPaths(port: SysPort): Path[] {
  const names = (type: string): readonly string[] => (port.catalog[type] ?? []).toSorted();
  const version = builtinVersion(port.server.version);
  const read = (type: string, name: string): Response =>
    names(type).includes(name)
      ? data({
          args: null,
          builtin: true,
          command: '',
          deprecation_status: 'supported',
          name,
          sha256: '',
          version,
        })
      : notFound;
  const registration = {
    sha256: { type: 'string', description: 'The SHA256 sum of the executable.' },
    command: { type: 'string', description: 'The command used to start the plugin.' },
    args: { type: 'stringList', description: 'The arguments passed to the command.' },
    env: { type: 'stringList', description: 'The environment variables passed to the command.' },
    version: { type: 'string', description: 'The semantic version of the plugin.', query: true },
  } as const;
  const writes = {
    update: { summary: 'Register a new plugin: refused here.', handler: () => refused },
    delete: { summary: 'Remove a plugin: refused here.', handler: () => refused },
  };

  return [
    path({
      pattern: 'plugins/catalog',
      synopsis: 'Lists all the plugins known to Vault',
      fields: {},
      operations: {
        read: {
          summary: 'List the plugins in the catalog.',
          handler: () => {
            const listed: JsonObject = {};
            const detailed: JsonObject[] = [];
            for (const type of TYPES) {
              if (names(type).length > 0) listed[type] = [...names(type)];
              for (const name of names(type))
                detailed.push({ builtin: true, deprecation_status: 'supported', name, type, version });
            }
            return data({ ...listed, detailed });
          },
        },
      },
    }),
    path({
      pattern: 'plugins/catalog/:type',
      names: { type: 'any' },
      synopsis: 'Lists the plugins of a type, or reads one of any type.',
      access: 'sudo',
      fields: {
        type: { type: 'string', description: 'auth, database or secret.', required: true },
        ...registration,
      },
      operations: {
        list: {
          summary: 'List the plugins of a type in the catalog.',
          handler: (_request, { type }) =>
            TYPES.some((each) => each === type)
              ? keys(names(type))
              : badRequest(`unsupported plugin type ${JSON.stringify(type)}`),
        },
        read: {
          summary: 'Return the configuration data for the plugin with the given name.',
          handler: (_request, values) =>
            read(TYPES.find((each) => names(each).includes(values.type)) ?? '', values.type),
        },
        ...writes,
      },
    }),
    path({
      pattern: 'plugins/catalog/:type/:name',
      names: { type: 'any', name: 'any' },
      synopsis: 'Configures the plugins known to Vault',
      access: 'sudo',
      fields: {
        type: { type: 'string', description: 'auth, database or secret.', required: true },
        name: { type: 'string', description: 'The name of the plugin.', required: true },
        ...registration,
      },
      operations: {
        read: {
          summary: 'Return the configuration data for the plugin with the given name.',
          handler: (_request, values) => read(values.type, values.name),
        },
        ...writes,
      },
    }),
    path({
      pattern: 'plugins/reload/backend',
      synopsis: 'Reload mounts that use a particular backend plugin.',
      access: 'sudo',
      fields: {
        plugin: { type: 'string', description: 'The name of the plugin to reload.', default: '' },
        mounts: {
          type: 'commaList',
          description: 'The mount paths of the plugin backends to reload.',
          default: [],
        },
        scope: { type: 'string', description: 'Accepted; there is one node.', default: '' },
      },
      operations: {
        update: {
          summary: 'Reload mounted plugin backends.',
          handler: async (request, values) => {
            if (values.plugin === '' && values.mounts.length === 0)
              return badRequest('plugin or mounts must be provided');
            if (values.plugin !== '' && values.mounts.length > 0)
              return badRequest('plugin and mounts cannot be set at the same time');
            if (!['', 'global'].includes(values.scope))
              return badRequest("reload scope must be omitted or 'global'");
            const unknown = await port.mounts.reload(values.plugin, values.mounts);
            return unknown === undefined ? data({ reload_id: request.id }) : badRequest(unknown);
          },
        },
      },
    }),
  ];
}
