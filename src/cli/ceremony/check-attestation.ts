import { createHash, createPublicKey, verify } from 'node:crypto';
import { headOf } from '../../ceremony/evidence.ts';
import { fromBase64, toHex, utf8, view } from '../../lib/bytes.ts';
import { type Finding, type Known, note, right, wrong } from './finding.ts';
import type { Evidence } from './evidence-file.ts';

/** Checks the engine's signature over the end of the log. */
export function checkAttestation({ attestation, entries, plan }: Evidence, known: Known): Finding[] {
  if (attestation === undefined) {
    const text = 'The vault has not signed the end of the log: a change of its last entries would not show.';
    return [known.open ? note(text) : wrong(text)];
  }
  const head = headOf(entries, plan.digest);
  if (attestation.head !== undefined && attestation.head !== head)
    return [
      wrong(
        `The end of the log was changed: the vault signed ${attestation.head}, the log ends with ${head}.`,
      ),
    ];
  const der = fromBase64(attestation.publicKey);
  const signature = fromBase64(attestation.signature);
  if (der === undefined || signature === undefined || !isSigned(der, signature, head))
    return [wrong('The signature of the vault is not one over the end of this log.')];
  if (known.engineKey !== undefined && known.engineKey !== attestation.publicKey)
    return [wrong('The end of the log is signed by another key than the one of the vault that you named.')];
  const when = attestation.engineTime === '' ? '' : ` at ${attestation.engineTime}`;
  return [
    right(
      `The vault signed the end of the log${when}, by the key with the fingerprint ${keyFingerprint(der)}.`,
    ),
    ...(known.engineKey === undefined
      ? [note('Whether this is the key of your vault is for you to know: name it with --engine-key.')]
      : []),
  ];
}

function isSigned(der: Uint8Array, signature: Uint8Array, head: string): boolean {
  try {
    const key = createPublicKey({ key: view(der), format: 'der', type: 'spki' });
    return (
      key.asymmetricKeyType === 'ed25519' &&
      verify(null, utf8(`SealedVault evidence v1\n${head}\n`), key, signature)
    );
  } catch {
    return false;
  }
}

/** SHA-256 of a key in SPKI, in groups of four. */
function keyFingerprint(der: Uint8Array): string {
  const digest = toHex(createHash('sha256').update(der).digest());
  return (digest.match(/.{4}/g) ?? []).join(' ');
}
