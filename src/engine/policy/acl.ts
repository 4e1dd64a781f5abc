import type { JsonObject } from '../../lib/json.ts';
import {
  type Grant,
  mergeGrants,
  NOTHING,
  parametersAllowed,
  rulesOnParameters,
  wrappingAllowed,
} from './grant.ts';
import { compareSpecificity, compilePattern, matches, mayMatchBelow, type Pattern } from './match.ts';
import type { Capability, Policy } from './rule.ts';
import { renderPath, type TemplateLimits, type TemplateSubject } from './template.ts';

export type AclOperation =
  | 'create'
  | 'read'
  | 'update'
  | 'patch'
  | 'delete'
  | 'list'
  | 'recover'
  | 'help'
  | 'renew'
  | 'revoke'
  | 'rollback';

export interface AclRequest {
  readonly operation: AclOperation;
  /** Below /v1/, with the mount. */
  readonly path: string;
  /** The path names a record without regard to case: what a rule on any spelling of it refuses is refused. */
  readonly caseless?: boolean;
  /** The fields as the endpoint gets them; asked for where a rule looks at them. */
  readonly parameters?: () => JsonObject;
  /** Names of fields that are judged in lower case. */
  readonly folded?: ReadonlySet<string> | undefined;
  /** Seconds, when the response is to be wrapped. */
  readonly wrapTtl?: number;
}

export interface AclVerdict {
  readonly allowed: boolean;
  /** The rule that decides grants sudo. */
  readonly sudo: boolean;
  /** Why it is not allowed: for logs, not for clients. */
  readonly reason?: 'no rule' | 'capability' | 'parameters' | 'wrapping';
}

/** Compiled rules of a set of policies. */
export interface Acl {
  allow(request: AclRequest): AclVerdict;
  /** Sorted; `["root"]` for root, `["deny"]` for nothing. */
  capabilities(path: string): string[];
  /** Whether anything at all is granted below a mount's path, which ends in a slash. */
  hasAccessBelow(prefix: string): boolean;
  /** The rules by path: `exact_paths` and `glob_paths`, each with its capabilities. */
  describe(): JsonObject;
}

interface CompiledRule {
  readonly pattern: Pattern;
  readonly grant: Grant;
}

/**
 * @param policies in any order; the policy named `root` grants everything
 * @param subject whom `{{…}}` in a rule's path is about; a rule whose template has no value is dropped. Where a value is
 *   refused, nobody can tell which paths the rule restricts: whatever it could be about is denied, but for exact rules.
 */
export function compileAcl(policies: readonly Policy[], subject?: TemplateSubject): Acl {
  if (policies.some(({ name }) => name === 'root')) return rootAcl;
  const byPath = new Map<string, Grant>();
  const unclear = new Set<string>();
  for (const { rules, templates = STRICT } of policies) {
    for (const rule of rules) {
      const path = isTemplate(rule.path) ? renderPath(rule.path, subject, templates) : rule.path;
      if (path === undefined) continue;
      if (typeof path === 'object') {
        unclear.add(beforeValues(rule.path));
        continue;
      }
      byPath.set(path, mergeGrants(byPath.get(path) ?? NOTHING, rule));
    }
  }
  const rules = [...byPath].map(([path, grant]) => ({ pattern: compilePattern(path), grant }));
  return new CompiledAcl(rules, [...unclear]);
}

// What every path that a template may stand for begins with.
function beforeValues(template: string): string {
  return template.slice(0, template.search(/\{\{|\+/));
}

/** @returns whether some rule needs a subject to be compiled for. */
export function hasTemplates(policies: readonly Policy[]): boolean {
  return policies.some(({ rules }) => rules.some(({ path }) => isTemplate(path)));
}

function isTemplate(path: string): boolean {
  return path.includes('{{') || path.includes('}}');
}

const STRICT: TemplateLimits = { slashes: false, wildcards: false };

const rootAcl: Acl = {
  allow: () => ({ allowed: true, sudo: true }),
  capabilities: () => ['root'],
  hasAccessBelow: () => true,
  describe: () => ({ exact_paths: {}, glob_paths: {} }),
};

const NEEDED: Readonly<Record<Exclude<AclOperation, 'help'>, Capability>> = {
  create: 'create',
  read: 'read',
  update: 'update',
  patch: 'patch',
  delete: 'delete',
  list: 'list',
  recover: 'recover',
  renew: 'update',
  revoke: 'update',
  rollback: 'update',
};

const WITH_PARAMETERS: readonly AclOperation[] = ['create', 'read', 'update', 'patch', 'recover'];
const NO_PARAMETERS = (): JsonObject => ({});
const NONE: ReadonlySet<string> = new Set();
const DENIED: Grant = { ...NOTHING, capabilities: new Set(['deny']) };

class CompiledAcl implements Acl {
  readonly #exact = new Map<string, CompiledRule>();
  readonly #prefixes = new Map<string, CompiledRule>();
  /** Of the prefixes, longest first. */
  readonly #prefixLengths: readonly number[];
  readonly #segments: readonly CompiledRule[];
  /** Beginnings of the paths of rules whose values were refused. */
  readonly #unclear: readonly string[];
  readonly #rules: readonly CompiledRule[];
  /** The same rules in lower case; made when it is first asked for. */
  #folded: CompiledAcl | undefined;

  constructor(rules: readonly CompiledRule[], unclear: readonly string[]) {
    this.#rules = rules;
    this.#unclear = unclear;
    for (const rule of rules) {
      if (rule.pattern.kind === 'exact') this.#exact.set(rule.pattern.stem, rule);
      if (rule.pattern.kind === 'prefix') this.#prefixes.set(rule.pattern.stem, rule);
    }
    this.#prefixLengths = [...new Set([...this.#prefixes.keys()].map((stem) => stem.length))].sort(
      (a, b) => b - a,
    );
    this.#segments = rules.filter(({ pattern }) => pattern.kind === 'segments');
  }

  allow(request: AclRequest): AclVerdict {
    const verdict = this.#judge(request);
    if (request.caseless !== true || !verdict.allowed) return verdict;
    const acl = (this.#folded ??= inLowerCase(this.#rules, this.#unclear));
    const folded = acl.#judge({ ...request, path: request.path.toLowerCase() });
    return { ...folded, sudo: verdict.sudo && folded.sudo };
  }

  #judge({ operation, path, parameters = NO_PARAMETERS, folded = NONE, wrapTtl }: AclRequest): AclVerdict {
    if (operation === 'help') return { allowed: true, sudo: false };
    const grant = this.#deciding(path, operation === 'list');
    if (grant === undefined) return { allowed: false, sudo: false, reason: 'no rule' };
    const sudo = grant.capabilities.has('sudo');
    const refuse = (reason: AclVerdict['reason'] & string): AclVerdict => ({ allowed: false, sudo, reason });
    if (!grant.capabilities.has(NEEDED[operation])) return refuse('capability');
    if (!wrappingAllowed(grant, wrapTtl)) return refuse('wrapping');
    if (
      WITH_PARAMETERS.includes(operation) &&
      rulesOnParameters(grant) &&
      !parametersAllowed(grant, parameters(), folded)
    )
      return refuse('parameters');
    return { allowed: true, sudo };
  }

  capabilities(path: string): string[] {
    const granted = this.#deciding(path, true)?.capabilities;
    return granted === undefined || granted.size === 0 ? ['deny'] : [...granted].sort();
  }

  hasAccessBelow(prefix: string): boolean {
    const grants = ({ grant }: CompiledRule): boolean =>
      grant.capabilities.size > 0 && !grant.capabilities.has('deny');
    const covering = this.#longestPrefix(prefix);
    if (covering !== undefined && grants(covering)) return true;
    for (const rules of [this.#exact, this.#prefixes]) {
      for (const [stem, rule] of rules) if (stem.startsWith(prefix) && grants(rule)) return true;
    }
    const segments = prefix.split('/');
    return this.#segments.some((rule) => grants(rule) && mayMatchBelow(rule.pattern, segments));
  }

  describe(): JsonObject {
    const render = (rules: Iterable<CompiledRule>): JsonObject =>
      Object.fromEntries(
        [...rules].map(({ pattern, grant }) => [
          pattern.stem,
          { capabilities: grant.capabilities.size === 0 ? ['deny'] : [...grant.capabilities].sort() },
        ]),
      );
    return {
      exact_paths: render(this.#exact.values()),
      glob_paths: { ...render(this.#prefixes.values()), ...render(this.#segments) },
    };
  }

  #deciding(requested: string, list: boolean): Grant | undefined {
    const path = requested.replace(/^\/+/, '');
    const exact = this.#exact.get(path);
    if (exact !== undefined) return exact.grant;
    if (this.#unclear.some((beginning) => `${path}/`.startsWith(beginning))) return DENIED;
    if (!list || !path.endsWith('/')) return mostSpecific(this.#candidates(path))?.grant;
    const trimmed = path.slice(0, -1);
    return (
      this.#exact.get(trimmed)?.grant ?? decideList([...this.#candidates(trimmed), ...this.#candidates(path)])
    );
  }

  #candidates(path: string): CompiledRule[] {
    const prefix = this.#longestPrefix(path);
    const found = prefix === undefined ? [] : [prefix];
    if (this.#segments.length === 0) return found;
    const segments = path.split('/');
    for (const rule of this.#segments) if (matches(rule.pattern, segments)) found.push(rule);
    return found;
  }

  #longestPrefix(path: string): CompiledRule | undefined {
    for (const length of this.#prefixLengths) {
      if (length > path.length) continue;
      const rule = this.#prefixes.get(path.slice(0, length));
      if (rule !== undefined) return rule;
    }
    return undefined;
  }
}

function inLowerCase(rules: readonly CompiledRule[], unclear: readonly string[]): CompiledAcl {
  const byPath = new Map<string, Grant>();
  for (const { pattern, grant } of rules) {
    const path = `${pattern.stem}${pattern.open ? '*' : ''}`.toLowerCase();
    byPath.set(path, mergeGrants(byPath.get(path) ?? NOTHING, grant));
  }
  const folded = [...byPath].map(([path, grant]) => ({ pattern: compilePattern(path), grant }));
  return new CompiledAcl(
    folded,
    unclear.map((beginning) => beginning.toLowerCase()),
  );
}

function mostSpecific(rules: readonly CompiledRule[]): CompiledRule | undefined {
  let best: CompiledRule | undefined;
  for (const rule of rules) {
    if (best === undefined || compareSpecificity(best.pattern, rule.pattern) < 0) best = rule;
  }
  return best;
}

// A deny must not be evaded by the other form of the path; else what grants listing counts, else what is closest.
function decideList(rules: readonly CompiledRule[]): Grant | undefined {
  const deny = mostSpecific(rules.filter(({ grant }) => grant.capabilities.has('deny')));
  const list = mostSpecific(rules.filter(({ grant }) => grant.capabilities.has('list')));
  if (deny !== undefined && (list === undefined || compareSpecificity(list.pattern, deny.pattern) < 0))
    return deny.grant;
  return (list ?? mostSpecific(rules))?.grant;
}
