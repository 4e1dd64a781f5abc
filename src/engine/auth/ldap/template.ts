import { Filter } from 'ldapts';

const ACTION = /\{\{-?\s*(?<action>.*?)\s*-?\}\}/g;

/** Why a filter's template cannot be used, or undefined. @param names that it may refer to, as in `{{.Username}}` */
export function checkTemplate(template: string, names: readonly string[]): string | undefined {
  for (const { groups } of template.matchAll(ACTION)) {
    const action = groups?.['action'] ?? '';
    if (!names.includes(action.slice(1)) || !action.startsWith('.'))
      return `template: unsupported action ${JSON.stringify(action)}`;
  }
  return template.replaceAll(ACTION, '').includes('{{') ? 'template: unclosed action' : undefined;
}

/** A search filter with values in it, escaped (RFC 4515 §3), so that none of them changes what is searched. */
export function renderFilter(template: string, values: Readonly<Record<string, string>>): string {
  return template.replaceAll(ACTION, (_all, action: string) => Filter.escape(values[action.slice(1)] ?? ''));
}
