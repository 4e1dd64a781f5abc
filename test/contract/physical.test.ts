import { mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createInmem } from '../../src/engine/physical/inmem.ts';
import { openLmdb } from '../../src/engine/physical/lmdb.ts';
import { describePhysical } from './physical.ts';

describePhysical('inmem', () => Promise.resolve(createInmem()));
describePhysical('lmdb', () => openLmdb({ path: mkdtempSync(join(tmpdir(), 'sealedvault-lmdb-')) }));

test('physical › lmdb › a folder is opened by one at a time', async () => {
  const path = mkdtempSync(join(tmpdir(), 'sealedvault-lmdb-'));
  const first = await openLmdb({ path });
  await expect(openLmdb({ path })).rejects.toMatchObject({ code: 'ERR_PHYSICAL' });
  await first.close();
  await (await openLmdb({ path })).close();
});

test.each(['vault.d', 'data.1.2', '.hidden', 'vault.d/', 'plain'])(
  'physical › lmdb › the folder %s keeps what is written over a restart',
  async (name) => {
    const path = join(mkdtempSync(join(tmpdir(), 'sealedvault-lmdb-')), name);
    const first = await openLmdb({ path });
    await first.write([{ type: 'put', key: 'a/b', value: Uint8Array.of(1, 2) }]);
    await first.close();
    expect(readdirSync(path)).toContain('data.mdb');
    const again = await openLmdb({ path });
    expect(await again.get('a/b')).toEqual(Uint8Array.of(1, 2));
    await again.close();
  },
);
