import { parseArgs } from 'node:util';
import { Arguments } from './arguments.ts';
import type { Command, Option, Program } from './command.ts';
import { COMMANDS } from './commands.ts';
import { commandHelp, groupHelp } from './help.ts';

/**
 * Command lines, read by Node's own parser (`node:util` parseArgs).
 *
 * I1  A command takes its own options and no others; what it does not know is refused by name before anything is done.
 * I2  Options are written as for Vault's commands: `-name=value`, `--name value`, `-switch`, `-switch=false`.
 * I3  `-h`, `-help` and `--help` ask for help wherever they stand, and nothing is done.
 */
export type CommandLine =
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' }
  | {
      readonly kind: 'fault';
      readonly sentence: string;
      readonly help: string;
      readonly words: readonly string[];
    }
  | {
      readonly kind: 'run';
      readonly words: readonly string[];
      readonly operands: readonly string[];
      readonly args: Arguments;
    };

const HELP = /^--?(?:h|help)$/;
const VERSION = /^--?(?:v|version)$/;
const ON = ['', 'true', '1', 't'];
const OFF = ['false', '0', 'f'];

/** Reads what follows the program's name, which by default is the whole program. */
export function parseCommandLine(
  argv: readonly string[],
  program: Program = { name: 'sealedvault', commands: COMMANDS },
): CommandLine {
  if (argv[0] !== undefined && VERSION.test(argv[0])) return { kind: 'version' };
  const end = argv.indexOf('--');
  const asksHelp = argv.slice(0, end === -1 ? argv.length : end).some((each) => HELP.test(each));
  const given = argv[0] === 'help' ? argv.slice(1) : argv;
  const found = findCommand(given, program.commands);
  if (asksHelp || argv[0] === 'help') {
    if (found.unknownWord === undefined)
      return {
        kind: 'help',
        text:
          found.command === undefined ? groupHelp(program, found.words) : commandHelp(program, found.command),
      };
  }
  if (found.command === undefined) {
    const { words, unknownWord, unknownOption } = found;
    const sentence =
      unknownWord !== undefined
        ? `unknown command: ${[...words, unknownWord].join(' ')}`
        : unknownOption !== undefined
          ? `flag provided but not defined: -${unknownOption}`
          : 'no command was given';
    return { kind: 'fault', sentence, help: groupHelp(program, words), words };
  }
  return readOptions(program, found.command, given);
}

interface Found {
  readonly words: readonly string[];
  readonly command?: Command;
  readonly unknownWord?: string;
  readonly unknownOption?: string;
}

/** The command that the first words name; options of it may stand between them. */
function findCommand(argv: readonly string[], commands: readonly Command[]): Found {
  const every = commands.flatMap(({ options }) => options);
  const words: string[] = [];
  for (const token of tokensOf(argv, every)) {
    if (token.kind === 'option') {
      const known = commands
        .filter((command) => startsWith(command, words))
        .some(({ options }) => options.some(({ name }) => name === token.name));
      if (!known && !HELP.test(`-${token.name}`)) return { words, unknownOption: token.name };
    } else if (token.kind === 'positional') {
      const longer = [...words, token.value];
      const command = commands.find((each) => startsWith(each, longer));
      if (command === undefined) return { words, unknownWord: token.value };
      words.push(token.value);
      if (command.words.length === words.length) return { words, command };
    }
  }
  return { words };
}

function startsWith(command: Command, words: readonly string[]): boolean {
  return words.every((word, at) => command.words[at] === word);
}

function readOptions(program: Program, command: Command, argv: readonly string[]): CommandLine {
  const { words } = command;
  const fault = (sentence: string): CommandLine => ({
    kind: 'fault',
    sentence,
    help: commandHelp(program, command),
    words,
  });
  const values = new Map<string, string[]>();
  const operands: string[] = [];
  for (const token of tokensOf(argv, command.options)) {
    if (token.kind === 'positional') operands.push(token.value);
    if (token.kind !== 'option') continue;
    const option = command.options.find(({ name }) => name === token.name);
    if (option === undefined) return fault(`flag provided but not defined: -${token.name}`);
    const value = valueOf(option, token);
    if ('fault' in value) return fault(value.fault);
    values.set(option.name, [...(values.get(option.name) ?? []), value.is]);
  }
  const own = operands.slice(words.length);
  const most = command.operands.length;
  if (own.length > most)
    return fault(`too many arguments: ${words.join(' ')} takes ${most === 0 ? 'none' : most}`);
  const missing = command.options.find(({ name, required }) => required && !values.has(name));
  if (missing !== undefined) return fault(`flag is missing: -${missing.name}`);
  return { kind: 'run', words, operands: own, args: new Arguments(values) };
}

function valueOf(
  option: Option,
  token: { readonly value?: string | undefined; readonly inlineValue?: boolean | undefined },
): { readonly is: string } | { readonly fault: string } {
  const given = token.value ?? '';
  if (option.value === undefined) {
    const said = given.toLowerCase();
    if (ON.includes(said)) return { is: 'true' };
    if (OFF.includes(said)) return { is: 'false' };
    return { fault: `invalid boolean value for flag -${option.name}: it is true or false` };
  }
  if (given === '') return { fault: `flag needs an argument: -${option.name}` };
  if (token.inlineValue !== true && given.startsWith('-') && given !== '-')
    return {
      fault: `flag needs an argument: -${option.name} (a value that begins with a hyphen is written -${option.name}=VALUE)`,
    };
  if (option.choices !== undefined && !option.choices.includes(given))
    return { fault: `invalid value for flag -${option.name}: it is ${option.choices.join(' or ')}` };
  return { is: given };
}

// Not strict: the sentences about what is wrong are Vault's, and switches may have a value.
function tokensOf(argv: readonly string[], options: readonly Option[]) {
  const { tokens } = parseArgs({
    args: twoDashes(argv, options),
    options: Object.fromEntries(
      options.map(({ name, value }) => [
        name,
        { type: value === undefined ? ('boolean' as const) : ('string' as const) },
      ]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  return tokens;
}

/** Vault's commands write long options with one hyphen, which others take for a group of short ones. */
function twoDashes(argv: readonly string[], options: readonly Option[]): string[] {
  const end = argv.indexOf('--');
  return argv.map((argument, at) => {
    const match = end !== -1 && at > end ? null : /^--?([A-Za-z][\w-]*)(=.*)?$/s.exec(argument);
    if (match === null) return argument;
    const [, name = '', value = ''] = match;
    return `--${options.find(({ short }) => short === name)?.name ?? name}${value}`;
  });
}
