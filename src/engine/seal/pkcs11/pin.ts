import { readFileSync } from 'node:fs';
import { view } from '../../../lib/bytes.ts';
import { Secret } from '../../../lib/secret.ts';
import { HsmError } from './errors.ts';

/** Where the PIN comes from. A file is read again for each log-in, so that a changed one is seen. */
export type PinSource =
  | { readonly kind: 'value'; readonly secret: Secret }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'missing' };

export const MAX_PIN_BYTES = 4096;

/**
 * @param text a PIN as a variable of the environment holds it, which often comes from a file
 * @returns it without one line break at its end, or undefined when there is nothing else
 */
export function pinOfText(text: string): Secret | undefined {
  const pin = text.replace(/\r?\n$/, '');
  return pin === '' ? undefined : Secret.fromText(pin);
}

/**
 * @returns the PIN; the caller disposes it. One line break at the end of a file does not belong to it.
 * @throws ERR_HSM_PIN_MISSING
 */
export function resolvePin(source: PinSource): Secret {
  switch (source.kind) {
    case 'value':
      return source.secret.clone();
    case 'file':
      return readPin(source.path);
    case 'missing':
      throw new HsmError('ERR_HSM_PIN_MISSING', {
        hint: 'set VAULT_HSM_PIN in the environment, or pin = "file:///path" or "env://NAME" in the seal stanza',
      });
  }
}

function readPin(path: string): Secret {
  let content: Uint8Array;
  try {
    content = readFileSync(path);
  } catch (cause) {
    throw new HsmError('ERR_HSM_PIN_MISSING', { hint: `the PIN file ${path} cannot be read`, cause });
  }
  try {
    let end = content.length;
    if (content[end - 1] === 0x0a) end -= content[end - 2] === 0x0d ? 2 : 1;
    if (end === 0 || end > MAX_PIN_BYTES) {
      throw new HsmError('ERR_HSM_PIN_MISSING', { hint: `the PIN file ${path} is empty or too long` });
    }
    return Secret.own(Uint8Array.from(view(content).subarray(0, end)));
  } finally {
    content.fill(0);
  }
}
