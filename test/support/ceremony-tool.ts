import { Readable, Writable } from 'node:stream';
import { runCeremony } from '../../src/cli/ceremony/ceremony.ts';
import { Terminal } from '../../src/cli/ceremony/terminal.ts';
import { parseCommandLine } from '../../src/cli/parse.ts';
import { systemClock } from '../../src/lib/clock.ts';

/** What a run of the tool left behind. */
export interface ToolResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `ceremony …` in this process, as somebody with this environment. */
export async function tool(
  args: readonly string[],
  options: { readonly env?: Record<string, string>; readonly input?: string; readonly tty?: boolean } = {},
): Promise<ToolResult> {
  const said = { out: '', err: '' };
  const sink = (name: 'out' | 'err'): Writable =>
    new Writable({
      write: (chunk, _encoding, done) => {
        said[name] += String(chunk);
        done();
      },
    });
  const input = Object.assign(Readable.from(options.input === undefined ? [] : [options.input]), {
    isTTY: options.tty === true,
  });
  const line = parseCommandLine(['ceremony', ...args]);
  if (line.kind === 'fault') return { code: 2, out: '', err: `${line.sentence}\n\n${line.help}` };
  if (line.kind !== 'run') throw new TypeError(`${args.join(' ')} runs nothing`);
  const code = await runCeremony(line.words[1] ?? '', {
    args: line.args,
    words: line.operands,
    env: { ...process.env, ...options.env },
    terminal: new Terminal({ input, output: sink('out'), errors: sink('err') }),
    clock: systemClock,
  });
  return { code, ...said };
}
