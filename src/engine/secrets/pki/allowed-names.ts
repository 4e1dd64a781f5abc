import { matchesGlob } from '../../../lib/glob.ts';
import { isHostName, isWildcardLabel, toAscii } from './host-name.ts';
import { Refused } from './refused.ts';
import type { Role } from './role.ts';

/** What of a role decides on names; domains with their templates filled in. */
export type NameRules = Pick<
  Role,
  | 'allow_localhost'
  | 'allow_bare_domains'
  | 'allow_subdomains'
  | 'allow_glob_domains'
  | 'allow_wildcard_certificates'
  | 'allow_any_name'
  | 'enforce_hostnames'
  | 'allowed_domains'
  | 'cn_validations'
>;

/** @returns whether a common name is allowed */
export function isAllowedCommonName(rules: NameRules, name: string): boolean {
  if (rules.cn_validations.length === 1 && rules.cn_validations[0] === 'disabled') return true;
  if (!isAllowedName(rules, name)) return false;
  return (
    rules.cn_validations.length === 0 ||
    rules.cn_validations.includes(name.includes('@') ? 'email' : 'hostname')
  );
}

/** @returns whether a host name or an email address is allowed */
export function isAllowedName(rules: NameRules, name: string): boolean {
  const parts = name.split('@');
  if (parts.length > 2) return false;
  const isEmail = parts.length === 2;
  const domain = parts.at(-1) ?? '';
  const isWildcard = domain.includes('*');
  let reduced = domain;
  if (isWildcard) {
    // A wildcard that is forbidden is forbidden whatever else is allowed.
    if (!rules.allow_wildcard_certificates || isEmail) return false;
    const dot = domain.indexOf('.');
    const label = dot === -1 ? domain : domain.slice(0, dot);
    reduced = dot === -1 ? '' : domain.slice(dot + 1);
    if (domain.split('*').length > 2 || reduced.includes('*')) return false;
    if (rules.enforce_hostnames && !isWildcardLabel(label)) return false;
  }
  if (rules.enforce_hostnames && (reduced !== '' || !isWildcard)) {
    const ascii = toAscii(reduced);
    if (ascii instanceof Refused || !isHostName(ascii)) return false;
  }
  if (rules.allow_any_name) return true;
  const checked: Checked = { name, reduced, domain, isEmail, isWildcard };
  return isLocal(rules, checked) || rules.allowed_domains.some((allowed) => isOf(rules, checked, allowed));
}

interface Checked {
  readonly name: string;
  /** Without the wildcard's label and without who an email is for. */
  readonly reduced: string;
  readonly domain: string;
  readonly isEmail: boolean;
  readonly isWildcard: boolean;
}

function isLocal(rules: NameRules, { reduced }: Checked): boolean {
  if (!rules.allow_localhost) return false;
  return ['localhost', 'localdomain'].some(
    (base) => reduced === base || (rules.allow_subdomains && reduced.endsWith(`.${base}`)),
  );
}

function isOf(
  rules: NameRules,
  { name, reduced, domain, isEmail, isWildcard }: Checked,
  allowed: string,
): boolean {
  if (allowed === '') return false;
  const base = allowed.toLowerCase();
  if (rules.allow_bare_domains && (name.toLowerCase() === base || (isEmail && domain.toLowerCase() === base)))
    return true;
  if (
    rules.allow_subdomains &&
    (reduced.endsWith(`.${allowed}`) || (isWildcard && reduced.toLowerCase() === base))
  )
    return true;
  return rules.allow_glob_domains && allowed.includes('*') && matchesGlob(allowed, name);
}
