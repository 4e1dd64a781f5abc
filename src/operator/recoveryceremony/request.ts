import { z } from 'zod';
import type { InitRequest } from '../../client/messages.ts';
import type { KubeObject } from '../runtime/runtime.ts';
import { SEALED_VAULT } from '../sealedvault/kind.ts';
import type { KeyFinding } from './custodians.ts';
import { RECOVERY_CEREMONY, type RecoveryCeremony } from './kind.ts';

/**
 * What the engine is asked for, written down before it is asked. Custodians' keys may be replaced where they came
 * from; the request must stay what it was, or the engine could not know that it is the same.
 */
export interface FrozenRequest {
  readonly custodians: readonly FrozenCustodian[];
  readonly threshold: number;
  /** Name of a custodian; undefined: no root token. */
  readonly rootTokenTo?: string | undefined;
}

export interface FrozenCustodian {
  readonly name: string;
  readonly fingerprint: string;
  readonly encryptionKey: string;
  readonly algorithm: string;
  readonly expires?: string | undefined;
  /** Base64 of the binary public key. */
  readonly publicKey: string;
}

const schema: z.ZodType<FrozenRequest> = z.object({
  custodians: z.array(
    z.object({
      name: z.string(),
      fingerprint: z.string(),
      encryptionKey: z.string(),
      algorithm: z.string(),
      expires: z.string().optional(),
      publicKey: z.string(),
    }),
  ),
  threshold: z.int(),
  rootTokenTo: z.string().optional(),
});

/** The name of the ConfigMap that holds the frozen request. */
export function requestName(ceremony: RecoveryCeremony): string {
  return `${ceremony.metadata.name}-request`;
}

/** Freezes a request from keys that were all found good. */
export function freeze({ spec }: RecoveryCeremony, found: readonly KeyFinding[]): FrozenRequest {
  const custodians = found.flatMap(({ name, key }) =>
    key === undefined
      ? []
      : [
          {
            name,
            fingerprint: key.fingerprint,
            encryptionKey: key.encryptionKeyFingerprint,
            algorithm: key.algorithm,
            ...(key.expires === undefined ? {} : { expires: key.expires.toISOString() }),
            publicKey: key.binaryBase64,
          },
        ],
  );
  const rootTokenTo = spec.rootToken.encryptTo;
  return { custodians, threshold: spec.threshold, ...(rootTokenTo === undefined ? {} : { rootTokenTo }) };
}

/** The ConfigMap of a frozen request: it cannot be changed, and goes with the ceremony. */
export function requestObject(ceremony: RecoveryCeremony, request: FrozenRequest): KubeObject {
  const { name, namespace, uid } = ceremony.metadata;
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: requestName(ceremony),
      ...(namespace === undefined ? {} : { namespace }),
      labels: ceremonyLabels(ceremony),
      ownerReferences: [
        {
          apiVersion: RECOVERY_CEREMONY.apiVersion,
          kind: RECOVERY_CEREMONY.kind,
          name,
          uid: uid ?? '',
          controller: true,
        },
      ],
    },
    immutable: true,
    data: { 'request.json': `${JSON.stringify(request, null, 2)}\n` },
  } as KubeObject;
}

/** @returns the frozen request of this very ceremony; undefined when the object is another's or not one. */
export function readRequest(
  ceremony: RecoveryCeremony,
  object: (KubeObject & { readonly data?: Readonly<Record<string, string>> }) | undefined,
): FrozenRequest | undefined {
  const owned = object?.metadata.ownerReferences?.some(({ uid }) => uid === ceremony.metadata.uid) === true;
  const text = object?.data?.['request.json'];
  if (!owned || text === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** The body of PUT sys/init. The same ceremony always asks the same. */
export function initRequest(ceremony: RecoveryCeremony, request: FrozenRequest): InitRequest {
  const keys = request.custodians.map(({ publicKey }) => publicKey);
  const holder = request.custodians.find(({ name }) => name === request.rootTokenTo);
  return {
    recovery_shares: keys.length,
    recovery_threshold: request.threshold,
    recovery_pgp_keys: keys,
    ...(holder === undefined ? { omit_root_token: true } : { root_token_pgp_key: holder.publicKey }),
    ceremony_id: ceremony.metadata.uid ?? '',
  };
}

/** Labels of what a ceremony leaves behind. */
export function ceremonyLabels({ metadata, spec }: RecoveryCeremony): Record<string, string> {
  return {
    'app.kubernetes.io/managed-by': 'sealedvault',
    'app.kubernetes.io/part-of': 'sealedvault',
    // A label holds 63 characters.
    'sealedvault.io/ceremony': metadata.name.slice(0, 63).replace(/[-.]+$/, ''),
    [`${SEALED_VAULT.apiVersion.split('/')[0]}/ceremony-vault`]: spec.vaultRef.name,
  };
}
