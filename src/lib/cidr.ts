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
