import { describe, expect, test } from 'vitest';
import { type InterfaceAddress, renderAddress, systemInterfaces } from '../../../src/lib/address-template.ts';

const of = (name: string, address: string, prefix: number, more: Partial<InterfaceAddress> = {}) => ({
  name,
  address,
  prefix,
  loopback: false,
  isDefault: false,
  ...more,
});
const machine = [
  of('lo', '127.0.0.1', 8, { loopback: true }),
  of('lo', '::1', 128, { loopback: true }),
  of('eth1', '192.168.5.9', 24),
  of('eth0', '10.1.2.3', 16, { isDefault: true }),
  of('eth0', 'fe80::1', 64, { isDefault: true }),
  of('eth0', 'fd00::7', 64, { isDefault: true }),
  of('wan', '198.41.0.4', 30),
];
const render = (text: string): string => renderAddress(text, () => machine);

describe('address templates', () => {
  test.each([
    ['127.0.0.1:8200', '127.0.0.1:8200'],
    ['{{ GetPrivateIP }}:8200', '10.1.2.3:8200'],
    ['https://{{GetPrivateIP}}:8200', 'https://10.1.2.3:8200'],
    ['{{ GetPublicIP }}:8200', '198.41.0.4:8200'],
    ['{{ GetInterfaceIP "eth1" }}:1', '192.168.5.9:1'],
    ['{{ GetInterfaceIP `eth0` }}:1', '10.1.2.3:1'],
    ['{{ GetAllInterfaces | include "network" "10.0.0.0/8" | attr "address" }}:1', '10.1.2.3:1'],
    [
      '{{ GetAllInterfaces | include "name" "lo" | include "type" "IPv4" | attr "address" }}:1',
      '127.0.0.1:1',
    ],
    ['[{{ GetAllInterfaces | include "RFC" "4193" | join "address" " " }}]:1', '[fd00::7]:1'],
    [
      '{{ GetAllInterfaces | exclude "flags" "loopback" | sort "-size" | limit 1 | attr "address" }}:1',
      '10.1.2.3:1',
    ],
    ['{{ GetPrivateInterfaces | sort "address" | offset 1 | attr "name" }}:1', 'eth1:1'],
    ['{{ GetDefaultInterfaces | include "type" "IPv4" | attr "address" }}:1', '10.1.2.3:1'],
  ])('%s', (text, expected) => {
    expect(render(text)).toBe(expected);
  });

  test.each([
    ['{{ GetInterfaceIP "nosuch" }}:8200', /finds no address/],
    ['{{ GetPrivateIPs }}', /several/],
    ['{{ GetHostname }}:8200', /GetHostname/],
    ['{{ GetAllInterfaces | fly "x" | attr "address" }}', /fly/],
    ['{{ GetAllInterfaces }}', /attr or join/],
    ['{{ GetAllInterfaces | include "flags" "pointtopoint" | attr "address" }}', /pointtopoint/],
    ['{{ env ${x} }}', /cannot be read/],
  ])('%s is refused', (text, message) => {
    expect(() => render(text)).toThrow(message);
  });

  test('the addresses of this machine', () => {
    expect(systemInterfaces().find(({ address }) => address === '127.0.0.1')).toMatchObject({
      loopback: true,
    });
  });
});
