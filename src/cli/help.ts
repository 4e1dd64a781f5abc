import type { Command, Option, Program } from './command.ts';

/** What `--help` prints for a command. */
export function commandHelp(
  program: Program,
  { words, operands, what, options, notes = [] }: Command,
): string {
  const usage = [...words, ...operands, ...(options.length === 0 ? [] : ['[options]'])].join(' ');
  const sections = [
    [`Usage: ${program.name} ${usage}`],
    [sentence(what)],
    ...(options.length === 0
      ? []
      : [
          [
            'Options:',
            ...table(
              options.map((each) => [left(each), each.required ? `${each.what} (required)` : each.what]),
            ),
          ],
        ]),
    ...(notes.length === 0 ? [] : [notes]),
  ];
  return `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

/** What `--help` prints for all commands that begin with these words. */
export function groupHelp(program: Program, words: readonly string[]): string {
  const commands = program.commands.filter((command) =>
    words.every((word, at) => command.words[at] === word),
  );
  const rows = commands.map((each) => [[...each.words, ...each.operands].join(' '), each.what] as const);
  const name = [program.name, ...words].join(' ');
  return [
    `Usage: ${name} ${words.length === 0 ? '<command>' : 'VERB'} [options]`,
    '',
    ...table(rows),
    '',
    `${name} ${words.length === 0 ? '<command>' : 'VERB'} --help lists the options of each.`,
    '',
  ].join('\n');
}

function left({ name, short, value }: Option): string {
  return `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`;
}

function table(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([first]) => first.length)) + 2;
  return rows.map(([first, second]) => `  ${first.padEnd(width)}${second}`);
}

function sentence(what: string): string {
  return `${what.charAt(0).toUpperCase()}${what.slice(1)}.`;
}
