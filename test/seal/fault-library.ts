import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SOFTHSM, type TestToken } from './support.ts';

/** The library of fault-module.c, compiled for one test file. */
export class FaultLibrary {
  readonly path: string = join(tmpdir(), `fault-${process.pid}-${Math.trunc(performance.now())}.so`);

  constructor() {
    const includes = join(import.meta.dirname, '../../node_modules/pkcs11js/includes/pkcs11');
    const source = join(import.meta.dirname, 'fault-module.c');
    execFileSync('gcc', ['-shared', '-fPIC', '-I', includes, '-o', this.path, source, '-ldl']);
  }

  /** Puts the library between a seal and a token. @returns the keys of the stanza that do it */
  on(token: TestToken): Record<string, string> {
    mkdirSync(folder(token), { recursive: true });
    Object.assign(token.env, { FAULT_TARGET: SOFTHSM, FAULT_DIR: folder(token) });
    return { lib: this.path, library_env: 'FAULT_TARGET,FAULT_DIR' };
  }

  remove(): void {
    rmSync(this.path);
  }
}

/** Lets the next calls of a function fail: by a CKR number, or `hang`, `crash`, `corrupt`. */
export function fault(token: TestToken, name: string, what: string | number, times: number): void {
  writeFileSync(join(folder(token), name), `${what} ${times}`);
}

/** How often a function was called. */
export function calls(token: TestToken, name: string): number {
  const log = join(folder(token), 'log');
  if (!existsSync(log)) return 0;
  const lines = readFileSync(log, 'utf8').split('\n');
  return lines.filter((line) => line === name).length;
}

function folder(token: TestToken): string {
  return join(token.dir, 'faults');
}
