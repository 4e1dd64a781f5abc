import { fromBase64, text } from '../../lib/bytes.ts';
import type { Random } from '../../lib/random.ts';
import { type Path, path } from '../logical/logical.ts';
import { badRequest, data, empty, keys, notFound, type Response } from '../logical/response.ts';
import { getJson, jsonPut, keysBelow, type Storage, view } from '../logical/storage.ts';
import { generatePassword, parsePasswordPolicy, PasswordPolicyInvalid } from './password-policy.ts';
import type { SysPort } from './port.ts';

const nameField = {
  type: 'string',
  description: 'The name of the password policy.',
  required: true,
} as const;
const TRIALS = 20;

/** policies/password: how generated passwords look. */
export function passwordPolicyPaths({ storage, random }: SysPort): Path[] {
  const generate = (policy: string): string | PasswordPolicyInvalid => generateFrom(policy, random);
  const write = async (name: string, given: string): Promise<Response> => {
    if (given === '') return badRequest('missing policy');
    const policy = decoded(given);
    for (let trial = 0; trial < TRIALS; trial += 1) {
      const password = generate(policy);
      if (password instanceof PasswordPolicyInvalid)
        return badRequest(
          trial === 0
            ? `invalid password policy: ${password.message}`
            : `unable to generate password from provided policy: ${password.message}`,
        );
    }
    await storage.write([jsonPut(key(name), { policy })]);
    return empty;
  };

  return [
    path({
      pattern: 'policies/password',
      synopsis: 'List the existing password policies.',
      fields: {},
      operations: {
        list: {
          summary: 'List the existing password policies.',
          handler: async () => {
            const names: string[] = [];
            for await (const name of keysBelow(view(storage, 'password_policy/'), '')) names.push(name);
            return keys(names);
          },
        },
      },
    }),
    path({
      pattern: 'policies/password/*name/generate',
      synopsis: 'Generate a password from an existing password policy.',
      fields: { name: nameField },
      operations: {
        read: {
          summary: 'Generate a password from an existing password policy.',
          handler: async (_request, values) => {
            const found = await stored(storage, values.name);
            if (found === undefined) return notFound;
            const password = generate(found.policy);
            return password instanceof PasswordPolicyInvalid
              ? { kind: 'refusal', status: 500, errors: [`failed to generate password: ${password.message}`] }
              : data({ password });
          },
        },
      },
    }),
    path({
      pattern: 'policies/password/*name',
      synopsis: 'Read, Modify, or Delete a password policy.',
      fields: {
        name: nameField,
        policy: { type: 'string', description: 'The password policy.', default: '' },
      },
      operations: {
        read: {
          summary: 'Retrieve an existing password policy.',
          handler: async (_request, values) => {
            const found = await stored(storage, values.name);
            return found === undefined ? notFound : data({ policy: found.policy });
          },
        },
        update: {
          summary: 'Add a new or update an existing password policy.',
          handler: (_request, values) => write(values.name, values.policy),
        },
        delete: {
          summary: 'Delete a password policy.',
          handler: async (_request, values) => {
            await storage.delete(key(values.name));
            return empty;
          },
        },
      },
    }),
  ];
}

/** @returns a password of a stored policy; undefined where there is none of that name */
export async function passwordFrom(
  storage: Storage,
  random: Random,
  name: string,
): Promise<string | PasswordPolicyInvalid | undefined> {
  const found = await stored(storage, name);
  return found === undefined ? undefined : generateFrom(found.policy, random);
}

function key(name: string): string {
  return `password_policy/${name}`;
}

function stored(storage: Storage, name: string): Promise<{ readonly policy: string } | undefined> {
  return getJson<{ policy: string }>(storage, key(name));
}

function generateFrom(policy: string, random: Random): string | PasswordPolicyInvalid {
  const parsed = parsePasswordPolicy(policy);
  if (parsed instanceof PasswordPolicyInvalid) return parsed;
  const bytes = (length: number): Uint8Array => random.bytes(length);
  return (
    generatePassword(parsed, bytes) ??
    new PasswordPolicyInvalid('the rules are met too seldom: lower min-chars or raise the length')
  );
}

// Policies may come as base64, which saves clients from escaping them.
function decoded(given: string): string {
  const bytes = /^[A-Za-z0-9+/=]+$/.test(given) ? fromBase64(given) : undefined;
  return bytes === undefined ? given : text(bytes);
}
