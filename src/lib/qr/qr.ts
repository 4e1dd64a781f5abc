import { toCodewords } from './codewords.ts';
import { Grid } from './grid.ts';
import { penalty } from './penalty.ts';

/** The conditions under which the eight masks turn a module over (ISO/IEC 18004 table 10). */
const MASKS: readonly ((x: number, y: number) => boolean)[] = [
  (x, y) => (x + y) % 2 === 0,
  (_x, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

/**
 * A QR code of bytes at level M (ISO/IEC 18004): rows of modules, dark ones true, without the margin.
 * @returns undefined for more than 2,331 bytes
 */
export function qrCode(data: Uint8Array): readonly (readonly boolean[])[] | undefined {
  const codewords = toCodewords(data);
  if (codewords === undefined) return undefined;
  const { version, bytes } = codewords;
  let best: { readonly rows: boolean[][]; readonly cost: number } | undefined;
  for (const [mask, turns] of MASKS.entries()) {
    const grid = new Grid(version, mask);
    grid.fill(bytes, turns);
    const cost = penalty(grid.rows);
    if (best === undefined || cost < best.cost) best = { rows: grid.rows, cost };
  }
  return best?.rows;
}
