import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { run } from './command.ts';
import { ensurePrograms, find } from './packages.ts';
import type { Report } from './progress.ts';

/** A program to build from Go modules. */
export interface GoProgram {
  /** Import path of its main package. */
  readonly path: string;
  readonly version: string;
  /** Modules that have to be of one exact version. */
  readonly replace?: Readonly<Record<string, string>>;
  /** Variables set by the linker, `importpath.name` to value. */
  readonly variables?: Readonly<Record<string, string>>;
}

/**
 * Builds one program and puts it in place in one move, so that a half-built file is never found.
 * @param program What to build.
 * @param target File to write.
 * @param report Told when Go has to be installed.
 * @throws {CommandFailed} When the modules cannot be fetched or do not compile.
 */
export async function buildGoProgram(program: GoProgram, target: string, report: Report): Promise<void> {
  const go = await goProgram(report);
  const work = mkdtempSync(join(tmpdir(), 'sealedvault-go-'));
  try {
    const replace = Object.entries(program.replace ?? {}).map(
      ([module, version]) => `\t${module} => ${module} ${version}`,
    );
    writeFileSync(
      join(work, 'go.mod'),
      `module sealedvault.io/build\n\ngo 1.25\n\nreplace (\n${replace.join('\n')}\n)\n`,
    );
    const options = { cwd: work, env: { CGO_ENABLED: '0', GOFLAGS: '-mod=mod' } };
    await run(go, ['get', '-tool', `${program.path}@${program.version}`], options);
    await compile(go, program, target, options);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * Builds a single Go source file without any module.
 * @param source The file.
 * @param target File to write.
 * @param report Told when Go has to be installed.
 * @throws {CommandFailed} When it does not compile.
 */
export async function buildGoFile(source: string, target: string, report: Report): Promise<void> {
  await compile(await goProgram(report), { path: source, version: '' }, target, {
    env: { CGO_ENABLED: '0', GO111MODULE: 'off' },
  });
}

/** Go from 1.21 on fetches the toolchain that a module asks for by itself. */
async function goProgram(report: Report): Promise<string> {
  await ensurePrograms(['go'], report);
  const go = find('go') ?? 'go';
  const version = await run(go, ['version']);
  const [, minor = '0'] = /go1\.(\d+)/.exec(version) ?? [];
  if (Number(minor) < 21)
    throw new Error(`Go 1.21 or newer is needed to build Kubernetes, and ${go} is ${version.trim()}`);
  return go;
}

async function compile(
  go: string,
  program: GoProgram,
  target: string,
  options: { cwd?: string; env: Record<string, string> },
): Promise<void> {
  mkdirSync(dirname(target), { recursive: true });
  const temporary = `${target}.${process.pid}`;
  const variables = Object.entries(program.variables ?? {}).map(([name, value]) => `-X ${name}=${value}`);
  try {
    await run(
      go,
      ['build', '-trimpath', '-ldflags', ['-s -w', ...variables].join(' '), '-o', temporary, program.path],
      options,
    );
    chmodSync(temporary, 0o755);
    renameSync(temporary, target);
  } finally {
    rmSync(temporary, { force: true });
  }
}
