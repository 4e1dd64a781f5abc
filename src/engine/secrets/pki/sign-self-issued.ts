import { equalBytes } from '../../../lib/bytes.ts';
import type { Response } from '../../logical/response.ts';
import { answer } from './answer.ts';
import { reissue } from './build.ts';
import type { Pki } from './context.ts';
import { firstPem } from './pem.ts';
import { failed, refusal, Refused } from './refused.ts';
import { certificatePem } from './render.ts';
import { openSigner } from './signer.ts';
import { algorithmFor, canSign } from './x509/algorithms.ts';
import { Certificate } from './x509/certificate.ts';
import { encode } from './x509/der.ts';
import { shapeOf } from './x509/keys.ts';
import { knownPart } from './x509/signing-key.ts';

/** Signs an authority's self-issued certificate with an issuer's key: a bridge from one root to another. */
export async function signSelfIssued(
  pki: Pki,
  issuerRef: string,
  pem: string,
  sameAlgorithms: boolean,
): Promise<Response> {
  const block = firstPem(pem);
  if (block === undefined) return refusal(new Refused('certificate could not be PEM-decoded'));
  const given = Certificate.read(block.der);
  if (given === undefined)
    return refusal(new Refused('error parsing certificate: x509: malformed certificate'));
  if (!given.isAuthority) return refusal(new Refused('given certificate is not a CA certificate'));
  if (!equalBytes(encode(given.issuer), encode(given.subject)))
    return refusal(new Refused('given certificate is not self-issued'));
  const signer = await openSigner(pki, issuerRef, 'issuing-certificates');
  if (signer instanceof Refused) return refusal(signer);
  const own = shapeOf(knownPart(signer.key))?.keyType;
  const theirs = shapeOf(given.publicKey)?.keyType;
  if (own !== theirs && sameAlgorithms) {
    return refusal(
      failed(
        `signing certificate's public key algorithm (${own}) does not match submitted certificate's (${theirs}), and require_matching_certificate_algorithms is true`,
      ),
    );
  }
  const kept = given.signatureAlgorithm;
  const algorithm =
    kept !== undefined && own === theirs && own === 'rsa' && canSign(signer.key, kept)
      ? kept
      : algorithmFor(signer.key);
  const certificate = await reissue(signer, given, algorithm);
  if (certificate instanceof Refused) return refusal(certificate);
  return answer({
    certificate: certificatePem(certificate),
    issuing_ca: certificatePem(signer.certificate),
  });
}
