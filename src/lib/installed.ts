import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** From the sources it is TypeScript, from the build JavaScript; bundled modules stand elsewhere than they did. */
const SUFFIX = import.meta.url.endsWith('.ts') ? '.ts' : '.js';

/** @returns the path of a file that is installed with the program, such as `engine/http/ceremony-page` */
export function installed(path: string): string {
  let root = dirname(fileURLToPath(import.meta.url));
  while (!['src', 'dist'].includes(basename(root)) && root !== dirname(root)) root = dirname(root);
  return join(root, path);
}

/** @returns the path of a program that runs in a process of its own, such as `engine/seal/pkcs11/agent/main` */
export function installedProgram(path: string): string {
  return installed(path) + SUFFIX;
}
