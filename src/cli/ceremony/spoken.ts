/**
 * A digest or nonce for comparing by voice: groups of four, eight to a line, without its prefix or dashes.
 * @returns lines of at most 39 characters
 */
export function spokenLines(value: string): string[] {
  const bare = value.replace(/^sha256:/, '').replaceAll('-', '');
  const groups = bare.match(/.{1,4}/g) ?? [];
  return Array.from({ length: Math.ceil(groups.length / 8) }, (_unused, line) =>
    groups.slice(line * 8, line * 8 + 8).join(' '),
  );
}

/** The same under a title, indented. */
export function spokenBlock(title: string, value: string): string[] {
  return [`${title}:`, ...spokenLines(value).map((line) => `  ${line}`)];
}

/** Names as a sentence has them. */
export function listed(names: readonly string[], word: 'and' | 'or' = 'and'): string {
  if (names.length < 2) return names.join('');
  return `${names.slice(0, -1).join(', ')} ${word} ${names.at(-1) ?? ''}`;
}
