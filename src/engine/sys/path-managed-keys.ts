import type { JsonObject } from '../../lib/json.ts';
import { isManagedHash } from '../logical/managed-key.ts';
import { type Path, path } from '../logical/logical.ts';
import { badRequest, data, empty, keys, notFound } from '../logical/response.ts';
import type { ManagedKeyConfig, ManagedKeyPort } from './managed-key-port.ts';

const NAME = /^[a-z0-9](?:[a-z0-9_.-]*[a-z0-9])?$/;
const USAGES: readonly string[] = ['encrypt', 'decrypt', 'sign', 'verify', 'wrap', 'unwrap', 'mac', 'random'];

const typeField = {
  type: 'string',
  description: 'The backend type of the key: pkcs11.',
  required: true,
} as const;
const nameField = { type: 'string', description: 'A unique lowercase name.', required: true } as const;
const configFields = {
  library: { type: 'string', description: 'Name of the kms_library stanza to use.' },
  key_label: { type: 'string', description: 'The label of the key.' },
  key_id: { type: 'string', description: 'The id of the key, in hex. Such a key must exist.' },
  mechanism: { type: 'string', description: 'The mechanism: 0x1041, 0x000D, 0x0009 or 0x0001.' },
  pin: { type: 'string', description: 'The PIN for login.' },
  slot: { type: 'string', description: 'The slot number, in decimal.' },
  token_label: { type: 'string', description: 'The label of the token.' },
  curve: { type: 'string', description: 'Of a CKM_ECDSA key: P256, P384 or P521.' },
  key_bits: { type: 'int', description: 'Of an RSA key: 2048, 3072 or 4096.' },
  force_rw_session: { type: 'bool', description: 'Open read-write sessions only.' },
  max_parallel: {
    type: 'int',
    description: 'Calls of one library run one at a time; accepted for compatibility.',
  },
  allow_generate_key: { type: 'bool', description: 'Make the key when it is not there.' },
  allow_replace_key: { type: 'bool', description: 'Kept; no operation replaces a key here.' },
  allow_store_key: { type: 'bool', description: 'Kept; no operation stores a key in the HSM here.' },
  any_mount: { type: 'bool', description: 'Allow usage from any mount.' },
  usages: { type: 'commaList', description: 'The allowed usages of the key.' },
} as const;

/** managed-keys/: keys that stay in an HSM (Vault Enterprise). */
export function managedKeyPaths(port: ManagedKeyPort): Path[] {
  const unknown = (type: string): string | undefined =>
    type === 'pkcs11' ? undefined : `unsupported managed key type ${JSON.stringify(type)}`;
  return [
    path({
      pattern: 'managed-keys/:type',
      synopsis: 'List the managed keys of a type.',
      fields: { type: typeField },
      operations: {
        list: {
          summary: 'List the managed keys of a type.',
          handler: async (_request, { type }) => {
            const wrong = unknown(type);
            return wrong === undefined ? keys(await port.list()) : badRequest(wrong);
          },
        },
      },
    }),
    path({
      pattern: 'managed-keys/:type/:name',
      synopsis: 'Configure a managed key.',
      fields: { type: typeField, name: nameField, ...configFields },
      operations: {
        read: {
          summary: 'Read the configuration of a managed key; never its PIN.',
          handler: async (_request, { type, name }) => {
            const wrong = unknown(type);
            if (wrong !== undefined) return badRequest(wrong);
            const found = await port.get(name);
            return found === undefined ? notFound : data(show(found));
          },
        },
        update: {
          summary: 'Create or update a managed key.',
          handler: async (_request, { type, name, ...fields }) => {
            const wrong = unknown(type);
            if (wrong !== undefined) return badRequest(wrong);
            if (!NAME.test(name))
              return badRequest('the name of a managed key must be lowercase letters, digits, _, . and -');
            const refused = await port.put(name, (before) => merged(name, before ?? noKey, fields));
            return refused === undefined ? empty : badRequest(refused);
          },
        },
        delete: {
          summary: 'Delete the configuration of a managed key; the key stays in the HSM.',
          handler: async (_request, { type, name }) => {
            const refused = unknown(type) ?? (await port.remove(name));
            return refused === undefined ? empty : badRequest(refused);
          },
        },
      },
    }),
    path({
      pattern: 'managed-keys/:type/:name/test/sign',
      synopsis: 'Sign and verify random data with a managed key.',
      fields: {
        type: typeField,
        name: nameField,
        use_pss: { type: 'bool', description: 'Use RSA PSS.', default: false },
        hash_algorithm: { type: 'string', description: 'The hash.', default: 'sha2-256' },
      },
      operations: {
        update: {
          summary: 'Sign and verify random data with a managed key.',
          handler: async (_request, { type, name, use_pss: pss, hash_algorithm: algorithm }) => {
            const wrong = unknown(type);
            if (wrong !== undefined) return badRequest(wrong);
            const hash = algorithm.toLowerCase().replace(/^sha2-/, 'sha');
            if (!isManagedHash(hash)) return badRequest(`unsupported hash algorithm ${algorithm}`);
            const refused = await port.testSign(name, { hash, pss });
            return refused === undefined ? empty : badRequest(refused);
          },
        },
      },
    }),
  ];
}

const noKey: Omit<ManagedKeyConfig, 'name'> = {
  library: '',
  keyLabel: '',
  keyId: '',
  mechanism: 0,
  pin: '',
  slot: '',
  tokenLabel: '',
  curve: '',
  keyBits: 0,
  forceRwSession: false,
  maxParallel: 1,
  allowGenerateKey: false,
  allowReplaceKey: false,
  allowStoreKey: false,
  anyMount: false,
  usages: ['sign', 'verify'],
};

type Given = {
  readonly [K in keyof typeof configFields]?: string | number | boolean | readonly string[] | undefined;
};

// What is not given stays as it was: the PIN need not be sent again.
function merged(
  name: string,
  before: Omit<ManagedKeyConfig, 'name'>,
  given: Given,
): ManagedKeyConfig | string {
  const text = (value: Given[keyof Given], old: string): string => (typeof value === 'string' ? value : old);
  const number = (value: Given[keyof Given], old: number): number =>
    typeof value === 'number' ? value : old;
  const flag = (value: Given[keyof Given], old: boolean): boolean =>
    typeof value === 'boolean' ? value : old;
  const usages = Array.isArray(given.usages) ? given.usages.map(String) : before.usages;
  const odd = usages.find((usage) => !USAGES.includes(usage));
  if (odd !== undefined) return `unknown usage ${JSON.stringify(odd)}`;
  return {
    name,
    library: text(given.library, before.library),
    keyLabel: text(given.key_label, before.keyLabel),
    keyId: text(given.key_id, before.keyId).replace(/^0x/i, '').toLowerCase(),
    mechanism: given.mechanism === undefined ? before.mechanism : mechanismOf(text(given.mechanism, '')),
    pin: text(given.pin, before.pin),
    slot: text(given.slot, before.slot),
    tokenLabel: text(given.token_label, before.tokenLabel),
    curve: text(given.curve, before.curve).replace('-', '').toUpperCase(),
    keyBits: number(given.key_bits, before.keyBits),
    forceRwSession: flag(given.force_rw_session, before.forceRwSession),
    maxParallel: number(given.max_parallel, before.maxParallel),
    allowGenerateKey: flag(given.allow_generate_key, before.allowGenerateKey),
    allowReplaceKey: flag(given.allow_replace_key, before.allowReplaceKey),
    allowStoreKey: flag(given.allow_store_key, before.allowStoreKey),
    anyMount: flag(given.any_mount, before.anyMount),
    usages,
  };
}

function mechanismOf(text: string): number {
  return /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : -1;
}

function show(key: ManagedKeyConfig & { readonly id: string }): JsonObject {
  return {
    UUID: key.id,
    allow_generate_key: key.allowGenerateKey,
    allow_replace_key: key.allowReplaceKey,
    allow_store_key: key.allowStoreKey,
    any_mount: key.anyMount,
    curve: key.curve,
    force_rw_session: key.forceRwSession,
    key_bits: key.keyBits,
    key_id: key.keyId,
    key_label: key.keyLabel,
    library: key.library,
    max_parallel: key.maxParallel,
    mechanism: key.mechanism,
    name: key.name,
    pin: 'redacted',
    slot: key.slot === '' ? 0 : Number(key.slot),
    token_label: key.tokenLabel,
    type: 'pkcs11',
    usages: [...key.usages],
  };
}
