import type { LeaseTtl } from '../../logical/request.ts';
import type { SshPublicKey } from './public-key.ts';
import type { CaRole } from './role.ts';

/** What a role does not allow; the message is for the client. */
export class Refused {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

/** Fills the identity templates of a text in. @returns undefined when one has no value */
export type IdentityRenderer = (text: string) => Promise<string | undefined>;

// From one opening to the next: what is not closed must not be looked through again for each opening.
const TEMPLATE = /\{\{[^{}]+\}\}/;

/** The names that a certificate is good for. @param asked undefined for the default */
export async function grantPrincipals(
  role: CaRole,
  type: 'user' | 'host',
  asked: string | undefined,
  render: IdentityRenderer,
): Promise<readonly string[] | Refused> {
  const isUser = type === 'user';
  const allowed = isUser ? role.allowedUsers : role.allowedDomains;
  const templated = isUser ? role.allowedUsersTemplate : role.allowedDomainsTemplate;
  let wanted: readonly string[] = names(asked ?? '');
  if (wanted.length === 0 && isUser) {
    const rendered = await renderNames(role, role.defaultUser, role.defaultUserTemplate, render);
    if (rendered instanceof Refused) return rendered;
    wanted = rendered;
  }
  if (wanted.length === 0) {
    return role.allowEmptyPrincipals || allowed === '*'
      ? []
      : new Refused(
          'refusing to issue unsafe, globally-valid certificate with no principals specified; set valid_principals or default_user',
        );
  }
  const permitted = await renderNames(role, allowed, templated, render);
  if (permitted instanceof Refused) return permitted;
  if (permitted.length === 0) return new Refused('role is not configured to allow any principals');
  if (allowed === '*') return wanted;
  const fits = (name: string): boolean =>
    isUser ? permitted.includes(name) : permitted.some((domain) => fitsDomain(role, domain, name));
  const wrong = wanted.find((name) => !fits(name));
  return wrong === undefined ? wanted : new Refused(`${wrong} is not a valid value for valid_principals`);
}

function fitsDomain(role: CaRole, domain: string, name: string): boolean {
  return (role.allowBareDomains && name === domain) || (role.allowSubdomains && name.endsWith(`.${domain}`));
}

// A name that comes out of a template is one name, whatever it holds, unless the role says that commas separate.
async function renderNames(
  role: CaRole,
  list: string,
  templated: boolean,
  render: IdentityRenderer,
): Promise<readonly string[] | Refused> {
  if (!templated) return names(list);
  const found: string[] = [];
  for (const name of names(list)) {
    if (!TEMPLATE.test(name)) {
      found.push(name);
      continue;
    }
    const rendered = await render(name);
    if (rendered === undefined)
      return new Refused(`template '${name}' could not be rendered -> a value is missing`);
    if (!rendered.includes(',')) found.push(rendered);
    else if (role.allowCommasInIdentityTemplates) found.push(...names(rendered));
    else return new Refused(`template '${name}' could not be rendered -> its value holds a comma`);
  }
  return [...new Set(found)];
}

export function grantCriticalOptions(
  role: CaRole,
  asked: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> | Refused {
  const wanted = Object.keys(asked);
  if (wanted.length === 0) return role.defaultCriticalOptions;
  const allowed = role.allowedCriticalOptions.split(',');
  const wrong = role.allowedCriticalOptions === '' ? [] : wanted.filter((name) => !allowed.includes(name));
  return wrong.length === 0
    ? asked
    : new Refused(`critical options not on allowed list: [${wrong.join(' ')}]`);
}

/** @returns the extensions, and whether some were left out because their templates have no value */
export async function grantExtensions(
  role: CaRole,
  asked: Readonly<Record<string, string>>,
  hasEntity: boolean,
  render: IdentityRenderer,
): Promise<{ readonly extensions: Readonly<Record<string, string>>; readonly skipped: boolean } | Refused> {
  const wanted = Object.keys(asked);
  if (wanted.length > 0) {
    const allowed = role.allowedExtensions.split(',');
    const wrong = role.allowedExtensions === '*' ? [] : wanted.filter((name) => !allowed.includes(name));
    return wrong.length === 0
      ? { extensions: asked, skipped: false }
      : new Refused(`extensions [${wrong.join(' ')}] are not on allowed list`);
  }
  if (!role.defaultExtensionsTemplate) return { extensions: role.defaultExtensions, skipped: false };
  const extensions: Record<string, string> = {};
  let skipped = false;
  for (const [name, value] of Object.entries(role.defaultExtensions)) {
    if (!TEMPLATE.test(value)) extensions[name] = value;
    else if (!hasEntity) skipped = true;
    else {
      const rendered = await render(value);
      if (rendered === undefined)
        return new Refused(`template '${value}' could not be rendered -> a value is missing`);
      extensions[name] = rendered;
    }
  }
  return { extensions, skipped };
}

/** Seconds. */
export function grantTtl(role: CaRole, asked: number | undefined, limits: LeaseTtl): number | Refused {
  const ttl = (asked ?? role.ttl) || limits.default;
  const max = role.maxTtl || limits.max;
  if (ttl <= max) return ttl;
  return asked === undefined ? max : new Refused(`ttl is larger than maximum allowed ${max}`);
}

/** @returns why a key may not be signed */
export function keyRefusal(role: CaRole, key: SshPublicKey): string | undefined {
  const lengths = role.allowedUserKeyLengths;
  if (Object.keys(lengths).length === 0) return undefined;
  const name = key.kind === 'ec' ? 'ecdsa' : key.kind === 'other' ? key.type : key.kind;
  const aliases = aliasesOf(name, key.bits, key.type).filter((alias) => Object.hasOwn(lengths, alias));
  if (aliases.length === 0) return `key of type ${name} is not allowed`;
  const fits = aliases.some((alias) => {
    const sized = key.kind === 'rsa' || alias === 'ec' || alias === 'ecdsa';
    return !sized || lengths[alias]?.includes(key.bits) === true;
  });
  return fits ? undefined : `key is of an invalid size: ${key.bits}`;
}

/** @returns why a key of a type and length may not be made for a role */
export function newKeyRefusal(role: CaRole, type: string, bits: number): string | undefined {
  const lengths = role.allowedUserKeyLengths;
  if (Object.keys(lengths).length === 0) return undefined;
  const aliases = aliasesOf(type, bits, '').filter((alias) => Object.hasOwn(lengths, alias));
  if (aliases.length === 0) return 'provided key_type value not in allowed_user_key_types';
  return aliases.some((alias) => lengths[alias]?.includes(bits) === true)
    ? undefined
    : "provided key_bits value not in list of role's allowed_user_key_types";
}

function aliasesOf(name: string, bits: number, type: string): string[] {
  if (name === 'rsa') return ['rsa', 'ssh-rsa'];
  if (name === 'ed25519') return ['ed25519', 'ssh-ed25519'];
  if (name === 'ec' || name === 'ecdsa') return ['ecdsa', 'ec', `ecdsa-sha2-nistp${bits}`];
  return [name, type];
}

function names(list: string): string[] {
  const found = list.split(',').map((name) => name.trim());
  return [...new Set(found.filter((name) => name !== ''))];
}
