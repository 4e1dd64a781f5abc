/** @returns whether a text fits a pattern in which each `*` stands for any text, also none */
export function matchesGlob(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return text === pattern;
  if (!text.startsWith(first)) return false;
  let offset = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, offset);
    if (found === -1) return false;
    offset = found + part.length;
  }
  return text.length - last.length >= offset && text.endsWith(last);
}
