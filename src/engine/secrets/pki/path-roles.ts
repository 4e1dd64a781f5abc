import { path, type Path } from '../../logical/logical.ts';
import { empty, keys, notFound, type Response } from '../../logical/response.ts';
import { answer } from './answer.ts';
import { getIssuersConfig } from './config.ts';
import type { Pki } from './context.ts';
import { pageFields, pageOf } from './path-fields.ts';
import { refusal, Refused } from './refused.ts';
import { roleFields } from './role-fields.ts';
import { deleteRole, getRole, listRoles, putRole, readRole, type Role, showRole } from './role.ts';

const LEASES =
  "it is encouraged to disable generate_lease and rely on PKI's native capabilities when possible; this option can cause instance-wide issues with large numbers of issued certificates";
const NO_LEASES =
  'mutually exclusive values no_store=true and generate_lease=true were both specified; no_store=true takes priority';

/** roles: what may be issued. */
export function rolePaths(pki: Pki): Path[] {
  const write = async (
    name: string,
    make: (old: Role | undefined) => Role | Refused,
    wantsLease: boolean | undefined,
  ): Promise<Response> => {
    const role = await pki.change(async (batch) => {
      const made = make(await getRole(batch, name));
      if (!(made instanceof Refused)) await putRole(batch, name, made);
      return made;
    });
    if (role instanceof Refused) return refusal(role);
    const warnings = await issuerWarnings(pki, role.issuer_ref);
    if (wantsLease ?? role.generate_lease) warnings.push(role.no_store ? NO_LEASES : LEASES);
    return answer(showRole(role), warnings);
  };
  return [
    path({
      pattern: 'roles',
      synopsis: 'List the existing roles in this backend.',
      fields: pageFields,
      operations: {
        list: {
          summary: 'List roles.',
          handler: async (_request, page) => keys(await listRoles(pki.storage, pageOf(page))),
        },
      },
    }),
    path({
      pattern: 'roles/:name',
      synopsis: 'Manage the roles that can be created with this backend.',
      fields: {
        name: { type: 'string', description: 'Name of the role.', required: true },
        backend: { type: 'string', description: 'Type of the backend.', deprecated: true },
        ...roleFields,
        policy_identifiers: {
          type: 'any',
          description: 'Policies: OIDs, or objects of oid, cps and notice.',
        },
      },
      operations: {
        read: {
          summary: 'Read a role.',
          handler: async (_request, { name }) => {
            const role = await getRole(pki.storage, name);
            return role === undefined ? notFound : answer(showRole(role));
          },
        },
        update: {
          summary: 'Write a role; what is not given has its default.',
          handler: (request, { name, generate_lease: lease }) =>
            write(name, () => readRole(request.body), lease),
        },
        patch: {
          summary: 'Change some fields of a role.',
          handler: (request, { name }) =>
            write(
              name,
              (old) =>
                old === undefined
                  ? new Refused('Unable to fetch role entry to patch')
                  : readRole(request.body, old),
              undefined,
            ),
        },
        delete: {
          summary: 'Delete a role.',
          handler: async (_request, { name }) => {
            await deleteRole(pki.storage, name);
            return empty;
          },
        },
      },
    }),
  ];
}

async function issuerWarnings(pki: Pki, ref: string): Promise<string[]> {
  if (ref === 'default') {
    const { default: id } = await getIssuersConfig(pki.storage);
    return id === ''
      ? [
          'Issuing Certificate was set to default, but no default issuing certificate (configurable at /config/issuers) is currently set',
        ]
      : [];
  }
  const { resolveIssuer } = await import('./issuers.ts');
  return (await resolveIssuer(pki.storage, ref)) instanceof Refused
    ? [`Issuing Certificate was set to ${ref} but no issuing certificate currently has that name`]
    : [];
}
