import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseProxyHeader } from '../../../../src/engine/http/proxy-protocol.ts';

const v2 = (command: number, family: number, body: readonly number[], size = body.length): Buffer =>
  Buffer.from([...Buffer.from('\r\n\r\n\0\r\nQUIT\n'), command, family, size >> 8, size & 255, ...body]);
const four = [9, 8, 7, 6, 1, 1, 1, 1, 0x12, 0x34, 0, 80];
const six = [0x20, 1, 0xd, 0xb8, ...Array(11).fill(0), 5, ...Array(16).fill(0), 0, 99, 0, 80];

test.each([
  [
    'PROXY TCP4 9.8.7.6 1.1.1.1 4660 80\r\nGET',
    { kind: 'client', length: 36, client: { address: '9.8.7.6', port: 4660 } },
  ],
  [
    'PROXY TCP6 2001:db8::5 ::1 99 80\r\n',
    { kind: 'client', length: 34, client: { address: '2001:db8::5', port: 99 } },
  ],
  ['PROXY UNKNOWN\r\n', { kind: 'local', length: 15 }],
  ['PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n', { kind: 'local', length: 35 }],
  ['P', { kind: 'more' }],
  ['PROXY TCP4 9.8.7.6', { kind: 'more' }],
  ['PUT /v1/a HTTP/1.1\r\n', { kind: 'local', length: 0 }],
  ['\x16\x03\x01', { kind: 'local', length: 0 }],
  ['PROXY TCP4 ::1 1.1.1.1 1 1\r\n', { kind: 'bad' }],
  ['PROXY TCP4 9.8.7.6 1.1.1.1 70000 80\r\n', { kind: 'bad' }],
  ['PROXY TCP4 9.8.7.6, 1.1.1.1 1 80\r\n', { kind: 'bad' }],
  ['PROXY UDP4 9.8.7.6 1.1.1.1 1 80\r\n', { kind: 'bad' }],
  [`PROXY TCP4 ${'1'.repeat(200)}`, { kind: 'bad' }],
])('version 1: %j', (text, expected) => {
  expect(parseProxyHeader(Buffer.from(text, 'latin1'))).toEqual(expected);
});

test.each([
  [
    'a client by IPv4',
    v2(0x21, 0x11, four),
    { kind: 'client', length: 28, client: { address: '9.8.7.6', port: 4660 } },
  ],
  [
    'with extensions',
    v2(0x21, 0x11, [...four, 4, 0, 1, 0]),
    { kind: 'client', length: 32, client: { address: '9.8.7.6', port: 4660 } },
  ],
  [
    'a client by IPv6',
    v2(0x21, 0x21, six),
    { kind: 'client', length: 52, client: { address: '2001:db8::5', port: 99 } },
  ],
  ['the proxy itself', v2(0x20, 0x11, four), { kind: 'local', length: 28 }],
  ['no address', v2(0x21, 0, []), { kind: 'local', length: 16 }],
  ['half of it', v2(0x21, 0x11, four).subarray(0, 20), { kind: 'more' }],
  ['too short an address', v2(0x21, 0x11, [1, 2]), { kind: 'bad' }],
  ['another version', v2(0x11, 0x11, four), { kind: 'bad' }],
  ['too long', v2(0x21, 0x11, four, 60_000), { kind: 'bad' }],
] as const)('version 2: %s', (_name, bytes, expected) => {
  expect(parseProxyHeader(bytes)).toEqual(expected);
});

test('what arrives in pieces is what arrives at once', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(
        v2(0x21, 0x11, four),
        v2(0x21, 0x21, six),
        Buffer.from('PROXY TCP4 9.8.7.6 1.1.1.1 4660 80\r\n'),
      ),
      fc.nat(60),
      (whole, cut) => {
        if (cut === 0 || cut >= whole.length) return;
        expect(parseProxyHeader(whole.subarray(0, cut))).toEqual({ kind: 'more' });
      },
    ),
  );
});

test('whatever comes, reading it ends', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.constantFrom('', 'PROXY ', '\r\n\r\n\0\r\nQUIT\n'),
      (bytes, start) => {
        const text = Buffer.concat([Buffer.from(start, 'latin1'), bytes]);
        const header = parseProxyHeader(text);
        if ('length' in header) expect(header.length).toBeLessThanOrEqual(text.length);
      },
    ),
  );
});
