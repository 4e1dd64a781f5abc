import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { Module } from 'graphene-pk11';
import type { PKCS11 } from 'pkcs11js';
import { HsmError } from '../errors.ts';
import { CKF_OS_LOCKING_OK, CKR } from './cryptoki.ts';
import { ckrOf, faultOf } from './fault.ts';

/**
 * Loads a vendor's library into this process. After a failed load the process must not be used any more:
 * a later call would jump through a null pointer. Hence the repair `process`.
 *
 * @throws ERR_HSM_LIBRARY with what is wrong in words
 */
export function loadLibrary(path: string): PKCS11 {
  checkFile(path);
  try {
    return Module.load(path).lib;
  } catch (error) {
    throw unusable(loadHint(path, error instanceof Error ? error.message : ''));
  }
}

/** C_Initialize with OS locking. @throws ERR_HSM_OPERATION */
export function initialize(lib: PKCS11): void {
  try {
    lib.C_Initialize({ flags: CKF_OS_LOCKING_OK });
  } catch (error) {
    if (ckrOf(error) === CKR.CRYPTOKI_ALREADY_INITIALIZED) return;
    throw faultOf(error, 'initialize');
  }
}

// An empty or missing path would make the binding open Node itself, or hang.
function checkFile(path: string): void {
  let isFile: boolean;
  try {
    isFile = statSync(path).isFile();
  } catch {
    throw unusable(`there is no readable file at ${path}`);
  }
  if (!isFile) throw unusable(`${path} is not a file`);
  const head = new Uint8Array(20);
  let length: number;
  try {
    const file = openSync(path, 'r');
    try {
      length = readSync(file, head, 0, head.length, 0);
    } finally {
      closeSync(file);
    }
  } catch {
    throw unusable(`${path} cannot be read by this user`);
  }
  if (length < head.length || head[0] !== 0x7f || head[1] !== 0x45 || head[2] !== 0x4c || head[3] !== 0x46) {
    throw unusable(`${path} is not a shared library (ELF)`);
  }
  const machine = ELF_MACHINES.get((head[18] ?? 0) | ((head[19] ?? 0) << 8)) ?? 'another';
  if (machine !== process.arch) throw unusable(`${path} is for ${machine}, this machine is ${process.arch}`);
}

const ELF_MACHINES: ReadonlyMap<number, string> = new Map([
  [0x03, 'ia32'],
  [0x28, 'arm'],
  [0x3e, 'x64'],
  [0xb7, 'arm64'],
  [0x15, 'ppc64'],
  [0x16, 's390x'],
  [0xf3, 'riscv64'],
]);

// The texts are the dynamic linker's; they hold names of libraries and symbols only.
function loadHint(path: string, text: string): string {
  const glibc = /version `(GLIBC\w*_[\d.]+)' not found/.exec(text);
  if (glibc !== null) return `${path} needs ${glibc[1]}: this image's C library is older`;
  const missing = /^(?:Error: )?(\S+): cannot open shared object file/.exec(text);
  if (missing !== null) return `${path} depends on ${missing[1]}, which is not there: see LD_LIBRARY_PATH`;
  const symbol = /undefined symbol: (\w+)/.exec(text);
  if (symbol?.[1] === 'C_GetFunctionList') return `${path} is a library, but not a PKCS#11 one`;
  if (symbol !== null) return `${path} lacks the symbol ${symbol[1]}`;
  return `the dynamic linker refused ${path}`;
}

function unusable(hint: string): HsmError {
  return new HsmError('ERR_HSM_LIBRARY', { hint, repair: 'process' });
}
