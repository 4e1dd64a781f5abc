import { X509Certificate } from 'node:crypto';
import { toBase64 } from '../../../lib/bytes.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, empty } from '../../logical/response.ts';
import { nameField } from './fields.ts';
import { samePublicKey } from './key-format.ts';
import { signs } from './key-type.ts';
import type { KeyVersion } from './key-version.ts';
import type { KeyPolicy } from './policy.ts';
import { Refused, refusal, softDeleted } from './refused.ts';
import type { KeyStore } from './store.ts';

const versionField = {
  type: 'int',
  description: 'The version of the key; the latest without one.',
  default: 0,
} as const;

/** keys/:name/csr and set-certificate: certificates for keys that never leave. */
export function certificatePaths(store: KeyStore): Path[] {
  return [
    path({
      pattern: 'keys/:name/csr',
      synopsis: 'Create a CSR for a key in transit.',
      fields: {
        name: nameField,
        version: versionField,
        csr: {
          type: 'string',
          description: 'PEM encoded CSR template. Its key and signature are replaced.',
          default: '',
        },
      },
      operations: {
        update: {
          summary: 'Sign a certificate signing request with a key.',
          handler: async (_request, { name, version: asked, csr: template }) => {
            const policy = await store.get(name);
            if (policy === undefined) return badRequest(`key with provided name '${name}' not found`);
            const chosen = choose(policy, asked);
            if (chosen instanceof Refused) return refusal(chosen);
            // Loaded when it is needed: most engines never make one.
            const { makeCsr } = await import('./csr.ts');
            const csr = await makeCsr(policy, chosen.version, template);
            return csr instanceof Refused
              ? refusal(csr)
              : data({ csr, name: policy.name, type: policy.type });
          },
        },
      },
    }),
    path({
      pattern: 'keys/:name/set-certificate',
      synopsis: 'Import a certificate chain for a key in transit.',
      fields: {
        name: nameField,
        version: versionField,
        certificate_chain: {
          type: 'string',
          description: 'PEM encoded certificate chain, starting from the end-entity certificate.',
          default: '',
        },
      },
      operations: {
        update: {
          summary: 'Set the certificate chain of a version of a key.',
          handler: async (_request, { name, version: asked, certificate_chain: pem }) => {
            const chain = readChain(pem);
            if (chain instanceof Refused) return refusal(chain);
            const saved = await store.change(name, (policy) => {
              if (policy === undefined) return new Refused(`key with provided name '${name}' not found`);
              const chosen = choose(policy, asked);
              return chosen instanceof Refused ? chosen : withChain(policy, chosen, chain);
            });
            return saved instanceof Refused ? refusal(saved) : empty;
          },
        },
      },
    }),
  ];
}

interface Chosen {
  readonly number: number;
  readonly version: KeyVersion;
}

function choose(policy: KeyPolicy, asked: number): Chosen | Refused {
  if (policy.softDeleted) return softDeleted;
  if (!signs(policy.type)) return new Refused(`key type '${policy.type}' does not support signing`);
  if (policy.derived) return new Refused('operation not supported on keys with derivation enabled');
  const number = asked === 0 ? policy.latestVersion : asked;
  const version = policy.versions.get(number);
  return version === undefined ? new Refused('no such key version') : { number, version };
}

function readChain(pem: string): readonly X509Certificate[] | Refused {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  let chain: X509Certificate[];
  try {
    chain = blocks.map((block) => new X509Certificate(block));
  } catch {
    return new Refused('failed to parse certificate chain');
  }
  const [leaf, ...above] = chain;
  if (leaf === undefined) return new Refused('expected at least one certificate in the certificate chain');
  if (leaf.ca) return new Refused('certificate in the first element is not a valid leaf certificate');
  return above.every(({ ca }) => ca)
    ? chain
    : new Refused('certificate in the last element is not a valid CA certificate');
}

function withChain(
  policy: KeyPolicy,
  { number, version }: Chosen,
  chain: readonly X509Certificate[],
): KeyPolicy | Refused {
  const [leaf] = chain;
  const { publicKey } = version;
  if (leaf === undefined || publicKey === undefined || !samePublicKey(leaf.publicKey, publicKey))
    return new Refused('leaf certificate public key does not match the selected key version');
  const certified = { ...version, chain: chain.map(({ raw }) => toBase64(raw)) };
  return { ...policy, versions: new Map(policy.versions).set(number, certified) };
}
