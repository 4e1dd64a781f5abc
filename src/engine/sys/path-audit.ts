import type { JsonObject } from '../../lib/json.ts';
import { type Path, path } from '../logical/logical.ts';
import { badRequest, empty } from '../logical/response.ts';
import type { SysPort } from './port.ts';

/** audit and audit-hash: devices that every request and answer is written to. */
export function auditPaths(port: SysPort): Path[] {
  const slash = (name: string): string => (name.endsWith('/') ? name : `${name}/`);
  return [
    path({
      pattern: 'audit',
      synopsis: 'List the currently enabled audit backends.',
      access: 'sudo',
      fields: {},
      operations: {
        read: {
          summary: 'List the enabled audit devices.',
          handler: () => {
            const data: JsonObject = {};
            for (const device of port.audit.list()) {
              data[device.path] = {
                description: device.description ?? '',
                local: device.local ?? false,
                options: { ...device.options },
                path: device.path,
                type: device.type,
              };
            }
            return { kind: 'data', data, atTop: true };
          },
        },
      },
    }),
    path({
      pattern: 'audit/*path',
      synopsis: 'Enable or disable audit backends.',
      access: 'sudo',
      fields: {
        path: { type: 'string', description: 'The name of the backend.', default: '' },
        type: {
          type: 'string',
          description: 'The type of the backend: file, socket or syslog.',
          default: '',
        },
        description: { type: 'string', description: 'User-friendly description.', default: '' },
        local: { type: 'bool', description: 'Mark the device as local.', default: false },
        options: { type: 'stringMap', description: 'Configuration options for the audit backend.' },
      },
      operations: {
        update: {
          summary: 'Enable a new audit device at the supplied path.',
          handler: async (_request, values) => {
            if (!/^[^/\p{Cc}]+(?:\/[^/\p{Cc}]+)*\/?$/u.test(values.path))
              return badRequest('path must be given, without empty segments');
            const refused = await port.audit.enable({
              path: slash(values.path),
              type: values.type,
              description: values.description,
              local: values.local,
              options: values.options ?? {},
            });
            return refused === undefined ? empty : badRequest(refused);
          },
        },
        delete: {
          summary: 'Disable the audit device at the given path.',
          handler: async (_request, values) => {
            const refused = await port.audit.disable(slash(values.path));
            return refused === undefined ? empty : badRequest(refused);
          },
        },
      },
    }),
    path({
      pattern: 'audit-hash/*path',
      synopsis: 'Hash data with the salt of an audit device.',
      fields: {
        path: { type: 'string', description: 'The name of the backend.', default: '' },
        input: { type: 'string', description: 'The text to hash.', default: '' },
      },
      operations: {
        update: {
          summary: 'Hash a text as the audit device writes it.',
          handler: (_request, values) => {
            if (values.input === '') return badRequest('the "input" parameter is empty');
            const name = slash(values.path);
            const hash = port.audit.hash(name, values.input);
            return hash === undefined
              ? badRequest(`unknown audit backend ${JSON.stringify(name)}`)
              : { kind: 'data', data: { hash }, atTop: true };
          },
        },
      },
    }),
  ];
}
