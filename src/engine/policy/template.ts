/** What `{{…}}` may speak of. */
export interface TemplateSubject {
  readonly entity: {
    readonly id: string;
    readonly name: string;
    readonly metadata: TemplateMap | null;
    readonly aliases: readonly {
      readonly id: string;
      readonly name: string;
      readonly mountAccessor: string;
      readonly metadata: TemplateMap | null;
      readonly customMetadata: TemplateMap | null;
    }[];
  };
  readonly groups: readonly {
    readonly id: string;
    readonly name: string;
    readonly metadata: TemplateMap | null;
  }[];
}

export type TemplateMap = Readonly<Record<string, string>>;
export type TemplateValue = string | readonly string[] | TemplateMap;

/** What an operator allowed the values of a policy to hold. */
export interface TemplateLimits {
  readonly slashes: boolean;
  readonly wildcards: boolean;
}

/**
 * Cuts a template at its directives.
 * @param value the text that stands for a directive, given without its braces
 * @returns undefined when braces are not in pairs, or a directive has no text
 */
export function renderTemplate(
  template: string,
  value: (directive: string) => string | undefined,
): string | undefined {
  const [first = '', ...rest] = template.split('{{');
  if (first.includes('}}')) return undefined;
  let rendered = first;
  for (const piece of rest) {
    const parts = piece.split('}}');
    if (parts.length !== 2) return undefined;
    const found = value((parts[0] ?? '').trim());
    if (found === undefined) return undefined;
    rendered += found + (parts[1] ?? '');
  }
  return rendered;
}

/**
 * A rule's path with its values.
 * @returns undefined when one is missing; refused when one could make the path match more, or less, than was meant
 */
export function renderPath(
  template: string,
  subject: TemplateSubject | undefined,
  limits: TemplateLimits,
): string | undefined | { readonly refused: true } {
  if (subject === undefined) return undefined;
  let refused = false;
  const rendered = renderTemplate(template, (directive) => {
    const found = lookUp(directive, subject);
    if (typeof found !== 'string' || found === '') return undefined;
    refused ||= !limits.wildcards && /[*+]/.test(found);
    refused ||= !limits.slashes && found.includes('/');
    return found;
  });
  return rendered !== undefined && refused ? { refused } : rendered;
}

/** The value of a directive that begins with `identity.`. */
export function lookUp(directive: string, subject: TemplateSubject): TemplateValue | undefined {
  if (directive.startsWith('identity.entity.'))
    return ofEntity(directive.slice('identity.entity.'.length), subject);
  if (directive.startsWith('identity.groups.'))
    return ofGroup(directive.slice('identity.groups.'.length), subject);
  return undefined;
}

function ofEntity(selector: string, { entity, groups }: TemplateSubject): TemplateValue | undefined {
  if (selector === 'id') return entity.id;
  if (selector === 'name') return entity.name;
  if (selector === 'groups.names') return groups.map(({ name }) => name);
  if (selector === 'groups.ids') return groups.map(({ id }) => id);
  if (selector.startsWith('aliases.')) {
    const [accessor = '', what = ''] = cut(selector.slice('aliases.'.length));
    const alias = entity.aliases.find(({ mountAccessor }) => mountAccessor === accessor);
    if (alias === undefined) return undefined;
    if (what === 'id') return alias.id;
    if (what === 'name') return alias.name;
    return ofMap(what, 'metadata', alias.metadata) ?? ofMap(what, 'custom_metadata', alias.customMetadata);
  }
  return ofMap(selector, 'metadata', entity.metadata);
}

function ofGroup(selector: string, { groups }: TemplateSubject): TemplateValue | undefined {
  const [by = '', rest = ''] = cut(selector);
  if (by !== 'ids' && by !== 'names') return undefined;
  const [wanted = '', what = ''] = cut(rest);
  const group = groups.find(({ id, name }) => wanted === (by === 'ids' ? id : name));
  if (group === undefined) return undefined;
  if (what === 'id') return group.id;
  if (what === 'name') return group.name;
  return what === 'metadata' ? undefined : ofMap(what, 'metadata', group.metadata);
}

function ofMap(selector: string, name: string, map: TemplateMap | null): TemplateValue | undefined {
  if (selector === name) return map ?? {};
  if (!selector.startsWith(`${name}.`)) return undefined;
  const key = selector.slice(name.length + 1);
  return map !== null && Object.hasOwn(map, key) ? map[key] : undefined;
}

function cut(selector: string): [string, string] | [string] {
  const dot = selector.indexOf('.');
  return dot === -1 ? [selector] : [selector.slice(0, dot), selector.slice(dot + 1)];
}
