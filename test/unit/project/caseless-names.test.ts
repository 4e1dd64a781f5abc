import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const engine = new URL('../../../src/engine/', import.meta.url).pathname;
const FOLDERS = ['auth', 'secrets'].flatMap((kind) =>
  readdirSync(join(engine, kind), { withFileTypes: true })
    .filter((each) => each.isDirectory())
    .map(({ name }) => join(engine, kind, name)),
);

function sources(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('\n');
}

/** Rows of a record by its name, and whether policies know that the name has no case. Logins ask for no policy. */
function rows(source: string): (readonly [string, boolean])[] {
  const found = source.matchAll(
    /pattern: ['`]([^'`]*[:*](?:name|role_name|username)\b[^'`]*)['`],\n\s*(\w+)/g,
  );
  return [...found]
    .map(([, pattern = '', next = '']) => [pattern, next === 'caselessName'] as const)
    .filter(([pattern]) => !pattern.startsWith('login/'));
}

// A key of the storage that is made of a name in lower case.
const FOLDS = /`[\w/]*\$\{[\w.]+\.toLowerCase\(\)\}`|: name\.toLowerCase\(\)/;

test.each(FOLDERS)('%s: where names are stored in lower case, policies judge them so', (folder) => {
  const source = sources(folder);
  if (!FOLDS.test(source)) return;
  const unmarked = rows(source).filter(([, marked]) => !marked);
  expect(unmarked.map(([pattern]) => pattern)).toEqual([]);
});

test('so it is of policies, entities and groups', () => {
  const files = ['sys/path-policies.ts', 'sys/path-policies-detailed.ts'].map((name) => join(engine, name));
  const identity = ['secrets/identity/path-entity.ts', 'secrets/identity/path-group.ts'].map((name) =>
    join(engine, name),
  );
  for (const file of files)
    for (const [pattern, marked] of rows(readFileSync(file, 'utf8')))
      expect([pattern, marked]).toEqual([pattern, true]);
  for (const file of identity)
    expect(rows(readFileSync(file, 'utf8'))).toEqual([[expect.stringContaining('name/*name'), true]]);
});
