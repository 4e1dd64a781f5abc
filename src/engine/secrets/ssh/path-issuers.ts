import type { JsonObject } from '../../../lib/json.ts';
import type { Random } from '../../../lib/random.ts';
import { utf8 } from '../../../lib/bytes.ts';
import type { FieldValues } from '../../logical/fields.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, empty, keys, type Response } from '../../logical/response.ts';
import { generatePrivateKey, parsePrivateKey } from './private-key.ts';
import { authorizedKey, parsePublicKey, sshPublicKey } from './public-key.ts';
import type { Issuer, SshStore } from './store.ts';

const keyFields = {
  issuer_name: { type: 'string', description: 'Name of the issuer.' },
  private_key: {
    type: 'string',
    description: 'Private half of the key that signs certificates.',
    default: '',
  },
  public_key: {
    type: 'string',
    description: 'Public half of the key that signs certificates.',
    default: '',
  },
  generate_signing_key: { type: 'bool', description: 'Whether to make a key pair here.' },
  key_type: {
    type: 'string',
    description: 'Type of the key that is made: rsa, ec, ed25519, or the name of a key type.',
    default: 'ssh-rsa',
  },
  key_bits: { type: 'int', description: 'Length of the key that is made; 0 for the usual.', default: 0 },
} as const;
const setDefault = {
  type: 'bool',
  description: 'Whether this issuer becomes the default one.',
  default: false,
} as const;
const issuerRef = {
  type: 'string',
  description: 'The word default, or the identifier or name of an issuer.',
  required: true,
} as const;

/** config/ca, config/issuers, issuers/, issuer/ and public_key: the authorities of the mount. */
export function issuerPaths(store: SshStore, random: Random): Path[] {
  const add = (values: FieldValues<typeof keyFields>, asDefault: boolean): Promise<Response> =>
    store.exclusive('issuers', () => submit(store, random, values, asDefault));
  const read = async (reference: string): Promise<Response> => {
    const issuer = await store.issuer(reference);
    return 'refused' in issuer ? badRequest(issuer.refused) : data(render(issuer));
  };
  const publicKey = async (reference: string): Promise<Response> => {
    const issuer = await store.issuer(reference);
    if ('refused' in issuer) return badRequest(issuer.refused);
    return { kind: 'bytes', status: 200, contentType: 'text/plain', body: utf8(issuer.publicKey) };
  };
  return [
    path({
      pattern: 'config/ca',
      synopsis: 'Configure the default SSH issuer used for signing and verification operations.',
      fields: keyFields,
      operations: {
        read: { summary: 'Read the default issuer.', handler: () => read('default') },
        update: {
          summary: 'Add an issuer that becomes the default one.',
          handler: (_request, values) => add(values, true),
        },
        delete: {
          summary: 'Delete all issuers.',
          handler: () =>
            store.exclusive('issuers', async () => {
              await store.deleteIssuers();
              return empty;
            }),
        },
      },
    }),
    path({
      pattern: 'config/issuers',
      synopsis: 'Configure or read the default SSH certificate issuer.',
      fields: {
        default: { type: 'string', description: 'Reference of the default issuer.', default: '' },
      },
      operations: {
        read: {
          summary: 'Read which issuer is the default one.',
          handler: async () => data({ default: await store.defaultIssuerId() }),
        },
        update: {
          summary: 'Choose the default issuer.',
          handler: (_request, values) =>
            store.exclusive('issuers', async () => {
              if (['', 'default'].includes(values.default.trim().toLowerCase()))
                return badRequest("Invalid issuer specification; must be non-empty and can't be 'default'.");
              const issuer = await store.issuer(values.default);
              if ('refused' in issuer) return badRequest(issuer.refused);
              await store.setDefaultIssuer(issuer.id);
              return data({ default: issuer.id });
            }),
        },
      },
    }),
    path({
      pattern: 'issuers',
      synopsis: 'Fetch a list of all issuers.',
      fields: {},
      operations: { list: { summary: 'List the issuers.', handler: () => list(store) } },
    }),
    path({
      pattern: 'issuers/import',
      synopsis: 'Submit a new issuer with an optional explicit name.',
      fields: { ...keyFields, set_default: setDefault },
      operations: {
        update: {
          summary: 'Add an issuer.',
          handler: (_request, values) => add(values, values.set_default),
        },
      },
    }),
    path({
      pattern: 'issuers/import/:issuer_name',
      synopsis: 'Submit a new issuer with an optional explicit name.',
      fields: { ...keyFields, set_default: setDefault },
      operations: {
        update: {
          summary: 'Add an issuer of a name.',
          handler: (_request, values) => add(values, values.set_default),
        },
      },
    }),
    path({
      pattern: 'issuer/:issuer_ref',
      synopsis: 'Fetch a single issuer.',
      fields: { issuer_ref: issuerRef, issuer_name: keyFields.issuer_name },
      operations: {
        read: { summary: 'Read an issuer.', handler: (_request, values) => read(values.issuer_ref) },
        update: {
          summary: 'Give an issuer another name.',
          handler: (_request, values) =>
            store.exclusive('issuers', () => rename(store, values.issuer_ref, values.issuer_name ?? '')),
        },
        delete: {
          summary: 'Delete an issuer.',
          handler: (_request, values) => store.exclusive('issuers', () => remove(store, values.issuer_ref)),
        },
      },
    }),
    path({
      pattern: 'issuer/:issuer_ref/public_key',
      synopsis: 'Fetch the public key of an issuer.',
      access: 'unauthenticated',
      fields: { issuer_ref: issuerRef },
      operations: {
        read: {
          summary: 'Read the public key as text.',
          handler: (_request, values) => publicKey(values.issuer_ref),
        },
      },
    }),
    path({
      pattern: 'public_key',
      synopsis: 'Retrieve the public key.',
      access: 'unauthenticated',
      fields: {},
      operations: {
        read: {
          summary: 'Read the public key of the default issuer as text.',
          handler: () => publicKey('default'),
        },
      },
    }),
  ];
}

async function submit(
  store: SshStore,
  random: Random,
  values: FieldValues<typeof keyFields>,
  asDefault: boolean,
): Promise<Response> {
  const pair = await keyPair(random, values);
  if ('refused' in pair) return badRequest(pair.refused);
  const name = values.issuer_name?.trim() ?? '';
  const refused = name === '' ? undefined : await nameRefusal(store, name);
  if (refused !== undefined) return badRequest(refused);
  const issuer: Issuer = { id: random.uuid(), name, ...pair };
  await store.putIssuer(issuer, asDefault);
  return data(render(issuer));
}

async function keyPair(
  random: Random,
  { public_key: publicKey, private_key: privateKey, ...values }: FieldValues<typeof keyFields>,
): Promise<Pick<Issuer, 'publicKey' | 'privateKey'> | { readonly refused: string }> {
  const generates = values.generate_signing_key;
  if (generates === true && (publicKey !== '' || privateKey !== ''))
    return {
      refused: 'public_key and private_key must not be set when generate_signing_key is set to true',
    };
  if (publicKey !== '' && privateKey !== '') {
    const given = parsePublicKey(publicKey);
    if (given === undefined)
      return { refused: 'could not parse public_key provided value: it is no SSH public key' };
    const key = parsePrivateKey(privateKey);
    const own = key === undefined ? undefined : sshPublicKey(key);
    if (own === undefined)
      return { refused: 'could not parse private_key provided value: it is no unencrypted private key' };
    if (authorizedKey(own.type, own.blob) !== authorizedKey(given.type, given.blob))
      return { refused: 'public_key and private_key do not belong together' };
    return { publicKey, privateKey };
  }
  if (publicKey !== '' || privateKey !== '')
    return {
      refused:
        'only one of public_key and private_key set; both must be set to use, or both must be blank to auto-generate',
    };
  if (generates === false) return { refused: 'missing public_key' };
  const made = await generatePrivateKey(values.key_type, values.key_bits, random);
  if ('refused' in made) return made;
  const own = sshPublicKey(made.key);
  if (own === undefined) throw new TypeError('a new key has no SSH form');
  return { publicKey: authorizedKey(own.type, own.blob), privateKey: made.pem };
}

async function nameRefusal(store: SshStore, name: string): Promise<string | undefined> {
  if (name.toLowerCase() === 'default') return "reserved keyword 'default' can not be used as issuer name";
  if (!/^\w(?:[\w.-]*\w)?$/.test(name)) return 'issuer name contained invalid characters';
  return 'refused' in (await store.issuer(name)) ? undefined : 'issuer name already in use';
}

async function rename(store: SshStore, reference: string, given: string): Promise<Response> {
  const issuer = await store.issuer(reference);
  if ('refused' in issuer) return badRequest(issuer.refused);
  const name = given.trim();
  if (name === '') return badRequest('expected non-empty issuer name');
  if (name === issuer.name) return data(render(issuer));
  const refused = await nameRefusal(store, name);
  if (refused !== undefined) return badRequest(refused);
  const renamed = { ...issuer, name };
  await store.putIssuer(renamed, false);
  return data(render(renamed), await references(store, [issuer.name]));
}

async function remove(store: SshStore, reference: string): Promise<Response> {
  const issuer = await store.issuer(reference);
  if ('refused' in issuer) return empty;
  const warnings = await references(store, [issuer.name, issuer.id]);
  if (await store.deleteIssuer(issuer.id)) {
    warnings.push(
      `Deleted issuer ${issuer.id} (via issuer_ref ${reference}); this was configured as the default issuer. Operations without an explicit issuer will not work until a new default is configured.`,
      ...(await references(store, ['default'])),
    );
  }
  return warnings.length === 0 ? empty : data(null, warnings);
}

async function references(store: SshStore, names: readonly string[]): Promise<string[]> {
  const counts = new Map<string, number>();
  for (const roleName of await store.roleNames()) {
    const role = await store.role(roleName);
    if (role?.keyType === 'ca' && names.includes(role.issuerRef))
      counts.set(role.issuerRef, (counts.get(role.issuerRef) ?? 0) + 1);
  }
  return [...counts].map(([name, count]) => `${count} roles reference '${name}'`);
}

async function list(store: SshStore): Promise<Response> {
  const chosen = await store.defaultIssuerId();
  const ids = await store.issuerIds();
  const info: JsonObject = {};
  for (const id of ids) {
    const issuer = await store.issuerById(id);
    if (issuer !== undefined)
      info[id] = { issuer_name: issuer.name, is_default: id === chosen, public_key: issuer.publicKey };
  }
  return keys(ids, { key_info: info });
}

function render(issuer: Issuer): JsonObject {
  return { issuer_id: issuer.id, issuer_name: issuer.name, public_key: issuer.publicKey };
}
