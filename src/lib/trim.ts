/** @returns a text without the given characters at its end; in linear time, which `/=+$/` would not take */
export function trimEnd(text: string, characters: string): string {
  let end = text.length;
  while (end > 0 && characters.includes(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

/** @returns a text without the given characters at either end */
export function trim(text: string, characters: string): string {
  const kept = trimEnd(text, characters);
  let start = 0;
  while (start < kept.length && characters.includes(kept.charAt(start))) start += 1;
  return kept.slice(start);
}
