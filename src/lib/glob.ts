/**
 * The one matcher of globs: it takes time in proportion to the two texts, whatever they are.
 * @returns whether a text fits a pattern in which each `*` stands for any text, also none
 */
export function matchesGlob(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return text === pattern;
  if (!text.startsWith(first)) return false;
  let offset = first.length;
  for (const part of rest) {
    const found = find(part, text, offset);
    if (found === -1) return false;
    offset = found + part.length;
  }
  return text.length - last.length >= offset && text.endsWith(last);
}

const SHORT = 16;

// String.indexOf can take the product of the lengths: for a long part, Knuth, Morris and Pratt (1977).
function find(part: string, text: string, offset: number): number {
  if (part.length <= SHORT || text.length - offset < part.length) return text.indexOf(part, offset);
  const borders = new Uint32Array(part.length);
  const grow = (length: number, code: number): number => {
    let matched = length;
    while (matched > 0 && part.charCodeAt(matched) !== code) matched = borders[matched - 1] ?? 0;
    return part.charCodeAt(matched) === code ? matched + 1 : matched;
  };
  for (let at = 1, length = 0; at < part.length; at += 1) {
    length = grow(length, part.charCodeAt(at));
    borders[at] = length;
  }
  for (let at = offset, length = 0; at < text.length; at += 1) {
    length = grow(length, text.charCodeAt(at));
    if (length === part.length) return at - part.length + 1;
  }
  return -1;
}
