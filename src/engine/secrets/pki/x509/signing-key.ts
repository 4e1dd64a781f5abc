import type { KeyObject } from 'node:crypto';
import type { ManagedKey } from '../../../logical/managed-key.ts';

/** The private key of an authority: here, or in an HSM. */
export type SigningKey = KeyObject | ManagedKey;

/** Whether a key is in an HSM. */
export function isManaged(key: SigningKey): key is ManagedKey {
  return 'publicKey' in key;
}

/** What of a key is known here: the key itself, or the public half of one that is in an HSM. */
export function knownPart(key: SigningKey): KeyObject {
  return isManaged(key) ? key.publicKey : key;
}
