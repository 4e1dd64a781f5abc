import type { Pki } from './context.ts';
import { type KeyEntry, privateKeyOf, publicKeyOf } from './issuers.ts';
import { failed, type Refused } from './refused.ts';
import { sameKey } from './x509/keys.ts';
import type { SigningKey } from './x509/signing-key.ts';

/**
 * A key for signing: the one that is stored, or, if the mount may still use it, the managed key that it names.
 * @throws ERR_HSM_*
 */
export async function signingKeyOf(
  { openManagedKey }: Pick<Pki, 'openManagedKey'>,
  entry: KeyEntry,
): Promise<SigningKey | Refused> {
  if (entry.managed === undefined) return privateKeyOf(entry);
  const key = await openManagedKey({ id: entry.managed.id });
  if ('refused' in key) return failed(key.refused);
  if (!sameKey(key, publicKeyOf(entry)))
    return failed(`managed key ${key.name} is another key than the one that issuers here were made with`);
  return key;
}
