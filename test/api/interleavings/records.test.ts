import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createInmem } from '../../../src/engine/physical/inmem.ts';
import { openLmdb } from '../../../src/engine/physical/lmdb.ts';
import type { Physical } from '../../../src/engine/physical/physical.ts';
import { seeded } from '../../seal/fault-schedule.ts';
import { slowPhysical } from '../../support/slow-physical.ts';
import { prepare, records } from './records.ts';
import type { Record, Step } from './races.ts';
import { World } from './world.ts';

const SEED = Number(process.env['SEALEDVAULT_RACE_SEED'] ?? '1');
const ROUNDS = Number(process.env['SEALEDVAULT_RACE_ROUNDS'] ?? '1');

const NAMES = records({ certificate: '', publicKey: '', crl: '', accessor: '' }).map((each) => each.name);
const folder = mkdtempSync(join(tmpdir(), 'sealedvault-races-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each([
  ['a storage with delays', () => Promise.resolve<Physical>(createInmem())],
  ['LMDB', () => openLmdb({ path: join(folder, 'data') })],
])('on %s, two writes of one record end as if one had come after the other', (name, open) => {
  let world: World;
  let all: Record[];
  let storage: ReturnType<typeof slowPhysical>;
  let count = 0;
  beforeAll(async () => {
    storage = slowPhysical(await open(), seeded(SEED));
    storage.slow = false;
    world = await World.open(storage);
    all = records(await prepare(world));
  });
  afterAll(async () => world.stop());

  test.each(NAMES)('%s', async (recordName) => {
    const record = all.find((each) => each.name === recordName);
    if (record === undefined) throw new Error(`no record is called ${recordName}`);
    const problems: string[] = [];
    for (const [at, one] of record.changes.entries()) {
      for (const other of record.changes.slice(at)) {
        const after = [await run(record, [[one], [other]]), await run(record, [[other], [one]], true)];
        for (let round = 0; round < ROUNDS; round += 1) {
          storage.slow = name !== 'LMDB' || round > 0;
          const seen = await run(record, [[one, other]]);
          storage.slow = false;
          if (!after.includes(seen))
            problems.push(`${text(one)} beside ${text(other)}: ${differing(seen, after)}`);
        }
      }
    }
    expect(problems).toEqual([]);
  });

  /** Makes a new record, runs steps (those of one list at once), and looks. @returns what there is to see, without what is random */
  async function run(record: Record, order: readonly (readonly Step[])[], swapped = false): Promise<string> {
    count += 1;
    const known = new Map([['', `r${count}x`]]);
    const filled = (text: string): string =>
      text.replaceAll(/\{(\w*)\}/g, (whole, key: string) => known.get(key) ?? whole);
    const call = ({ method, path, body }: Step) =>
      world.call(
        method,
        filled(path),
        JSON.parse(JSON.stringify(body ?? {}), (_key, value: unknown) =>
          typeof value === 'string' ? filled(value) : value,
        ),
      );
    for (const [index, step] of record.made.entries()) {
      const { status, body } = await call(step);
      if (status >= 300) throw new Error(`${text(step)} answered ${status}: ${JSON.stringify(body)}`);
      const key = step.as ?? (index === 0 ? 'id' : undefined);
      const data = body?.data ?? {};
      const value = key === undefined ? undefined : (data[key] ?? data['id'] ?? data['method_id']);
      if (key !== undefined && typeof value === 'string') known.set(key, value);
    }
    const statuses: number[] = [];
    for (const together of order)
      for (const { status } of await Promise.all(together.map(call))) statuses.push(status);
    if (swapped) statuses.reverse();
    const looks: unknown[] = [];
    for (const step of record.looks) {
      const { status, body } = await call(step);
      looks.push([status, status < 300 ? (body?.data ?? null) : null]);
    }
    return masked(JSON.stringify({ statuses, looks }), known);
  }
});

function masked(seen: string, known: ReadonlyMap<string, string>): string {
  let plain = seen;
  for (const [key, value] of known) plain = plain.replaceAll(value, `{${key}}`);
  return plain
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replaceAll(/\b1[6-9]\d{8}\b/g, 'SECONDS')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'UUID')
    .replaceAll(/\b(\w+_)?[0-9a-f]{8}\b/g, 'HEX')
    .replaceAll(/(?:[0-9a-f]{2}:){7,}[0-9a-f]{2}/g, 'SERIAL')
    .replaceAll(/-----BEGIN.*?-----END [A-Z ]+-----/g, 'PEM')
    .replaceAll(/hv[sb]\.[\w-]+/g, 'TOKEN')
    .replaceAll(/[\w+/=-]{28,}/g, 'RANDOM');
}

// Where what was seen leaves what both orders have.
function differing(seen: string, after: readonly string[]): string {
  const at = Math.min(
    ...after.map((each) => Array.from(seen).findIndex((letter, index) => letter !== each[index])),
  );
  const part = (whole: string): string => whole.slice(Math.max(0, at - 40), at + 80);
  return `…${part(seen)}… is neither …${after.map(part).join('… nor …')}…`;
}

function text({ method, path, body }: Step): string {
  return `${method} ${path} ${JSON.stringify(body ?? {})}`;
}
