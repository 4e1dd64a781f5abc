import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';

/**
 * Puts the modules of the built program into few files, in place: a start that reads each of some 300 files takes half as
 * long again. Packages stay as they are, and so do the files of programs that run in processes of their own.
 */
const dist = join(import.meta.dirname, '..', 'dist');
const made = `${dist}-bundle`;

const bundle = await rolldown({ input: join(dist, 'main.js'), platform: 'node', external: /^[^./]/ });
await bundle.write({ dir: made, format: 'esm', chunkFileNames: 'chunks/[name]-[hash].js', cleanDir: true });
await bundle.close();
rmSync(join(dist, 'chunks'), { recursive: true, force: true });
cpSync(made, dist, { recursive: true });
rmSync(made, { recursive: true });
