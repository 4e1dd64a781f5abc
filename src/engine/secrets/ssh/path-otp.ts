import { isIP } from 'node:net';
import { isInBlocks } from '../../../lib/cidr.ts';
import { type Path, path } from '../../logical/logical.ts';
import type { LogicalRequest } from '../../logical/request.ts';
import { badRequest, data, type Response } from '../../logical/response.ts';
import type { OtpRole } from './role.ts';
import type { SshStore } from './store.ts';

const ip = { type: 'string', description: 'Address of the host.', default: '' } as const;

/** creds/:role, lookup, verify and tidy/dynamic-keys: one-time passwords. */
export function otpPaths(store: SshStore): Path[] {
  return [
    path({
      pattern: 'creds/:role',
      names: { role: 'with-at' },
      synopsis: 'Creates a credential for establishing SSH connection with the remote host.',
      fields: {
        role: { type: 'string', description: 'Name of the role.', required: true },
        username: { type: 'string', description: 'User on the host.', default: '' },
        ip,
      },
      operations: {
        update: {
          summary: 'Generate a one-time password.',
          handler: (request, values) => create(store, request, values.role, values.username, values.ip),
        },
      },
    }),
    path({
      pattern: 'lookup',
      synopsis: 'List all the roles associated with the given IP address.',
      fields: { ip },
      operations: {
        update: {
          summary: 'List roles for an address.',
          handler: (_request, values) => lookup(store, values.ip),
        },
      },
    }),
    path({
      pattern: 'verify',
      synopsis: 'Validate the OTP provided by the helper on the host.',
      access: 'unauthenticated',
      fields: { otp: { type: 'string', description: 'One-time password.', default: '' } },
      operations: {
        update: {
          summary: 'Validate a one-time password, once.',
          handler: async (_request, values) => {
            if (values.otp === 'verify-echo-request') return data({ message: 'verify-echo-response' });
            const otp = await store.takeOtp(values.otp);
            return otp === undefined
              ? badRequest('OTP not found')
              : data({ ip: otp.ip, role_name: otp.roleName, username: otp.username });
          },
        },
      },
    }),
    path({
      pattern: 'tidy/dynamic-keys',
      synopsis:
        'This endpoint removes the stored host keys used for the removed Dynamic Key feature, if present.',
      fields: {},
      operations: {
        delete: {
          summary: 'Remove host keys of a feature that is gone: there are none.',
          handler: () => data({ message: 'Removed 0 of 0 host keys.' }),
        },
      },
    }),
  ];
}

async function create(
  store: SshStore,
  request: LogicalRequest,
  roleName: string,
  asked: string,
  given: string,
): Promise<Response> {
  if (given === '') return badRequest('Missing ip');
  const role = await store.role(roleName);
  if (role === undefined) return badRequest(`Role ${JSON.stringify(roleName)} not found`);
  if (role.defaultUser === '' && asked === '')
    return badRequest("No default username registered. Use 'username' option");
  const username = asked === '' ? role.defaultUser : asked;
  const allowed = role.allowedUsers.split(',').map((name) => name.trim());
  if (username !== role.defaultUser) {
    if (role.allowedUsers === '')
      return badRequest('Username has to be either in allowed users list or has to be a default username');
    if (role.allowedUsers !== '*' && !allowed.includes(username))
      return badRequest('Username is not present is allowed users list');
  }
  if (isIP(given) === 0) return badRequest(`Invalid IP ${JSON.stringify(given)}`);
  if (role.keyType !== 'otp')
    return { kind: 'refusal', status: 500, errors: ['1 error occurred:\n\t* key type unknown\n\n'] };
  const anywhere = (await store.zeroAddressRoles()) ?? [];
  if (!anywhere.includes(roleName) && !accepts(role, given))
    return badRequest('Error validating IP: IP does not belong to role');
  const full = await request.leasePlace?.();
  if (full !== undefined) return full;
  const otp = await store.addOtp({ username, ip: given, roleName });
  return {
    kind: 'secret',
    data: { ip: given, key: otp, key_type: 'otp', port: role.port, username },
    lease: { ttl: 0, maxTtl: 0, renewable: false, internal: { otp } },
  };
}

async function lookup(store: SshStore, given: string): Promise<Response> {
  if (given === '') return badRequest('Missing ip');
  if (isIP(given) === 0) return badRequest(`Invalid IP ${JSON.stringify(given)}`);
  const matching = new Set<string>();
  for (const name of await store.roleNames()) {
    const role = await store.role(name);
    if (role?.keyType === 'otp' && role.cidrList !== '' && isInBlocks(given, blocks(role.cidrList)))
      matching.add(name);
  }
  for (const name of (await store.zeroAddressRoles()) ?? []) matching.add(name);
  return data({ roles: [...matching] });
}

function accepts(role: OtpRole, address: string): boolean {
  if (role.cidrList === '' || !isInBlocks(address, blocks(role.cidrList))) return false;
  return role.excludeCidrList === '' || !isInBlocks(address, blocks(role.excludeCidrList));
}

function blocks(list: string): string[] {
  return list.split(',').map((block) => block.trim());
}
