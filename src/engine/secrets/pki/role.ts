import { isIP } from 'node:net';
import { isJsonObject, type Json, type JsonObject, parseJson } from '../../../lib/json.ts';
import { FieldRefusal, type FieldValues, readFields } from '../../logical/fields.ts';
import { getJson, jsonPut, type Storage } from '../../logical/storage.ts';
import { settleKey } from './key-type.ts';
import { isOid } from './oid.ts';
import { Refused } from './refused.ts';
import { type RoleFields, roleFields } from './role-fields.ts';

/** What a role allows, as it is stored and as clients see it. */
export type Role = FieldValues<RoleFields> & {
  /** OIDs, or JSON of an OID with its cps and notice. */
  readonly policy_identifiers: string[];
};

const PREFIX = 'role/';

export function getRole(storage: Storage, name: string): Promise<Role | undefined> {
  return getJson<Role>(storage, PREFIX + name);
}

export function putRole(storage: Storage, name: string, role: Role): Promise<void> {
  return storage.write([jsonPut(PREFIX + name, role)]);
}

export function deleteRole(storage: Storage, name: string): Promise<void> {
  return storage.delete(PREFIX + name);
}

export function listRoles(
  storage: Storage,
  options?: { readonly after?: string; readonly limit?: number },
): Promise<string[]> {
  return storage.list(PREFIX, options);
}

/** How many roles name an issuer in a certain way. */
export async function countRolesOf(storage: Storage, issuerRef: string): Promise<number> {
  let count = 0;
  for (const name of await listRoles(storage))
    if ((await getRole(storage, name))?.issuer_ref === issuerRef) count += 1;
  return count;
}

/** A role of members that a client sent, over another's or the defaults. */
export function readRole(body: JsonObject, old?: Role): Role | Refused {
  const values = readFields(roleFields, { ...old, ...body });
  if (values instanceof FieldRefusal) return new Refused(values.message);
  const policies = readPolicies(body['policy_identifiers'] ?? old?.policy_identifiers ?? []);
  if (policies instanceof Refused) return policies;
  return settle({ ...values, policy_identifiers: policies });
}

function settle(role: Role): Role | Refused {
  if (role.max_ttl > 0 && role.ttl > role.max_ttl)
    return new Refused('"ttl" value must be less than "max_ttl" value');
  const key = settleKey(role.key_type, role.key_bits, role.signature_bits);
  if (key instanceof Refused) return key;
  const others = role.allowed_other_sans;
  if (others.length !== 1 || others[0] !== '*') {
    const parsed = readOtherNames(others);
    if (parsed instanceof Refused) return new Refused(`error parsing allowed_other_sans: ${parsed.message}`);
  }
  const badOid = role.ext_key_usage_oids.find((oid) => !isOid(oid));
  if (badOid !== undefined)
    return new Refused(
      `${JSON.stringify(badOid)} could not be parsed as a valid oid for an extended key usage`,
    );
  const validations = role.cn_validations.map((name) => name.toLowerCase());
  const unknown = validations.find((name) => !['email', 'hostname', 'disabled'].includes(name));
  if (unknown !== undefined) return new Refused(`unknown validation type: ${unknown}`);
  if (validations.includes('disabled') && validations.length > 1)
    return new Refused('cannot specify both disabled and other validations');
  const badBlock = role.allowed_ip_sans_cidr.find((block) => !isBlock(block));
  if (badBlock !== undefined) return new Refused(`invalid CIDR address: ${badBlock}`);
  if (!['permit', 'forbid', 'duration'].includes(role.not_before_bound))
    return new Refused('not_before_bound must be one of permit, forbid or duration');
  if (!['permit', 'forbid', 'ttl-limited'].includes(role.not_after_bound))
    return new Refused('not_after_bound must be one of permit, forbid or ttl-limited');
  return {
    ...role,
    key_bits: key.keyBits,
    signature_bits: key.signatureBits,
    cn_validations: validations.length === 0 ? ['email', 'hostname'] : validations,
    generate_lease: role.generate_lease && !role.no_store,
    issuer_ref: role.issuer_ref === '' ? 'default' : role.issuer_ref,
  };
}

function isBlock(block: string): boolean {
  const [address = '', bits = ''] = block.split('/');
  const family = isIP(address);
  return family !== 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128);
}

/** Other names by OID: `<oid>;UTF8:<value>`. */
export function readOtherNames(names: readonly string[]): { oid: string; value: string }[] | Refused {
  const parsed: { oid: string; value: string }[] = [];
  for (const name of names) {
    const quoted = JSON.stringify(name);
    const semicolon = name.indexOf(';');
    if (semicolon === -1) return new Refused(`expected a semicolon in other SAN ${quoted}`);
    const rest = name.slice(semicolon + 1);
    const colon = rest.indexOf(':');
    if (colon === -1) return new Refused(`expected a colon in other SAN ${quoted}`);
    if (!/^utf-?8$/i.test(rest.slice(0, colon)))
      return new Refused(
        `only utf8 other SANs are supported; found non-supported type in other SAN ${quoted}`,
      );
    const oid = name.slice(0, semicolon);
    if (!isOid(oid)) return new Refused(`expected an object identifier in other SAN ${quoted}`);
    parsed.push({ oid, value: rest.slice(colon + 1) });
  }
  return parsed;
}

// OIDs as text or a list, or a list of objects, which also may be text.
function readPolicies(given: Json): string[] | Refused {
  let value = given;
  if (typeof value === 'string' && value.trim().startsWith('[')) {
    try {
      value = parseJson(value);
    } catch {
      return new Refused('policy_identifiers could not be parsed as JSON');
    }
  }
  const items = typeof value === 'string' ? value.split(',') : Array.isArray(value) ? value : [value];
  const policies: string[] = [];
  for (const item of items) {
    const policy = readPolicy(item);
    if (policy === '') continue;
    if (policy === undefined) return new Refused('policy_identifiers must be OIDs, or objects with an oid');
    policies.push(policy);
  }
  return policies;
}

function readPolicy(item: Json): string | undefined {
  if (typeof item === 'string') {
    const text = item.trim();
    if (text === '' || isOid(text)) return text;
    try {
      return text.startsWith('{') ? readPolicy(parseJson(text)) : undefined;
    } catch {
      return undefined;
    }
  }
  if (!isJsonObject(item)) return undefined;
  const { oid, cps, notice } = item;
  const name = typeof oid === 'string' ? oid.trim() : '';
  if (!isOid(name)) return undefined;
  return JSON.stringify({
    oid: name,
    ...(typeof notice === 'string' ? { notice } : {}),
    ...(typeof cps === 'string' ? { cps } : {}),
  });
}

/** A role as clients see it. */
export function showRole(role: Role): JsonObject {
  return { ...role, allow_token_displayname: false };
}
