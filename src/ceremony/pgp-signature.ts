import { fromBase64 } from '../lib/bytes.ts';
import { refuseAlgorithm } from './pgp-policy.ts';

/** Why a signature does not count. */
export type SignatureRefusal = { readonly ok: false; readonly message: string };

/** Who signed, and when. */
export type SignatureFinding =
  | { readonly ok: true; readonly keyFingerprint: string; readonly made: Date }
  | SignatureRefusal;

/**
 * Checks a detached OpenPGP signature (`gpg --armor --detach-sign`, RFC 9580 §10.4) over a text.
 *
 * @param binaryBase64 the public key of the only person who may have signed
 * @param armored the signature
 * @param now the moment at which the key must be valid: a key that expired or was revoked since does not count
 */
export async function checkSignature(
  text: string,
  armored: string,
  binaryBase64: string,
  now: Date,
): Promise<SignatureFinding> {
  const openpgp = await import('openpgp');
  const refuse = (message: string): SignatureRefusal => ({ ok: false, message });
  const binary = fromBase64(binaryBase64);
  if (binary === undefined) return refuse('the key of the person is not base64');
  let signature;
  try {
    signature = await openpgp.readSignature({ armoredSignature: armored });
  } catch {
    return refuse('this is not an armored, detached OpenPGP signature (gpg --armor --detach-sign)');
  }
  if (signature.packets.length !== 1) return refuse('exactly one signature must be given');
  try {
    const key = await openpgp.readKey({ binaryKey: binary });
    const weak = refuseAlgorithm(key.getAlgorithmInfo());
    if (weak !== undefined) return refuse(`the key is ${weak}`);
    const message = await openpgp.createMessage({ binary: new TextEncoder().encode(text) });
    const result = await openpgp.verify({
      message,
      signature,
      verificationKeys: key,
      date: now,
      format: 'binary',
    });
    const [found] = result.signatures;
    if (found === undefined) return refuse('there is no signature in it');
    await found.verified;
    const [packet] = (await found.signature).packets;
    const signer = await key.getSigningKey(found.keyID, now);
    return { ok: true, keyFingerprint: signer.getFingerprint(), made: packet?.created ?? now };
  } catch {
    return refuse(
      'the signature is not that of this person over this text: the text is another, the key is another, or the key is expired or revoked',
    );
  }
}
