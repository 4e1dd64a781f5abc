import { factories } from '../../../src/engine/registry.ts';
import type { Path } from '../../../src/engine/logical/logical.ts';
import type { TestEngine } from './engine.ts';

/** A row of a path table, with the place of its mount in the API. */
export interface ServedRow {
  readonly prefix: string;
  readonly type: string;
  readonly row: Path;
}

/** Mounts every engine and enables every auth method of the registry. @returns all their rows, those of sys included */
export async function mountEverything(engine: TestEngine): Promise<ServedRow[]> {
  for (const type of Object.keys(factories.secrets)) {
    if (type === 'kv') {
      await engine.call('POST', 'sys/mounts/kv1', { type: 'kv' });
      await engine.call('POST', 'sys/mounts/kv2', { type: 'kv', options: { version: '2' } });
    } else await engine.call('POST', `sys/mounts/${type}`, { type });
  }
  for (const type of Object.keys(factories.auth)) await engine.call('POST', `sys/auth/${type}`, { type });
  return engine.vault.mounts.router
    .all()
    .flatMap(({ prefix, entry, backend }) =>
      backend.paths.rows.map((row) => ({ prefix, type: entry.type, row })),
    );
}

/** A path of a row, with a value for each of its variables. */
export function examplePath({ prefix, row }: ServedRow, value = 'example'): string {
  return prefix + row.pattern.replaceAll(/(?<=^|\/)[:*][^/]+/g, value);
}
