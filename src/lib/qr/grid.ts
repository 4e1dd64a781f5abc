/** The modules of a QR code: those that are the same for every message are set by the constructor. */
export class Grid {
  readonly rows: boolean[][];
  readonly #fixed: boolean[][];
  readonly #size: number;

  /** @param mask 0 to 7 */
  constructor(version: number, mask: number) {
    const size = version * 4 + 17;
    this.#size = size;
    const empty = (): boolean[][] => Array.from({ length: size }, () => Array<boolean>(size).fill(false));
    this.rows = empty();
    this.#fixed = empty();
    for (let index = 0; index < size; index += 1) {
      this.#set(6, index, index % 2 === 0);
      this.#set(index, 6, index % 2 === 0);
    }
    this.#finder(3, 3);
    this.#finder(size - 4, 3);
    this.#finder(3, size - 4);
    const places = alignments(version, size);
    const last = places.length - 1;
    for (const [row, y] of places.entries())
      for (const [column, x] of places.entries()) {
        const isFinder = (row === 0 && (column === 0 || column === last)) || (row === last && column === 0);
        if (!isFinder) this.#square(x, y, 2, (distance) => distance !== 1);
      }
    this.#format(mask);
    if (version >= 7) this.#version(version);
  }

  /** Writes codewords from the lower right, two columns at a time, up and down in turn. */
  fill(bytes: Uint8Array, turns: (x: number, y: number) => boolean): void {
    const size = this.#size;
    let index = 0;
    for (let right = size - 1; right >= 1; right -= 2) {
      if (right === 6) right = 5;
      const upward = ((right + 1) & 2) === 0;
      for (let step = 0; step < size; step += 1) {
        const y = upward ? size - 1 - step : step;
        for (const x of [right, right - 1]) {
          if (this.#fixed[y]?.[x] === true) continue;
          const bit = ((bytes[index >> 3] ?? 0) >> (7 - (index & 7))) & 1;
          index += 1;
          const row = this.rows[y];
          if (row !== undefined) row[x] = (bit === 1) !== turns(x, y);
        }
      }
    }
  }

  #set(x: number, y: number, dark: boolean): void {
    const [row, fixed] = [this.rows[y], this.#fixed[y]];
    if (row === undefined || fixed === undefined || x < 0 || x >= this.#size) return;
    row[x] = dark;
    fixed[x] = true;
  }

  #finder(x: number, y: number): void {
    this.#square(x, y, 4, (distance) => distance !== 2 && distance !== 4);
  }

  #square(x: number, y: number, reach: number, isDark: (distance: number) => boolean): void {
    for (let dy = -reach; dy <= reach; dy += 1)
      for (let dx = -reach; dx <= reach; dx += 1)
        this.#set(x + dx, y + dy, isDark(Math.max(Math.abs(dx), Math.abs(dy))));
  }

  // Level M is 00; the code that guards it is masked itself (ISO/IEC 18004 §7.9).
  #format(mask: number): void {
    const bits = guarded(mask, 10, 0x537) ^ 0x5412;
    const bit = (index: number): boolean => ((bits >> index) & 1) === 1;
    const size = this.#size;
    for (let index = 0; index < 6; index += 1) this.#set(8, index, bit(index));
    this.#set(8, 7, bit(6));
    this.#set(8, 8, bit(7));
    this.#set(7, 8, bit(8));
    for (let index = 9; index < 15; index += 1) this.#set(14 - index, 8, bit(index));
    for (let index = 0; index < 8; index += 1) this.#set(size - 1 - index, 8, bit(index));
    for (let index = 8; index < 15; index += 1) this.#set(8, size - 15 + index, bit(index));
    this.#set(8, size - 8, true);
  }

  #version(version: number): void {
    const bits = guarded(version, 12, 0x1f25);
    for (let index = 0; index < 18; index += 1) {
      const dark = ((bits >> index) & 1) === 1;
      const [far, near] = [this.#size - 11 + (index % 3), Math.floor(index / 3)];
      this.#set(far, near, dark);
      this.#set(near, far, dark);
    }
  }
}

/** A number with the bits of a BCH code after it. */
function guarded(value: number, bits: number, polynomial: number): number {
  let rest = value;
  for (let round = 0; round < bits; round += 1) rest = (rest << 1) ^ ((rest >>> (bits - 1)) * polynomial);
  return (value << bits) | rest;
}

/** Centres of alignment patterns, by row and by column alike. */
function alignments(version: number, size: number): number[] {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const step = Math.floor((version * 8 + count * 3 + 5) / (count * 4 - 4)) * 2;
  const places = [6];
  for (let index = count - 2; index >= 0; index -= 1) places.push(size - 7 - index * step);
  return places;
}
