import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Physical } from '../../src/engine/physical/physical.ts';

/** The suite that every storage backend passes. make is called once a test. */
export function describePhysical(name: string, make: () => Promise<Physical>): void {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const put = (key: string, value: string) => ({ type: 'put', key, value: bytes(value) }) as const;
  const remove = (key: string) => ({ type: 'delete', key }) as const;

  describe(`physical › ${name}`, () => {
    test('what was put is read back, and a missing key is undefined', async () => {
      const physical = await make();
      await physical.write([put('a/b', 'one')]);
      expect(await physical.get('a/b')).toEqual(bytes('one'));
      expect(await physical.get('a')).toBeUndefined();
      expect(await physical.get('a/')).toBeUndefined();
      await physical.close();
    });

    test('a batch is applied in its order', async () => {
      const physical = await make();
      await physical.write([put('k', '1'), remove('k'), put('k', '2'), put('l', '3'), remove('l')]);
      expect(await physical.get('k')).toEqual(bytes('2'));
      expect(await physical.get('l')).toBeUndefined();
      await physical.close();
    });

    test('a key that cannot be stored fails the whole batch, and the next write works', async () => {
      const physical = await make();
      await expect(physical.write([put('good', '1'), put('x'.repeat(1901), '2')])).rejects.toMatchObject({
        code: 'ERR_PHYSICAL',
      });
      await expect(physical.write([put('', '2')])).rejects.toMatchObject({ code: 'ERR_PHYSICAL' });
      expect(await physical.get('good')).toBeUndefined();
      expect(await physical.get('x'.repeat(5000))).toBeUndefined();
      await physical.write([put('y'.repeat(1900), '3'), put('good', '4')]);
      expect(await physical.get('good')).toEqual(bytes('4'));
      await physical.close();
    });

    test('what the caller does to its buffers afterwards changes nothing', async () => {
      const physical = await make();
      const value = bytes('mine');
      const done = physical.write([{ type: 'put', key: 'k', value }]);
      await done;
      value.fill(0);
      const read = await physical.get('k');
      read?.fill(0);
      expect(await physical.get('k')).toEqual(bytes('mine'));
      await physical.close();
    });

    test('list shows children once, pages by after and limit', async () => {
      const physical = await make();
      await physical.write(
        ['p/a', 'p/b/1', 'p/b/2', 'p/b', 'p/b0', 'p/c/x/y', 'q'].map((key) => put(key, '')),
      );
      expect(await physical.list('p/')).toEqual(['a', 'b', 'b/', 'b0', 'c/']);
      expect(await physical.list('p/', { after: 'b' })).toEqual(['b/', 'b0', 'c/']);
      expect(await physical.list('p/', { after: 'b/' })).toEqual(['b0', 'c/']);
      expect(await physical.list('p/', { limit: 2 })).toEqual(['a', 'b']);
      expect(await physical.list('')).toEqual(['p/', 'q']);
      expect(await physical.list('none/')).toEqual([]);
      await physical.close();
    });

    test('behaves as a map under any sequence of batches', async () => {
      const key = fc
        .stringMatching(/^[ab\u00e9/]{1,5}$/)
        .filter((text) => !text.startsWith('/') && !text.includes('//'));
      const operation = fc.oneof(
        fc.record({ type: fc.constant('put' as const), key, value: fc.uint8Array({ maxLength: 8 }) }),
        fc.record({ type: fc.constant('delete' as const), key }),
      );
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(operation, { maxLength: 5 }), { maxLength: 12 }),
          async (batches) => {
            const physical = await make();
            const model = new Map<string, Uint8Array>();
            for (const batch of batches) {
              if (batch.length > 0) await physical.write(batch);
              for (const each of batch) {
                if (each.type === 'put') model.set(each.key, each.value);
                else model.delete(each.key);
              }
            }
            for (const [each, value] of model)
              expect(await physical.get(each)).toEqual(new Uint8Array(value));
            for (const prefix of ['', 'a/', 'b/', 'a/b/']) {
              const names = new Set<string>();
              for (const each of model.keys()) {
                if (!each.startsWith(prefix)) continue;
                const [head, ...tail] = each.slice(prefix.length).split('/');
                if (tail.length > 0) names.add(`${head}/`);
                else if (head !== '') names.add(head ?? '');
              }
              const sorted = [...names].toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
              expect(await physical.list(prefix)).toEqual(sorted);
            }
            await physical.close();
          },
        ),
        { numRuns: 40 },
      );
    });
  });
}
