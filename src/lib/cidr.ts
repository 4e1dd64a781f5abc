import { BlockList, isIP } from 'node:net';

/** @returns whether an address is in one of the blocks (`10.0.0.0/8`, `::1`); without blocks, every address is */
export function isInBlocks(address: string, blocks: readonly string[]): boolean {
  if (blocks.length === 0) return true;
  const plain = /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(address) ? address.slice(7) : address;
  const family = isIP(plain);
  if (family === 0) return false;
  const list = new BlockList();
  for (const block of blocks) {
    const [base = '', bits] = block.split('/');
    const kind = isIP(base) === 6 ? 'ipv6' : 'ipv4';
    if (isIP(base) === 0) continue;
    if (bits === undefined) list.addAddress(base, kind);
    else list.addSubnet(base, Number(bits), kind);
  }
  return list.check(plain, family === 6 ? 'ipv6' : 'ipv4');
}

/** @returns whether a text is an address or a block of addresses. */
export function isCidr(text: string): boolean {
  const [address = '', bits, more] = text.split('/');
  const family = isIP(address);
  if (family === 0 || more !== undefined) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}

/** @returns whether a text is a block of addresses such as `10.0.0.0/8` */
export function isBlock(text: string): boolean {
  const [base = '', bits = '', more] = text.split('/');
  const family = isIP(base);
  return family !== 0 && more === undefined && /^\d{1,3}$/.test(bits) && Number(bits) <= sizeOf(family);
}

/** @returns whether every block or address lies in one of the others; without others, everything does */
export function isSubset(blocks: readonly string[], of: readonly string[]): boolean {
  return of.length === 0 || blocks.every((inner) => of.some((outer) => contains(outer, inner)));
}

function contains(outer: string, inner: string): boolean {
  const [base = '', bits] = inner.split('/');
  const [, outerBits] = outer.split('/');
  const size = sizeOf(isIP(base));
  return Number(bits ?? size) >= Number(outerBits ?? size) && isInBlocks(base, [outer]);
}

function sizeOf(family: number): number {
  return family === 6 ? 128 : 32;
}
