import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { isCidr, isInBlocks } from './cidr.ts';
import { SealedVaultError } from './errors.ts';

/** An address of this machine. */
export interface InterfaceAddress {
  readonly name: string;
  readonly address: string;
  /** Bits of the network's prefix. */
  readonly prefix: number;
  readonly loopback: boolean;
  /** Whether the default route goes out by this interface. */
  readonly isDefault: boolean;
}

/** A template that cannot be evaluated. */
export class AddressTemplateInvalid extends SealedVaultError {
  override readonly code = 'ERR_CONFIG_INVALID';
}

type Value = readonly InterfaceAddress[] | string;

const TEMPLATE = /\{\{([^{}]*)\}\}/g;
const WORD = /\s*(?:"((?:[^"\\]|\\.)*)"|`([^`]*)`|(-?\w+)|(\|))/gy;
/** Forwardable blocks of RFC 6890: what go-sockaddr calls private. */
const PRIVATE = [
  '10.0.0.0/8',
  '100.64.0.0/10',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '198.18.0.0/15',
  'fc00::/7',
];
/** The blocks of RFC 6890 that no router forwards. */
const SPECIAL =
  '0.0.0.0/8 127.0.0.0/8 169.254.0.0/16 192.0.0.0/24 192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 ::/127 fe80::/10 2001:db8::/32 ff00::/8'.split(
    ' ',
  );
const RFCS: Readonly<Record<string, readonly string[]>> = {
  1918: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'],
  4193: ['fc00::/7'],
  6598: ['100.64.0.0/10'],
  6890: [...PRIVATE, ...SPECIAL],
};

/**
 * Evaluates the templates in an address, such as `{{ GetPrivateIP }}:8200` or
 * `{{ GetAllInterfaces | include "network" "10.0.0.0/8" | attr "address" }}` (hashicorp/go-sockaddr, package template).
 * A text without a template is returned as it is.
 * @param interfaces the addresses of the machine
 * @throws ERR_CONFIG_INVALID for a function that is not supported, none or several addresses
 */
export function renderAddress(text: string, interfaces: () => readonly InterfaceAddress[]): string {
  const rendered = text.replaceAll(TEMPLATE, (_whole, body: string) => evaluate(body, interfaces));
  if (rendered.includes('{{'))
    throw new AddressTemplateInvalid('an address template cannot be read', {
      hint: 'write functions, texts in quotes and |, between {{ and }}',
    });
  if (rendered === text) return text;
  const [first, ...others] = rendered.split(' ').filter((part) => part !== '');
  if (first === undefined || /^(?::|$)/.test(first) || rendered.includes('://:'))
    throw new AddressTemplateInvalid('an address template finds no address', {
      hint: 'write the address itself, or a template that fits this machine',
    });
  if (others.length > 0)
    throw new AddressTemplateInvalid('an address template finds several addresses', {
      hint: 'add | limit 1 before attr, or write the address itself',
    });
  return first;
}

function evaluate(body: string, interfaces: () => readonly InterfaceAddress[]): string {
  const calls: string[][] = [[]];
  WORD.lastIndex = 0;
  let end = 0;
  for (let match = WORD.exec(body); match !== null; match = WORD.exec(body)) {
    end = WORD.lastIndex;
    const [, quoted, raw, word, pipe] = match;
    if (pipe === undefined) calls.at(-1)?.push(quoted?.replaceAll(/\\(.)/g, '$1') ?? raw ?? word ?? '');
    else calls.push([]);
  }
  if (body.slice(end).trim() !== '')
    throw new AddressTemplateInvalid('an address template cannot be read', {
      hint: 'write functions with quoted arguments between pipes, such as {{ GetInterfaceIP "eth0" }}',
    });
  const [source = [], ...filters] = calls;
  let value = start(source, interfaces());
  for (const call of filters) value = filter(value, call);
  if (typeof value !== 'string') throw unsupported('a template that ends without attr or join');
  return value;
}

function start([name = '', argument]: readonly string[], all: readonly InterfaceAddress[]): Value {
  const addresses = (found: readonly InterfaceAddress[]): string =>
    found.map((each) => each.address).join(' ');
  const shared = (): readonly InterfaceAddress[] => all.filter((each) => isInBlocks(each.address, PRIVATE));
  const open = (): readonly InterfaceAddress[] =>
    all.filter((each) => !isInBlocks(each.address, [...PRIVATE, ...SPECIAL]));
  switch (name) {
    case 'GetAllInterfaces':
      return all;
    case 'GetDefaultInterfaces':
      return sorted(all.filter((each) => each.isDefault));
    case 'GetPrivateInterfaces':
      return sorted(shared());
    case 'GetPublicInterfaces':
      return sorted(open());
    case 'GetPrivateIP':
      return addresses(sorted(shared()).slice(0, 1));
    case 'GetPrivateIPs':
      return addresses(sorted(shared()));
    case 'GetPublicIP':
      return addresses(sorted(open()).slice(0, 1));
    case 'GetPublicIPs':
      return addresses(sorted(open()));
    case 'GetInterfaceIP':
      return addresses(sorted(named(all, argument)).slice(0, 1));
    case 'GetInterfaceIPs':
      return addresses(sorted(named(all, argument)));
    default:
      throw unsupported(name);
  }
}

function named(all: readonly InterfaceAddress[], name: string | undefined): readonly InterfaceAddress[] {
  if (name === undefined || name === '') throw unsupported('GetInterfaceIP without the name of an interface');
  return all.filter((each) => each.name === name);
}

function filter(value: Value, [name = '', first = '', second = '']: readonly string[]): Value {
  if (typeof value === 'string') throw unsupported(`${name} after a function that gives text`);
  switch (name) {
    case 'include':
      return value.filter((each) => matches(each, first, second));
    case 'exclude':
      return value.filter((each) => !matches(each, first, second));
    case 'sort':
      return sorted(value, first);
    case 'limit':
      return value.slice(0, count(first, name));
    case 'offset':
      return value.slice(count(first, name));
    case 'unique':
      return [...new Map(value.map((each) => [attribute(each, first), each])).values()];
    case 'attr':
      return value.length === 0 ? '' : attribute(value[0], first);
    case 'join':
      return value.map((each) => attribute(each, first)).join(second);
    default:
      throw unsupported(name);
  }
}

function matches(each: InterfaceAddress, kind: string, wanted: string): boolean {
  const any = wanted.split('|').map((part) => part.trim());
  switch (kind.toLowerCase()) {
    case 'address':
      return any.includes(each.address);
    case 'name':
      return any.includes(each.name);
    case 'network':
      if (!any.every(isCidr)) throw unsupported('a network that is no block of addresses');
      return any.some((block) => isInBlocks(each.address, [block]));
    case 'rfc':
      return any.some((rfc) => {
        const blocks = RFCS[rfc];
        if (blocks === undefined) throw unsupported(`RFC ${rfc}`);
        return isInBlocks(each.address, blocks);
      });
    case 'size':
      return any.includes(attribute(each, 'size'));
    case 'type':
      return any.some((type) => isOfType(each, type));
    case 'flag':
    case 'flags':
      return any.every((flag) => hasFlag(each, flag));
    default:
      throw unsupported(`the filter ${kind}`);
  }
}

function isOfType({ address }: InterfaceAddress, type: string): boolean {
  const lower = type.toLowerCase();
  if (lower === 'ip') return true;
  if (lower === 'ipv4' || lower === 'ipv6') return isIP(address) === Number(lower.slice(3));
  throw unsupported(`the type ${type}`);
}

function hasFlag(each: InterfaceAddress, flag: string): boolean {
  switch (flag.toLowerCase()) {
    // Only interfaces that are up are listed.
    case 'up':
      return true;
    case 'loopback':
      return each.loopback;
    case 'forwardable':
      return !isInBlocks(each.address, SPECIAL);
    default:
      throw unsupported(`the flag ${flag}`);
  }
}

function attribute(each: InterfaceAddress | undefined, name: string): string {
  if (each === undefined) return '';
  switch (name.toLowerCase()) {
    case 'address':
    case 'host':
      return each.address;
    case 'name':
      return each.name;
    case 'type':
      return `IPv${isIP(each.address)}`;
    case 'network':
    case 'string':
      return `${each.address}/${each.prefix}`;
    case 'size':
      return String(2n ** BigInt((isIP(each.address) === 6 ? 128 : 32) - each.prefix));
    default:
      throw unsupported(`the attribute ${name}`);
  }
}

function sorted(all: readonly InterfaceAddress[], by = 'default,type,size'): readonly InterfaceAddress[] {
  const keys = by.split(',').map((key) => key.trim());
  return all.toSorted((a, b) => {
    for (const key of keys) {
      const ascending = !key.startsWith('-');
      const order = compare(a, b, key.replace(/^[+-]/, ''));
      if (order !== 0) return ascending ? order : -order;
    }
    return 0;
  });
}

function compare(a: InterfaceAddress, b: InterfaceAddress, key: string): number {
  switch (key) {
    case 'default':
      return Number(b.isDefault) - Number(a.isDefault);
    case 'type':
      return isIP(a.address) - isIP(b.address);
    case 'size':
      return b.prefix - a.prefix;
    case 'name':
    case 'address':
      return attribute(a, key) < attribute(b, key) ? -1 : Number(attribute(a, key) !== attribute(b, key));
    case 'private':
      return Number(isInBlocks(b.address, PRIVATE)) - Number(isInBlocks(a.address, PRIVATE));
    default:
      throw unsupported(`sort by ${key}`);
  }
}

function count(text: string, name: string): number {
  if (!/^\d{1,4}$/.test(text)) throw unsupported(`${name} without a number`);
  return Number(text);
}

function unsupported(what: string): AddressTemplateInvalid {
  return new AddressTemplateInvalid(`an address template uses what is not supported: ${what.slice(0, 60)}`, {
    hint: 'docs/configuration.md lists the functions of address templates',
  });
}

/** The addresses of this machine, and by which interface its default route goes out. */
export function systemInterfaces(): readonly InterfaceAddress[] {
  const byDefault = defaultInterfaces();
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.map(({ address, cidr, internal }) => ({
      name,
      address,
      prefix: Number(cidr?.split('/')[1] ?? (isIP(address) === 6 ? 128 : 32)),
      loopback: internal,
      isDefault: byDefault.has(name),
    })),
  );
}

// proc(5): the second column of /proc/net/route is the destination in hexadecimal.
function defaultInterfaces(): ReadonlySet<string> {
  try {
    const rows = readFileSync('/proc/net/route', 'utf8').split('\n').slice(1);
    return new Set(
      rows.map((row) => row.split('\t')).flatMap(([name, to]) => (name && to === '00000000' ? [name] : [])),
    );
  } catch {
    return new Set();
  }
}
