import type { Clock } from '../../../lib/clock.ts';
import type { KeyRandom } from '../../../lib/key-random.ts';
import type { Random } from '../../../lib/random.ts';
import type { OpenManagedKey } from '../../logical/managed-key.ts';
import { type Backend, PathTable } from '../../logical/logical.ts';
import type { Storage } from '../../logical/storage.ts';
import { backupPaths } from './path-backup.ts';
import { byokExportPaths } from './path-byok-export.ts';
import { certificatePaths } from './path-certificates.ts';
import { configPaths } from './path-config.ts';
import { datakeyPaths } from './path-datakey.ts';
import { decryptPaths } from './path-decrypt.ts';
import { deriveKeyPaths } from './path-derive-key.ts';
import { encryptPaths } from './path-encrypt.ts';
import { exportPaths } from './path-export.ts';
import { hashPaths } from './path-hash.ts';
import { hmacPaths } from './path-hmac.ts';
import { importPaths } from './path-import.ts';
import { keyConfigPaths } from './path-key-config.ts';
import { keyPaths } from './path-keys.ts';
import { randomPaths } from '../../logical/random-paths.ts';
import { rewrapPaths } from './path-rewrap.ts';
import { signPaths } from './path-sign.ts';
import { softDeletePaths } from './path-soft-delete.ts';
import { verifyPaths } from './path-verify.ts';
import { KeyStore } from './store.ts';
import { WrappingKey } from './wrapping-key.ts';

/**
 * Transit: cryptography as a service. Named keys with numbered versions encrypt, sign and authenticate what clients
 * send; the keys stay here.
 *
 * A key is a policy (policy.ts): settings and the versions in use. store.ts keeps policies, one stored document each,
 * and their parsed form in memory. cipher.ts, signature.ts and hmac.ts do the work on a policy and know nothing of
 * requests; path-*.ts turn requests into their arguments and refusals into answers. ecdsa-digest.ts and rsa-digest.ts
 * exist because node:crypto signs messages, and clients may send digests.
 *
 * I1  What was made with a version says so, and is read back with that version: rotation breaks no ciphertext,
 *     signature or HMAC until min_decryption_version passes it.
 * I2  A policy is never changed in place. A change is made in the key's turn, saved in one atomic write and only then
 *     seen by other requests.
 * I3  Material is held as native keys; it leaves as text only through export, backup and byok-export, and only for
 *     keys that were made exportable. exportable and allow_plaintext_backup are never taken back.
 * I4  A nonce is random, except for convergent keys, where it is a MAC of the plaintext under a key that is derived
 *     from the context: equal plaintexts meet equal nonces under equal keys, and no others do.
 * I5  Versions below min_available_version are gone from storage; there is no way back.
 *     Of a managed key (managed.ts) there is none: it stays in its HSM.
 * I6  A refusal never tells why a ciphertext did not authenticate, and no refusal holds material or plaintext.
 */
export function createTransit(
  storage: Storage,
  clock: Clock,
  random: Random,
  keyRandom: KeyRandom,
  openManagedKey: OpenManagedKey,
): Backend {
  const store = new KeyStore(storage, clock, random, keyRandom, openManagedKey);
  return {
    type: 'transit',
    paths: new PathTable([
      ...configPaths(store),
      ...importPaths(store, new WrappingKey(storage)),
      ...keyConfigPaths(store),
      ...softDeletePaths(store),
      ...certificatePaths(store),
      ...keyPaths(store),
      ...encryptPaths(store),
      ...decryptPaths(store),
      ...rewrapPaths(store),
      ...datakeyPaths(store),
      ...signPaths(store),
      ...verifyPaths(store),
      ...hmacPaths(store),
      ...hashPaths(),
      ...randomPaths('random', random, keyRandom),
      ...exportPaths(store),
      ...byokExportPaths(store),
      ...backupPaths(store),
      ...deriveKeyPaths(store),
    ]),
  };
}
