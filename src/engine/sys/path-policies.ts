import { fromBase64, text } from '../../lib/bytes.ts';
import { type Path, path } from '../logical/logical.ts';
import { badRequest, data, empty, keys, notFound, type Response } from '../logical/response.ts';
import { parsePolicy, PolicySyntaxError } from '../policy/policy.ts';
import type { SysPort } from './port.ts';

const nameField = { type: 'string', description: 'The name of the policy.', required: true } as const;

/** policies/acl and the older policy. */
export function policyPaths(port: SysPort): Path[] {
  const write = async (
    name: string,
    given: string | undefined,
    warnings: readonly string[] = [],
  ): Promise<Response> => {
    if (given === undefined || given === '') return badRequest("'policy' parameter not supplied or empty");
    const rules = decoded(given);
    const policy = name.toLowerCase();
    if (policy === 'root') return badRequest('cannot update "root" policy');
    if (policy === 'response-wrapping') return badRequest('cannot update "response-wrapping" policy');
    try {
      parsePolicy(rules);
    } catch (error) {
      if (error instanceof PolicySyntaxError) return badRequest(error.message);
      throw error;
    }
    await port.policies.put(policy, rules);
    const told = policy === name ? warnings : [...warnings, `policy name was converted to ${policy}`];
    return told.length === 0 ? empty : data(null, told);
  };

  const remove = async (name: string): Promise<Response> => {
    const policy = name.toLowerCase();
    if (policy === 'root' || policy === 'default') return badRequest(`cannot delete ${policy} policy`);
    await port.policies.delete(policy);
    return empty;
  };

  const read = async (name: string, render: (raw: string) => Response): Promise<Response> => {
    const policy = name.toLowerCase();
    if (policy === 'root') return render('');
    const stored = await port.policies.get(policy);
    return stored === undefined ? notFound : render(stored.raw);
  };

  const legacyList = async (): Promise<Response> => {
    const names = await port.policies.names();
    return { kind: 'data', data: { keys: names, policies: names }, atTop: true };
  };

  return [
    path({
      pattern: 'policies/acl',
      synopsis: 'List the configured access control policies.',
      fields: {},
      operations: {
        list: {
          summary: 'List the configured access control policies.',
          handler: async () => keys(await port.policies.names()),
        },
      },
    }),
    path({
      pattern: 'policies/acl/*name',
      record: 'policy/*name',
      synopsis: 'Read, Modify, or Delete an access control policy.',
      fields: { name: nameField, policy: { type: 'string', description: 'The rules of the policy.' } },
      operations: {
        read: {
          summary: 'Retrieve information about the named ACL policy.',
          handler: (_request, values) =>
            read(values.name, (raw) => ({
              kind: 'data',
              data: { name: values.name.toLowerCase(), policy: raw },
            })),
        },
        update: {
          summary: 'Add a new or update an existing ACL policy.',
          handler: (_request, values) => write(values.name, values.policy),
        },
        patch: {
          summary: 'Update an existing ACL policy.',
          handler: async (_request, values) =>
            (await port.policies.get(values.name.toLowerCase())) === undefined
              ? notFound
              : write(values.name, values.policy),
        },
        delete: {
          summary: 'Delete the ACL policy with the given name.',
          handler: (_request, values) => remove(values.name),
        },
      },
    }),
    path({
      pattern: 'policy',
      synopsis: 'List the configured access control policies.',
      fields: {},
      operations: {
        read: { summary: 'List the configured access control policies.', handler: legacyList },
        list: { summary: 'List the configured access control policies.', handler: legacyList },
      },
    }),
    path({
      pattern: 'policy/*name',
      synopsis: 'Read, Modify, or Delete an access control policy.',
      fields: {
        name: nameField,
        policy: { type: 'string', description: 'The rules of the policy.' },
        rules: { type: 'string', description: 'Use policy instead.', deprecated: true },
      },
      operations: {
        read: {
          summary: 'Retrieve the policy body for the named policy.',
          handler: (_request, values) =>
            read(values.name, (raw) => ({
              kind: 'data',
              data: { name: values.name.toLowerCase(), rules: raw },
              atTop: true,
            })),
        },
        update: {
          summary: 'Add a new or update an existing policy.',
          handler: (_request, { name, policy, rules }) =>
            policy === undefined && rules !== undefined
              ? write(name, rules, ["'rules' is deprecated, please use 'policy' instead"])
              : write(name, policy),
        },
        delete: {
          summary: 'Delete the policy with the given name.',
          handler: (_request, values) => remove(values.name),
        },
      },
    }),
  ];
}

// Text, or base64 of it, which tools break into lines.
function decoded(policy: string): string {
  const bytes = fromBase64(policy.replaceAll(/[\r\n]/g, ''));
  return bytes === undefined ? policy : text(bytes);
}
