import { Filter } from 'ldapts';

/** A template's texts and, at odd places, its actions. */
function partsOf(template: string): string[] {
  return template.split('{{').flatMap((part, index) => {
    if (index === 0) return [part];
    const end = part.indexOf('}}');
    return end === -1 ? [part] : [trimmed(part.slice(0, end)), part.slice(end + 2)];
  });
}

// A dash takes off blanks beside the action in Go's templates; a filter has none that matter.
function trimmed(action: string): string {
  const start = action.startsWith('-') ? 1 : 0;
  return action.slice(start, action.endsWith('-') ? -1 : undefined).trim();
}

/** Why a filter's template cannot be used, or undefined. @param names that it may refer to, as in `{{.Username}}` */
export function checkTemplate(template: string, names: readonly string[]): string | undefined {
  const opened = template.split('{{').slice(1);
  if (opened.some((part) => !part.includes('}}'))) return 'template: unclosed action';
  const odd = partsOf(template).find(
    (part, index) => index % 2 === 1 && !(part.startsWith('.') && names.includes(part.slice(1))),
  );
  return odd === undefined ? undefined : `template: unsupported action ${JSON.stringify(odd)}`;
}

/** A search filter with values in it, escaped (RFC 4515 §3), so that none of them changes what is searched. */
export function renderFilter(template: string, values: Readonly<Record<string, string>>): string {
  return partsOf(template)
    .map((part, index) => (index % 2 === 0 ? part : Filter.escape(values[part.slice(1)] ?? '')))
    .join('');
}
