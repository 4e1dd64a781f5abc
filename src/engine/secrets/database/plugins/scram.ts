import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { toBase64 } from '../../../../lib/bytes.ts';

const ITERATIONS = 4096;

/** A password as PostgreSQL stores it (RFC 5803): who reads the statement does not learn it. @param salt 16 bytes */
export function scramSecret(password: string, salt: Uint8Array): string {
  const salted = pbkdf2Sync(password.normalize('NFKC'), salt, ITERATIONS, 32, 'sha256');
  const hmac = (text: string): Buffer => createHmac('sha256', salted).update(text).digest();
  const stored = createHash('sha256').update(hmac('Client Key')).digest();
  return `SCRAM-SHA-256$${ITERATIONS}:${toBase64(salt)}$${toBase64(stored)}:${toBase64(hmac('Server Key'))}`;
}
