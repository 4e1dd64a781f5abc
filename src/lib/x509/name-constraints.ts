import { isIP } from 'node:net';
import { concat, text, utf8 } from '../bytes.ts';
import { isInBlocks } from '../cidr.ts';
import { readDer, type DerItem, writeDer } from './der.ts';

/** Names by their kinds; of constraints, addresses are blocks such as `10.0.0.0/8`. */
export interface ConstrainedNames {
  readonly dns: readonly string[];
  readonly emails: readonly string[];
  readonly ips: readonly string[];
  readonly uris: readonly string[];
}

/** What an authority may issue for (RFC 5280 §4.2.1.10). */
export interface NameConstraints {
  readonly permitted: ConstrainedNames;
  readonly excluded: ConstrainedNames;
}

type Kind = keyof ConstrainedNames;

const KINDS = ['dns', 'emails', 'ips', 'uris'] as const;
const TITLES: Readonly<Record<Kind, string>> = {
  dns: 'DNS name',
  emails: 'email address',
  ips: 'IP address',
  uris: 'URI',
};
/** Context tags of GeneralName. */
const TAGS: Readonly<Record<Kind, number>> = { emails: 0x81, dns: 0x82, uris: 0x86, ips: 0x87 };

/** The value of the extension; undefined without constraints. */
export function encodeConstraints({ permitted, excluded }: NameConstraints): Uint8Array | undefined {
  const subtrees = (tag: number, names: ConstrainedNames): Uint8Array => {
    const all = KINDS.flatMap((kind) =>
      names[kind].map((name) =>
        writeDer(0x30, writeDer(TAGS[kind], kind === 'ips' ? blockBytes(name) : utf8(name))),
      ),
    );
    return all.length === 0 ? new Uint8Array() : writeDer(tag, concat(...all));
  };
  const content = concat(subtrees(0xa0, permitted), subtrees(0xa1, excluded));
  return content.length === 0 ? undefined : writeDer(0x30, content);
}

/**
 * Judges names by the extension of an authority. Constraints that are not worked out (of whole subjects, for one) allow
 * nothing.
 * @returns why a name is not allowed, as Go tells it; undefined when all are
 */
export function violation(extension: Uint8Array, names: ConstrainedNames): string | undefined {
  const constraints = decode(extension);
  if (constraints === undefined) return 'unhandled name constraint of the authority';
  for (const kind of KINDS)
    for (const name of names[kind]) {
      const { [kind]: within } = constraints.permitted;
      const { [kind]: without } = constraints.excluded;
      const excluding = without.find((constraint) => isWithin(kind, name, constraint) !== false);
      if (excluding !== undefined)
        return `${TITLES[kind]} ${JSON.stringify(name)} is excluded by constraint ${JSON.stringify(excluding)}`;
      if (within.length > 0 && !within.some((constraint) => isWithin(kind, name, constraint) === true))
        return `${TITLES[kind]} ${JSON.stringify(name)} is not permitted by any constraint`;
    }
  return undefined;
}

function decode(extension: Uint8Array): NameConstraints | undefined {
  const [outer, ...rest] = readDer(extension) ?? [];
  if (outer?.tag !== 0x30 || rest.length > 0) return undefined;
  const found = { permitted: none(), excluded: none() };
  for (const list of readDer(outer.value) ?? [undefined]) {
    const into = list?.tag === 0xa0 ? found.permitted : list?.tag === 0xa1 ? found.excluded : undefined;
    const subtrees = list === undefined || into === undefined ? undefined : readDer(list.value);
    if (subtrees === undefined || into === undefined) return undefined;
    for (const { tag, value } of subtrees) {
      const base = tag === 0x30 ? readDer(value)?.[0] : undefined;
      const kind = KINDS.find((each) => TAGS[each] === base?.tag);
      const name = base === undefined || kind === undefined ? undefined : nameOf(kind, base);
      if (kind === undefined || name === undefined) return undefined;
      into[kind].push(name);
    }
  }
  return found;
}

function none(): Record<Kind, string[]> {
  return { dns: [], emails: [], ips: [], uris: [] };
}

function nameOf(kind: Kind, { value }: DerItem): string | undefined {
  return kind === 'ips' ? blockText(value) : text(value);
}

/** @returns undefined where it cannot be told: no permission then, and no escape from an exclusion */
function isWithin(kind: Kind, name: string, constraint: string): boolean | undefined {
  switch (kind) {
    case 'dns':
      return isBelow(name, constraint);
    case 'emails': {
      if (constraint.includes('@')) {
        const [local, host] = mailbox(constraint);
        const [ownLocal, ownHost] = mailbox(name);
        return local === ownLocal && host === ownHost;
      }
      return isHost(mailbox(name)[1], constraint);
    }
    case 'ips':
      return isIP(name) === 0 ? undefined : isInBlocks(name, [constraint]);
    case 'uris': {
      const host = URL.canParse(name) ? new URL(name).hostname : '';
      return host === '' || isIP(host.replace(/^\[|\]$/g, '')) !== 0 ? undefined : isHost(host, constraint);
    }
  }
}

function mailbox(address: string): readonly [string, string] {
  const at = address.lastIndexOf('@');
  return [address.slice(0, at), address.slice(at + 1).toLowerCase()];
}

// A host, or with a dot before it all hosts below it.
function isHost(host: string, constraint: string): boolean {
  return constraint.startsWith('.')
    ? isBelow(host, constraint)
    : host.toLowerCase() === constraint.toLowerCase();
}

function isBelow(host: string, constraint: string): boolean {
  const suffix = constraint.toLowerCase().replace(/^\./, '').replace(/\.$/, '');
  const lower = host.toLowerCase().replace(/\.$/, '');
  if (suffix === '') return true;
  return lower.endsWith(`.${suffix}`) || (lower === suffix && !constraint.startsWith('.'));
}

function blockBytes(block: string): Uint8Array {
  const [base = '', bits = ''] = block.split('/');
  const address = isIP(base) === 4 ? base.split('.').map(Number) : expand(base);
  const mask = address.map(
    (_, index) => (0xff00 >> Math.min(8, Math.max(0, Number(bits) - index * 8))) & 0xff,
  );
  return Uint8Array.from([...address.map((byte, index) => byte & (mask[index] ?? 0)), ...mask]);
}

function expand(address: string): number[] {
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [left = '', right] = canonical.split('::');
  const words = (side: string): number[] =>
    side === '' ? [] : side.split(':').map((word) => Number.parseInt(word, 16));
  const ahead = words(left);
  const behind = right === undefined ? [] : words(right);
  const zeros = Array.from({ length: 8 - ahead.length - behind.length }, () => 0);
  return [...ahead, ...zeros, ...behind].flatMap((word) => [word >> 8, word & 0xff]);
}

// A mask that is none cannot be written as a block.
function blockText(bytes: Uint8Array): string | undefined {
  if (bytes.length !== 8 && bytes.length !== 32) return undefined;
  const half = bytes.length / 2;
  const mask = [...bytes.subarray(half)].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  if (!/^1*0*$/.test(mask)) return undefined;
  const address = [...bytes.subarray(0, half)];
  const plain =
    half === 4
      ? address.join('.')
      : Array.from({ length: 8 }, (_, index) =>
          (((address[2 * index] ?? 0) << 8) | (address[2 * index + 1] ?? 0)).toString(16),
        ).join(':');
  return `${plain}/${mask.replaceAll('0', '').length}`;
}
