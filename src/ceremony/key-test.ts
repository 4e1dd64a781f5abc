import { createHash } from 'node:crypto';
import { text, toHex, utf8 } from '../lib/bytes.ts';
import { Secret } from '../lib/secret.ts';
import { type CeremonyName, keyTestText } from './statement.ts';

/**
 * The key test: a custodian decrypts a message and signs what it says, before any share exists.
 *
 * I1  The answer is the SHA-256 of the text in the message. Nothing that is passed off as a test message, a share for
 *     instance, is told by it.
 * I2  The text has a title that no share and no token has: a tool answers to nothing else.
 * I3  A commitment is the SHA-256 of the statement with the right answer. It is worth nothing for another ceremony, plan or
 *     custodian, and tells nothing of the 32 random bytes in the message.
 */
const TITLE = 'SealedVault key test v1';
const FORM = /^SealedVault key test v1\n[0-9a-f]{64}\n$/;

/**
 * @param random 32 bytes that nobody else has
 * @returns the text that is encrypted to a custodian
 */
export function challengeOf(random: Uint8Array): Secret {
  return Secret.fromText(`${TITLE}\n${toHex(random)}\n`);
}

/** @returns the answer to a test message, 64 hex digits; undefined for what is none */
export function answerTo(challenge: Secret): string | undefined {
  return challenge.borrow((bytes) => (FORM.test(text(bytes)) ? sha256(bytes) : undefined));
}

/** @returns what the right answer of a custodian is compared with, 64 hex digits */
export function commitmentTo(ceremony: CeremonyName, custodian: string, answer: string): string {
  return sha256(utf8(keyTestText(ceremony, { custodian, answer })));
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
