import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createPki } from '../../../../src/engine/secrets/pki/pki.ts';
import { systemClock } from '../../../../src/lib/clock.ts';
import { systemRandom } from '../../../../src/lib/random.ts';
import { Memory } from '../identity/memory.ts';
import { noManagedKeys } from '../../../../src/engine/logical/managed-key.ts';

// The peer's operations but for ACME and CEL: method, path, flags, query, fields.
const rows = readFileSync(new URL('paths.tsv', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => line.split('\t'));

const { paths } = createPki({
  storage: new Memory(),
  clock: systemClock,
  random: systemRandom,
  openManagedKey: noManagedKeys,
  templateValues: async () => undefined,
});

const OPERATIONS: Readonly<Record<string, string>> = {
  GET: 'read',
  POST: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

describe('every operation of the peer has a row', () => {
  for (const [method = '', path = '', flags = '', query = '', fields = ''] of rows) {
    test(`${method} ${path} ${query}`, () => {
      const found = paths.find(path.slice('/pki/'.length).replace(/\{\w+\}/g, 'x'));
      const operation = query.includes('list') ? 'list' : (OPERATIONS[method] ?? '');
      expect(found?.path.operations).toHaveProperty(operation);
      if (flags.includes('unauth')) expect(found?.path.access).toBe('unauthenticated');
      else if (path !== '/pki/issuers') expect(found?.path.access).not.toBe('unauthenticated');
      if (flags.includes('sudo')) expect(found?.path.access).toBe('sudo');
      const wanted = fields.split(' ').map((field) => field.split(':')[0] ?? '');
      const missing = wanted.filter((name) => name !== '' && found?.path.fields[name] === undefined);
      expect(missing).toEqual([]);
    });
  }
});
