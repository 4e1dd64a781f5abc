import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { type EngineStatement, engineStatementText } from '../../../ceremony/engine-statement.ts';
import { toBase64, utf8, view } from '../../../lib/bytes.ts';
import type { Storage } from '../../logical/storage.ts';

/**
 * The engine's own Ed25519 key for the evidence of ceremonies, made when it is first asked for and kept behind the barrier.
 * It says "this engine, which had the vault open, saw this log, and knows this of the ceremony"; it says nothing of what
 * happened outside.
 */
const PATH = 'core/ceremony-evidence-key';

/** What is signed, and by which key. */
export interface SignedStatement {
  readonly statement: string;
  /** Base64 of SPKI. */
  readonly publicKey: string;
  /** Base64 of Ed25519 over the statement. */
  readonly signature: string;
}

export async function signStatement(storage: Storage, said: EngineStatement): Promise<SignedStatement> {
  const key = await evidenceKey(storage);
  const statement = engineStatementText(said);
  return {
    statement,
    publicKey: toBase64(createPublicKey(key).export({ type: 'spki', format: 'der' })),
    signature: toBase64(sign(null, utf8(statement), key)),
  };
}

async function evidenceKey(storage: Storage): Promise<KeyObject> {
  const stored = await storage.get(PATH);
  if (stored !== undefined) return createPrivateKey({ key: view(stored), format: 'der', type: 'pkcs8' });
  const { privateKey } = generateKeyPairSync('ed25519');
  await storage.put(PATH, new Uint8Array(privateKey.export({ type: 'pkcs8', format: 'der' })));
  return privateKey;
}
