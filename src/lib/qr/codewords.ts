import { concat } from '../bytes.ts';
import { errorCorrection } from './reed-solomon.ts';

/** Codewords for errors in each block of a version, at level M (ISO/IEC 18004 table 9). */
const CORRECTION: readonly number[] = [
  10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26, 26, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28,
];
/** Blocks of a version, at level M. */
const BLOCKS: readonly number[] = [
  1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16, 17, 17, 18, 20, 21, 23, 25, 26, 28, 29,
  31, 33, 35, 37, 38, 40, 43, 45, 47, 49,
];
const VERSIONS = BLOCKS.length;

/** Modules of a version that hold data: all but patterns and what is said of the format. */
function dataModules(version: number): number {
  let modules = (16 * version + 128) * version + 64;
  if (version >= 2) {
    const marks = Math.floor(version / 7) + 2;
    modules -= (25 * marks - 10) * marks - 55;
    if (version >= 7) modules -= 36;
  }
  return modules;
}

/** What a QR code says: its version (1 to 40) and its codewords in the order of its modules. */
export interface Codewords {
  readonly version: number;
  readonly bytes: Uint8Array;
}

/** Bytes as codewords of the smallest version at level M. @returns undefined when no version is large enough */
export function toCodewords(data: Uint8Array): Codewords | undefined {
  for (let version = 1; version <= VERSIONS; version += 1) {
    const blocks = BLOCKS[version - 1] ?? 0;
    const correction = CORRECTION[version - 1] ?? 0;
    const total = Math.floor(dataModules(version) / 8);
    const capacity = total - blocks * correction;
    const header = version < 10 ? 2 : 3;
    // The mode takes half a byte, and so does the end.
    if (data.length + header > capacity) continue;
    const message = toMessage(data, version, capacity);
    return { version, bytes: interleave(message, { blocks, correction, total }) };
  }
  return undefined;
}

function toMessage(data: Uint8Array, version: number, capacity: number): Uint8Array {
  const length = version < 10 ? [data.length] : [data.length >> 8, data.length & 255];
  // Byte mode is 0100; every byte after it is shifted by that half.
  const shifted = [4, ...[...length, ...data].flatMap((byte) => [byte >> 4, byte & 15]), 0];
  const message = new Uint8Array(capacity);
  for (let index = 0; index < capacity; index += 1) {
    const [high, low] = [shifted[2 * index], shifted[2 * index + 1]];
    message[index] = high === undefined ? 0 : (high << 4) | (low ?? 0);
  }
  const used = Math.ceil(shifted.length / 2);
  for (let index = used; index < capacity; index += 1)
    message[index] = (index - used) % 2 === 0 ? 0xec : 0x11;
  return message;
}

// The first blocks are one byte shorter when the bytes do not divide evenly.
function interleave(
  message: Uint8Array,
  {
    blocks,
    correction,
    total,
  }: { readonly blocks: number; readonly correction: number; readonly total: number },
): Uint8Array {
  const short = Math.floor(total / blocks) - correction;
  const shortBlocks = blocks - (total % blocks);
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (let index = 0; index < blocks; index += 1) {
    const size = index < shortBlocks ? short : short + 1;
    parts.push(message.subarray(offset, offset + size));
    offset += size;
  }
  const data: number[] = [];
  for (let column = 0; column <= short; column += 1)
    for (const part of parts) if (column < part.length) data.push(part[column] ?? 0);
  const corrections = parts.map((part) => errorCorrection(part, correction));
  const rest: number[] = [];
  for (let column = 0; column < correction; column += 1)
    for (const part of corrections) rest.push(part[column] ?? 0);
  return concat(Uint8Array.from(data), Uint8Array.from(rest));
}
