import type { JsonObject } from '../../lib/json.ts';
import { type Path, path } from '../logical/logical.ts';
import { data, keys, notFound } from '../logical/response.ts';
import type { SysPort } from './port.ts';

/** policies/detailed/acl: policies with their texts, many at once. */
export function detailedPolicyPaths({ policies }: SysPort): Path[] {
  const detail = async (name: string): Promise<JsonObject | undefined> => {
    if (name === 'root') return { cas_required: false, name, policy: '', version: 0 };
    const stored = await policies.get(name);
    if (stored === undefined) return undefined;
    const { raw, version, modified } = stored;
    return { cas_required: false, modified, name, policy: raw, version };
  };
  const synopsis = 'List the configured access control policies with their content.';
  return [
    path({
      pattern: 'policies/detailed/acl',
      synopsis,
      fields: {},
      operations: {
        list: {
          summary: synopsis,
          handler: async () => {
            const names = await policies.names();
            const info: JsonObject = {};
            for (const name of names) info[name] = (await detail(name)) ?? null;
            return keys(names, { key_info: info });
          },
        },
      },
    }),
    path({
      pattern: 'policies/detailed/acl/*name',
      synopsis: 'Read an access control policy.',
      fields: { name: { type: 'string', description: 'The name of the policy.', required: true } },
      operations: {
        read: {
          summary: 'Retrieve information about the named ACL policy.',
          handler: async (_request, values) => {
            const found = await detail(values.name.toLowerCase());
            return found === undefined ? notFound : data(found);
          },
        },
      },
    }),
  ];
}
