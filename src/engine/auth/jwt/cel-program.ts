import { CelProgram, CelRefusal, type MessageTypes } from '../../../lib/cel/cel.ts';
import {
  CelDuration,
  CelMessage,
  CelTime,
  type CelValue,
  fromJson,
  isList,
  isMap,
} from '../../../lib/cel/values.ts';
import type { JsonObject } from '../../../lib/json.ts';
import type { Login } from '../../logical/login.ts';
import { normalPolicies } from '../token-fields.ts';
import type { CelRole } from './store.ts';

/** What a program may make, as the peer's plug-in protocol names it. */
const TYPES: MessageTypes = {
  'logical.Alias': ['name', 'metadata', 'mount_type', 'mount_accessor', 'mount_path'],
  'pb.Auth': [
    'alias',
    'bound_cidrs',
    'display_name',
    'explicit_max_ttl',
    'group_aliases',
    'internal_data',
    'lease_options',
    'metadata',
    'no_default_policy',
    'num_uses',
    'period',
    'policies',
    'token_policies',
    'token_type',
  ],
  'pb.LeaseOptions': ['TTL', 'MaxTTL', 'renewable', 'increment'],
};
const BUILT_IN: readonly string[] = ['claims', 'now'];
const NANOSECONDS = 1_000_000_000;

/** A program, compiled. @returns why it cannot be */
export function compileProgram(program: CelRole['program']): CelRun | CelRefusal {
  const names = [...BUILT_IN];
  const variables: [string, CelProgram][] = [];
  for (const { name, expression } of program.variables ?? []) {
    const compiled = CelProgram.compile(expression, names, TYPES);
    if (compiled instanceof CelRefusal) return new CelRefusal(`variable ${name}: ${compiled.message}`);
    variables.push([name, compiled]);
    names.push(name);
  }
  const main = CelProgram.compile(program.expression, names, TYPES);
  return main instanceof CelRefusal ? main : new CelRun(variables, main);
}

/** A compiled program: each variable sees those before it. */
export class CelRun {
  readonly #variables: readonly (readonly [string, CelProgram])[];
  readonly #main: CelProgram;

  constructor(variables: readonly (readonly [string, CelProgram])[], main: CelProgram) {
    this.#variables = variables;
    this.#main = main;
  }

  /** @param now milliseconds since the epoch */
  result(claims: JsonObject, now: number): CelValue | CelRefusal {
    const scope = new Map<string, CelValue>([
      ['claims', fromJson(claims)],
      ['now', new CelTime(now)],
    ]);
    for (const [name, program] of this.#variables) {
      const value = program.run(scope);
      if (value instanceof CelRefusal) return value;
      scope.set(name, value);
    }
    return this.#main.run(scope);
  }
}

/** The login that a program's result is. @returns why it is none */
export function loginOfResult(result: CelValue, roleName: string): Login | CelRefusal {
  const role = `Cel role '${roleName}' blocked authorization`;
  if (result === false) return new CelRefusal(`${role} with boolean false return`);
  if (typeof result === 'string') return new CelRefusal(`${role} with message: ${result}`);
  if (!(result instanceof CelMessage) || result.type !== 'pb.Auth')
    return new CelRefusal(`Cel program '${roleName}' returned unexpected type`);
  const { fields } = result;
  const lease = fields.get('lease_options');
  const alias = fields.get('alias');
  const aliasName = alias instanceof CelMessage ? text(alias.fields.get('name')) : '';
  const aliasMetadata = alias instanceof CelMessage ? alias.fields.get('metadata') : undefined;
  const groups = fields.get('group_aliases') ?? [];
  return {
    policies: normalPolicies([...texts(fields.get('policies')), ...texts(fields.get('token_policies'))]),
    noDefaultPolicy: fields.get('no_default_policy') === true,
    displayName: text(fields.get('display_name')),
    meta: textMap(fields.get('metadata')) ?? {},
    alias: aliasName === '' ? undefined : { name: aliasName, metadata: textMap(aliasMetadata) ?? {} },
    groups: isList(groups)
      ? groups.flatMap((each) => (each instanceof CelMessage ? [text(each.fields.get('name'))] : []))
      : [],
    ttl: seconds(lease instanceof CelMessage ? lease.fields.get('TTL') : undefined),
    maxTtl: seconds(lease instanceof CelMessage ? lease.fields.get('MaxTTL') : undefined),
    explicitMaxTtl: seconds(fields.get('explicit_max_ttl')),
    period: seconds(fields.get('period')),
    numUses: count(fields.get('num_uses')),
    tokenType: 'default',
    boundCidrs: texts(fields.get('bound_cidrs')),
    renewal: { role: roleName, cel: true },
  };
}

function text(value: CelValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

function texts(value: CelValue | undefined): string[] {
  return value !== undefined && isList(value) ? value.filter((each) => typeof each === 'string') : [];
}

function textMap(value: CelValue | undefined): Record<string, string> | undefined {
  if (value === undefined || !isMap(value)) return undefined;
  const entries: [string, string][] = [];
  for (const [key, each] of value)
    if (typeof key === 'string' && typeof each === 'string') entries.push([key, each]);
  return Object.fromEntries(entries);
}

function count(value: CelValue | undefined): number {
  return typeof value === 'bigint' || typeof value === 'number' ? Math.max(0, Math.trunc(Number(value))) : 0;
}

// Numbers are nanoseconds, as the protocol has them.
function seconds(value: CelValue | undefined): number {
  return value instanceof CelDuration
    ? Math.max(0, Math.trunc(value.seconds))
    : Math.trunc(count(value) / NANOSECONDS);
}
