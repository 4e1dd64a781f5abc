import { generateKeyPair, type KeyObject } from 'node:crypto';

/**
 * How many are made at once. Each keeps one of the runtime's four threads for up to half a minute, and what else needs a
 * thread waits behind it: passwords are derived there, and files are read.
 */
const AT_ONCE = 2;
const waiting: (() => void)[] = [];
let running = 0;

/** A new RSA key, made off the main thread; further ones wait for their turn. @param bits of the modulus */
export async function generateRsaKey(
  bits: number,
): Promise<{ readonly privateKey: KeyObject; readonly publicKey: KeyObject }> {
  if (running >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  else running += 1;
  try {
    return await new Promise((resolve, reject) => {
      generateKeyPair('rsa', { modulusLength: bits }, (error, publicKey, privateKey) => {
        if (error === null) resolve({ privateKey, publicKey });
        else reject(error);
      });
    });
  } finally {
    // The turn is handed on as it is.
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  }
}
