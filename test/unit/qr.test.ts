import { expect, test } from 'vitest';
import { barcode } from '../../src/lib/qr/barcode.ts';
import { scan } from '../api/support/barcode.ts';

const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789:/?=&%';
const sample = (length: number): string =>
  Array.from({ length }, (_unused, index) => LETTERS[(index * 7 + length) % LETTERS.length]).join('');

test.each([1, 14, 15, 100, 106, 213, 214, 500, 1200, 2331])('a code of %i bytes is read back', (length) => {
  const content = sample(length);
  // Wide enough for a light margin of four modules on every side.
  expect(scan(barcode(content, 950) ?? '')).toBe(content);
});

test('what does not fit is no code', () => {
  expect(barcode(sample(2332), 1000)).toBeUndefined();
  expect(barcode('x', 20)).toBeUndefined();
  expect(barcode('x', 8193)).toBeUndefined();
  expect(barcode('x', 21)).toBeDefined();
});
