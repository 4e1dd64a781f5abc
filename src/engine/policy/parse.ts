import { sumOfUnits } from '../../lib/duration.ts';
import { SealedVaultError } from '../../lib/errors.ts';
import { attribute, blocks, type HclBlock, parseHcl, scalarText, textList } from '../../lib/hcl/hcl.ts';
import { type HclBody, HclSyntaxError, type HclValue } from '../../lib/hcl/tree.ts';
import type { Json, JsonObject } from '../../lib/json.ts';
import { CAPABILITIES, type Capability, type Parameters, type PathRule, type Policy } from './rule.ts';

/** The text is not a policy. The message is Vault's and goes to the client. */
export class PolicySyntaxError extends SealedVaultError {
  override readonly code = 'ERR_HCL_SYNTAX';

  constructor(problem: string, cause?: unknown) {
    super(`failed to parse policy: ${problem}`, { cause });
  }
}

const LEGACY: ReadonlyMap<string, readonly Capability[]> = new Map<string, readonly Capability[]>([
  ['deny', ['deny']],
  ['read', ['read', 'list']],
  ['write', ['create', 'read', 'update', 'delete', 'list']],
  ['sudo', ['create', 'read', 'update', 'delete', 'list', 'sudo']],
]);

const PATH_KEYS: readonly string[] = [
  'comment',
  'policy',
  'capabilities',
  'allowed_parameters',
  'denied_parameters',
  'required_parameters',
  'min_wrapping_ttl',
  'max_wrapping_ttl',
  'mfa_methods',
  'control_group',
  'subscribe_event_types',
];

/**
 * @param text HCL or JSON
 * @throws PolicySyntaxError
 */
export function parsePolicy(text: string): Policy {
  let body: HclBody;
  try {
    body = parseHcl(text);
  } catch (error) {
    if (error instanceof HclSyntaxError) throw new PolicySyntaxError(error.message, error);
    throw error;
  }
  checkKeys(body, ['name', 'path'], '');
  const name = attribute(body, 'name');
  const rules = blocks(body, 'path').map(parseRule);
  if (rules.length !== body.items.filter(({ keys }) => keys[0] === 'path').length) {
    throw new PolicySyntaxError('path must be a block');
  }
  return { name: (name && scalarText(name.value)) ?? '', rules };
}

function parseRule({ labels, body }: HclBlock): PathRule {
  const label = labels[0] ?? 'path';
  const where = `path ${JSON.stringify(label)}: `;
  checkKeys(body, PATH_KEYS, where);
  const path = label.startsWith('/') ? label.slice(1) : label;
  if (path.includes('+*'))
    throw new PolicySyntaxError(`${where}invalid use of wildcards ('+*' is forbidden)`);
  const minWrappingTtl = seconds(body, 'min_wrapping_ttl', where);
  const maxWrappingTtl = seconds(body, 'max_wrapping_ttl', where);
  if (minWrappingTtl > 0 && maxWrappingTtl > 0 && maxWrappingTtl < minWrappingTtl) {
    throw new PolicySyntaxError(`${where}max_wrapping_ttl cannot be less than min_wrapping_ttl`);
  }
  return {
    path,
    capabilities: capabilitiesOf(body, where),
    allowedParameters: parameters(body, 'allowed_parameters', where),
    deniedParameters: parameters(body, 'denied_parameters', where),
    requiredParameters: list(body, 'required_parameters', where).map((name) => name.toLowerCase()),
    minWrappingTtl,
    maxWrappingTtl,
  };
}

function checkKeys(body: HclBody, valid: readonly string[], where: string): void {
  for (const { keys, line } of body.items) {
    const [key = ''] = keys;
    if (!valid.includes(key))
      throw new PolicySyntaxError(`${where}invalid key ${JSON.stringify(key)} on line ${line}`);
  }
  checkOnce(body, where);
}

// One of two values would count and the other would not, and nobody could say which: only paths may come again.
function checkOnce(body: HclBody, where: string): void {
  const seen = new Set<string>();
  for (const { keys, line } of body.items) {
    const key = (keys[0] ?? '').toLowerCase();
    if (key === 'path') continue;
    if (seen.has(key))
      throw new PolicySyntaxError(
        `${where}The argument ${JSON.stringify(keys[0])} on line ${line} was already set. Each argument can only be defined once`,
      );
    seen.add(key);
  }
}

function capabilitiesOf(body: HclBody, where: string): ReadonlySet<Capability> {
  const capabilities = new Set<Capability>();
  const legacy = attribute(body, 'policy');
  if (legacy !== undefined) {
    const name = scalarText(legacy.value) ?? '';
    const granted = LEGACY.get(name);
    if (granted === undefined) throw new PolicySyntaxError(`${where}invalid policy ${JSON.stringify(name)}`);
    for (const capability of granted) capabilities.add(capability);
  }
  for (const name of list(body, 'capabilities', where)) {
    if (!isCapability(name))
      throw new PolicySyntaxError(`${where}invalid capability ${JSON.stringify(name)}`);
    capabilities.add(name);
  }
  return capabilities.has('deny') ? new Set<Capability>(['deny']) : capabilities;
}

function isCapability(name: string): name is Capability {
  return CAPABILITIES.some((capability) => capability === name);
}

function list(body: HclBody, name: string, where: string): string[] {
  const item = attribute(body, name);
  if (item === undefined) return [];
  const texts = item.value.kind === 'list' ? textList(item.value) : undefined;
  if (texts === undefined) throw new PolicySyntaxError(`${where}${name} must be a list of strings`);
  return texts;
}

function parameters(body: HclBody, name: string, where: string): Parameters {
  const found = new Map<string, Json[]>();
  for (const block of blocks(body, name)) {
    checkOnce(block.body, `${where}${name}: `);
    for (const { keys, value } of block.body.items) {
      const [key = ''] = keys;
      if (keys.length !== 1 || value.kind !== 'list') {
        throw new PolicySyntaxError(`${where}${name} must map each parameter to a list of values`);
      }
      found.set(key.toLowerCase(), value.items.map(jsonOf));
    }
  }
  return found;
}

function jsonOf(value: HclValue): Json {
  switch (value.kind) {
    case 'string':
      return value.text;
    case 'number':
    case 'bool':
      return value.value;
    case 'null':
      return null;
    case 'list':
      return value.items.map(jsonOf);
    case 'object': {
      checkOnce(value.body, '');
      const object: JsonObject = Object.create(null) as JsonObject;
      for (const { keys, value: member } of value.body.items) object[keys[0] ?? ''] = jsonOf(member);
      return object;
    }
  }
}

const UNITS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 };

function seconds(body: HclBody, name: string, where: string): number {
  const item = attribute(body, name);
  if (item === undefined) return 0;
  const text = scalarText(item.value) ?? '';
  if (/^\d+$/.test(text)) return Number(text);
  const total = sumOfUnits(text, UNITS);
  if (total === undefined) throw new PolicySyntaxError(`${where}error parsing ${name}`);
  return total;
}
