import { CelRefusal } from '../../../lib/cel/cel.ts';
import { isJsonObject, type JsonObject } from '../../../lib/json.ts';
import { KeyedMutex } from '../../../lib/keyed-mutex.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, empty, keys, notFound, type Response } from '../../logical/response.ts';
import { compileProgram } from './cel-program.ts';
import type { JwtContext } from './jwt.ts';
import type { CelRole } from './store.ts';

const fields = {
  name: { type: 'string', description: 'Name of the cel role', required: true },
  cel_program: {
    type: 'object',
    description: 'Variables, and the expression that makes a pb.Auth or tells why not.',
  },
  message: { type: 'string', description: 'A remark for administrators.' },
  expiration_leeway: { type: 'duration', signed: true, description: 'As of the other roles.' },
  not_before_leeway: { type: 'duration', signed: true, description: 'As of the other roles.' },
  clock_skew_leeway: { type: 'duration', signed: true, description: 'As of the other roles.' },
  bound_audiences: { type: 'commaList', description: 'One of them must be in the aud claim.' },
} as const;

const DEFAULTS = {
  message: '',
  expirationLeeway: 150,
  notBeforeLeeway: 150,
  clockSkewLeeway: 60,
  boundAudiences: [],
} as const;

interface Given {
  readonly name: string;
  readonly cel_program: JsonObject | undefined;
  readonly message: string | undefined;
  readonly expiration_leeway: number | undefined;
  readonly not_before_leeway: number | undefined;
  readonly clock_skew_leeway: number | undefined;
  readonly bound_audiences: readonly string[] | undefined;
}

/** cel/role/: roles whose programs, in the Common Expression Language, decide what a token is worth. */
export function celRolePaths({ store }: JwtContext): Path[] {
  const locks = new KeyedMutex();
  const write = async (given: Given, before: CelRole | undefined): Promise<Response> => {
    const program = given.cel_program === undefined ? before?.program : readProgram(given.cel_program);
    if (program === undefined) {
      return badRequest(
        given.cel_program === undefined
          ? "missing required field 'cel_program'"
          : 'failed to parse cel_program: variables and expression are needed',
      );
    }
    const compiled = compileProgram(program);
    if (compiled instanceof CelRefusal)
      return badRequest(`failed to validate CEL program: ${compiled.message}`);
    const base = before ?? DEFAULTS;
    const role: CelRole = {
      program,
      message: given.message ?? base.message,
      expirationLeeway: given.expiration_leeway ?? base.expirationLeeway,
      notBeforeLeeway: given.not_before_leeway ?? base.notBeforeLeeway,
      clockSkewLeeway: given.clock_skew_leeway ?? base.clockSkewLeeway,
      boundAudiences: given.bound_audiences ?? base.boundAudiences,
    };
    await store.putCelRole(given.name, role);
    return data(render(given.name, role));
  };
  return [
    path({
      pattern: 'cel/role',
      synopsis: 'List the existing CEL roles in this backend.',
      fields: {},
      operations: {
        list: { summary: 'List the roles.', handler: async () => keys(await store.celRoleNames()) },
      },
    }),
    path({
      pattern: 'cel/role/:name',
      synopsis: 'Manage the CEL roles that can be created with this backend.',
      fields,
      operations: {
        read: {
          summary: 'Read a role.',
          handler: async (_request, { name }) => {
            const role = await store.celRole(name);
            return role === undefined ? notFound : data(render(name, role));
          },
        },
        update: {
          summary: 'Write a role; what is left out is set back.',
          handler: (_request, values) => locks.run(values.name, () => write(values, undefined)),
        },
        patch: {
          summary: 'Change a role.',
          handler: (_request, values) =>
            locks.run(values.name, async () => {
              const before = await store.celRole(values.name);
              return before === undefined
                ? badRequest('Unable to fetch cel role entry to patch')
                : write(values, before);
            }),
        },
        delete: {
          summary: 'Delete a role.',
          handler: async (_request, { name }) => {
            await store.deleteCelRole(name);
            return empty;
          },
        },
      },
    }),
  ];
}

function readProgram(given: JsonObject): CelRole['program'] | undefined {
  const { expression, variables = null } = given;
  if (typeof expression !== 'string' || expression === '') return undefined;
  if (variables === null) return { variables: null, expression };
  if (!Array.isArray(variables)) return undefined;
  const found: { name: string; expression: string }[] = [];
  for (const each of variables) {
    const name = isJsonObject(each) ? each['name'] : undefined;
    const value = isJsonObject(each) ? each['expression'] : undefined;
    if (typeof name !== 'string' || typeof value !== 'string') return undefined;
    found.push({ name, expression: value });
  }
  return { variables: found, expression };
}

function render(name: string, role: CelRole): JsonObject {
  const { variables, expression } = role.program;
  return {
    bound_audiences: [...role.boundAudiences],
    cel_program: {
      variables: variables === null ? null : variables.map((each) => ({ ...each })),
      expression,
    },
    clock_skew_leeway: role.clockSkewLeeway,
    expiration_leeway: role.expirationLeeway,
    message: role.message,
    name,
    not_before_leeway: role.notBeforeLeeway,
  };
}
