import { HclSyntaxError } from './tree.ts';

const OPENING = /<<(-?)([\p{L}\p{Nd}_]+)\r?\n/uy;

/**
 * Reads `<<MARK` or `<<-MARK`. The text ends with a line break. With `-` the indentation of the closing
 * mark is taken off each line, when each line has it (hashicorp/hcl v1, unindentHeredoc).
 *
 * @param start the offset of the first `<`
 * @throws ERR_HCL_SYNTAX
 */
export function readHeredoc(source: string, start: number): { text: string; end: number } {
  OPENING.lastIndex = start;
  const opening = OPENING.exec(source);
  if (opening === null)
    throw new HclSyntaxError(source, start, 'heredoc expected: << and a mark, alone in their line');
  const [head, dash, mark] = opening;
  const lines: string[] = [];
  let offset = start + head.length;
  while (offset < source.length) {
    const newline = source.indexOf('\n', offset);
    const lineEnd = newline === -1 ? source.length : newline;
    const line = source.slice(offset, lineEnd);
    if (line.trim() === mark) {
      const end = line.endsWith('\r') ? lineEnd - 1 : lineEnd;
      return { text: dash === '-' ? unindent(lines, line) : join(lines), end };
    }
    lines.push(line);
    offset = lineEnd + 1;
  }
  throw new HclSyntaxError(source, start, 'heredoc not terminated');
}

function unindent(lines: readonly string[], closing: string): string {
  const prefix = closing.slice(0, closing.length - closing.trimStart().length);
  if (!lines.every((line) => line.startsWith(prefix))) return join(lines);
  return join(lines.map((line) => line.slice(prefix.length)));
}

function join(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}
