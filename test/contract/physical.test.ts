import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInmem } from '../../src/engine/physical/inmem.ts';
import { createLmdb } from '../../src/engine/physical/lmdb.ts';
import { describePhysical } from './physical.ts';

describePhysical('inmem', () => Promise.resolve(createInmem()));
describePhysical('lmdb', () =>
  Promise.resolve(createLmdb({ path: mkdtempSync(join(tmpdir(), 'sealedvault-lmdb-')) })),
);
