import { Readable, Writable } from 'node:stream';
import { Arguments } from '../../src/cli/arguments.ts';
import { CEREMONY_SWITCHES, runCeremony } from '../../src/cli/ceremony/ceremony.ts';
import { Terminal } from '../../src/cli/ceremony/terminal.ts';
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
  const given = new Arguments(['ceremony', ...args], CEREMONY_SWITCHES);
  const code = await runCeremony({
    args: given,
    words: given.words.slice(1),
    env: { ...process.env, ...options.env },
    terminal: new Terminal({ input, output: sink('out'), errors: sink('err') }),
    clock: systemClock,
  });
  return { code, ...said };
}
