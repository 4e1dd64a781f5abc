import { CEREMONY_COMMANDS } from './cli/ceremony/options.ts';
import { runCeremony } from './cli/ceremony/ceremony.ts';
import { Terminal } from './cli/ceremony/terminal.ts';
import type { Program } from './cli/command.ts';
import { parseCommandLine } from './cli/parse.ts';
import { version } from './engine/version.ts';
import { systemClock } from './lib/clock.ts';
import { describeError } from './lib/errors.ts';

/**
 * `kubectl sealedvault`: what people do in a ceremony, and nothing of engine and operator. `npm run build` makes one file of
 * it, which needs Node.js alone.
 */
const PROGRAM: Program = {
  name: 'kubectl sealedvault',
  commands: [
    ...CEREMONY_COMMANDS,
    { words: ['version'], operands: [], what: 'print the version', options: [] },
  ],
};

async function run(): Promise<number> {
  const line = parseCommandLine(process.argv.slice(2), PROGRAM);
  if (line.kind === 'help') {
    process.stdout.write(line.text);
    return 0;
  }
  if (line.kind === 'fault') {
    process.stderr.write(`${line.sentence}\n\n${line.help}`);
    return 2;
  }
  if (line.kind === 'version' || line.words[0] === 'version') {
    process.stdout.write(`SealedVault v${version}\n`);
    return 0;
  }
  const { stdin: input, stdout: output, stderr: errors } = process;
  const terminal = new Terminal({ input, output, errors });
  return runCeremony(line.words[1] ?? '', {
    args: line.args,
    words: line.operands,
    env: process.env,
    terminal,
    clock: systemClock,
  });
}

run().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`${describeError(error)}\n`);
    process.exitCode = 1;
  },
);
