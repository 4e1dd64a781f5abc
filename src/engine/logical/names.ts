/**
 * What a segment of a path may hold (Vault SDK: `framework.GenericNameRegex`, `GenericNameWithAtRegex`, `MatchAllRegex`):
 * letters, digits, `_`, and `-` and `.` between them; with `@` between them as well; hexadecimal digits, `:` and `-`; any.
 */
export type NameKind = 'generic' | 'with-at' | 'serial' | 'any';

const KINDS = {
  generic: /^\w(?:[\w.-]*\w)?$/,
  'with-at': /^\w(?:[\w.@-]*\w)?$/,
  serial: /^[\dA-Fa-f:-]+$/,
  any: /^[^]+$/,
} as const;

export function isName(kind: NameKind, name: string): boolean {
  return KINDS[kind].test(name);
}
