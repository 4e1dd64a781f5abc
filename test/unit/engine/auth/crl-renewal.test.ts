import { expect, test } from 'vitest';
import { CertStore, type RevocationList } from '../../../../src/engine/auth/cert/store.ts';

import { Memory } from '../identity/memory.ts';

test('a list that is removed or written while it is fetched again stays so', async () => {
  const store = new CertStore(new Memory());
  const list = (serial: string): RevocationList => ({
    source: { url: 'http://a', validUntil: 1 },
    serials: [serial],
  });
  await store.putList('A', list('1'));
  const before = await store.list('a');
  if (before === undefined) throw new Error('the list is not there');
  await store.deleteList('a');
  await store.renewList('a', before, list('2'));
  expect(await store.list('a')).toBeUndefined();
  await store.putList('a', list('3'));
  await store.renewList('a', before, list('2'));
  expect((await store.list('a'))?.serials).toEqual(['3']);
  await store.renewList('a', list('3'), list('4'));
  expect((await store.list('a'))?.serials).toEqual(['4']);
});
