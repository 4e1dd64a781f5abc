import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { toBase64, utf8, view } from '../../../lib/bytes.ts';
import type { Storage } from '../../logical/storage.ts';

/**
 * The engine's own Ed25519 key for the evidence of ceremonies, made when it is first asked for and kept behind the barrier.
 * It says "this engine, which had the vault open, saw this log"; it says nothing of what happened outside.
 */
const PATH = 'core/ceremony-evidence-key';

/** @returns the public key (base64 of SPKI) and the signature over the end of a log (base64) */
export async function attestHead(
  storage: Storage,
  head: string,
): Promise<{ readonly publicKey: string; readonly signature: string }> {
  const key = await evidenceKey(storage);
  return {
    publicKey: toBase64(createPublicKey(key).export({ type: 'spki', format: 'der' })),
    signature: toBase64(sign(null, utf8(`SealedVault evidence v1\n${head}\n`), key)),
  };
}

async function evidenceKey(storage: Storage): Promise<KeyObject> {
  const stored = await storage.get(PATH);
  if (stored !== undefined) return createPrivateKey({ key: view(stored), format: 'der', type: 'pkcs8' });
  const { privateKey } = generateKeyPairSync('ed25519');
  await storage.put(PATH, new Uint8Array(privateKey.export({ type: 'pkcs8', format: 'der' })));
  return privateKey;
}
