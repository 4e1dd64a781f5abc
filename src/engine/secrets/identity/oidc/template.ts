import { parseDuration } from '../../../../lib/duration.ts';
import { isJsonObject, type JsonObject, parseJson, setMember } from '../../../../lib/json.ts';
import { lookUp, renderTemplate, type TemplateSubject } from '../../../policy/template.ts';

/** Claims that only this engine sets. */
const RESERVED: readonly string[] = [
  'iat',
  'aud',
  'exp',
  'iss',
  'sub',
  'namespace',
  'nonce',
  'auth_time',
  'at_hash',
  'c_hash',
];

/** Nobody's values: all empty. */
export const NOBODY: TemplateSubject = {
  entity: { id: '', name: '', metadata: null, aliases: [] },
  groups: [],
};

/** A template of claims with an entity's values as JSON; undefined where it cannot be. */
export function renderClaims(
  template: string,
  subject: TemplateSubject,
  now: number,
): JsonObject | undefined {
  const rendered = renderTemplate(template, (directive) => {
    if (directive.startsWith('time.')) return time(directive.slice('time.'.length), now);
    const found = lookUp(directive, subject);
    if (found !== undefined) return JSON.stringify(found);
    // What an entity lacks is empty; a selector that is none is a mistake.
    if (/^identity\.entity\.aliases\.[^.]+\.(?:custom_)?metadata$/.test(directive)) return '{}';
    return /^identity\.entity\.(?:metadata\..+|aliases\.[^.]+\.(?:id|name|(?:custom_)?metadata\..+))$/.test(
      directive,
    )
      ? '""'
      : undefined;
  });
  if (rendered === undefined) return undefined;
  try {
    const parsed = parseJson(rendered);
    return isJsonObject(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function time(selector: string, now: number): string | undefined {
  const [start, operator, ...rest] = selector.split('.');
  if (start !== 'now') return undefined;
  if (operator === undefined) return String(now);
  const seconds = parseDuration(rest.join('.'));
  if (seconds === undefined || rest.length === 0) return undefined;
  if (operator === 'plus') return String(Math.trunc(now + seconds));
  return operator === 'minus' ? String(Math.trunc(now - seconds)) : undefined;
}

/** @returns what is wrong with a template */
export function checkTemplate(template: string): string | undefined {
  if (template === '') return undefined;
  const claims = renderClaims(template, NOBODY, 0);
  if (claims === undefined)
    return 'error parsing template: it must be a JSON object whose directives are known and balanced';
  const reserved = Object.keys(claims).find((name) => RESERVED.includes(name));
  return reserved === undefined
    ? undefined
    : `top level key ${JSON.stringify(reserved)} not allowed. Restricted keys: ${RESERVED.join(', ')}`;
}

/** Adds the claims of templates to a token's own; reserved ones and templates without a value are left out. */
export function addClaims(
  claims: JsonObject,
  templates: readonly string[],
  subject: TemplateSubject,
  now: number,
): JsonObject {
  const all: JsonObject = { ...claims };
  for (const template of templates) {
    const rendered = template === '' ? undefined : renderClaims(template, subject, now);
    for (const [name, value] of Object.entries(rendered ?? {}))
      if (!RESERVED.includes(name)) setMember(all, name, value);
  }
  return all;
}
