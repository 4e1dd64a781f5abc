import { createHash } from 'node:crypto';
import { armorMessage } from '../../ceremony/pgp.ts';
import { fromBase64, toBase64, utf8 } from '../../lib/bytes.ts';
import type { KubeObject } from '../runtime/runtime.ts';
import type { RecoveryCeremony } from './kind.ts';
import { ceremonyLabels } from './labels.ts';
import type { FrozenPerson, Manifest } from './plan/manifest.ts';

/** The engine's answer as Secrets: one OpenPGP message each, which `gpg --decrypt` reads. */
export interface Message {
  readonly custodian: FrozenPerson;
  readonly kind: 'share' | 'root-token';
  readonly secretName: string;
  /** Of the binary message. */
  readonly sha256: string;
  readonly binary: Uint8Array;
}

const DIGEST = 'sealedvault.io/sha256';

/** What an engine gave out, base64 of binary messages; undefined for a share that it did not. */
export interface GivenOut {
  readonly shares: readonly (string | undefined)[];
  readonly rootToken: string;
}

/**
 * @param holder who gets the root token; undefined: there must be none
 * @returns the messages in the order of the custodians, the root token last; undefined unless they are what was asked for
 */
export function readMessages(
  { ceremony, custodians = [] }: Manifest,
  given: GivenOut,
  holder: FrozenPerson | undefined,
): readonly Message[] | undefined {
  const shares = given.shares.length === 0 ? [] : custodians;
  if (given.shares.length !== shares.length) return undefined;
  if ((holder === undefined) !== (given.rootToken === '')) return undefined;
  const { name } = ceremony;
  const messages: Message[] = [];
  const add = (
    kind: Message['kind'],
    custodian: FrozenPerson,
    secretName: string,
    base64: string,
  ): boolean => {
    const binary = fromBase64(base64);
    if (binary === undefined || !isEncrypted(binary)) return false;
    const sha256 = createHash('sha256').update(binary).digest('hex');
    messages.push({ custodian, kind, secretName, sha256, binary });
    return true;
  };
  for (const [index, custodian] of shares.entries()) {
    if (!add('share', custodian, `${name}-share-${custodian.name}`, given.shares[index] ?? ''))
      return undefined;
  }
  if (holder !== undefined && !add('root-token', holder, `${name}-root-token`, given.rootToken))
    return undefined;
  return messages;
}

/** The Secret of a message. The vault does not own it: whoever deletes a vault does not delete shares. */
export function messageSecret(ceremony: RecoveryCeremony, message: Message): KubeObject {
  const { namespace } = ceremony.metadata;
  const { custodian, kind, sha256 } = message;
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: message.secretName,
      ...(namespace === undefined ? {} : { namespace }),
      labels: { ...ceremonyLabels(ceremony), 'sealedvault.io/custodian': custodian.name },
      annotations: {
        'sealedvault.io/ceremony-uid': ceremony.metadata.uid ?? '',
        'sealedvault.io/fingerprint': custodian.fingerprint,
        'sealedvault.io/encryption-key': custodian.encryptionKey,
        [DIGEST]: sha256,
      },
    },
    type: 'Opaque',
    data: { [`${kind}.asc`]: toBase64(utf8(armorMessage(message.binary))) },
  } as KubeObject;
}

/** @returns whether a Secret that is there holds exactly this message. */
export function holdsMessage(
  object: KubeObject & { readonly data?: Readonly<Record<string, string>> },
  message: Message,
): boolean {
  const armored = toBase64(utf8(armorMessage(message.binary)));
  return object.data?.[`${message.kind}.asc`] === armored;
}

/** Whether bytes begin as a message encrypted to a public key does: packet type 1 (RFC 9580 §4.2, §5.1). */
function isEncrypted(bytes: Uint8Array): boolean {
  const [first = 0] = bytes;
  const type = (first & 0x40) === 0 ? (first >> 2) & 0x0f : first & 0x3f;
  return (first & 0x80) !== 0 && type === 1 && bytes.length > 64;
}
