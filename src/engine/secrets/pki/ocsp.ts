import { fromBase64 } from '../../../lib/bytes.ts';
import { parseDuration } from '../../../lib/duration.ts';
import type { Response } from '../../logical/response.ts';
import { getCrlConfig } from './config.ts';
import type { Pki } from './context.ts';
import { allIssuers, certificateOf, getKey, type IssuerEntry, resolveIssuer } from './issuers.ts';
import { Refused } from './refused.ts';
import { bytes } from './render.ts';
import { getRevoked } from './revoked.ts';
import { algorithmFor, withoutPss } from './x509/algorithms.ts';
import {
  asksAbout,
  makeAnswer,
  makeFailure,
  type OcspAnswer,
  type OcspQuestion,
  readQuestion,
} from './x509/ocsp.ts';
import { signingKeyOf } from './signing.ts';

const MAX_REQUEST = 2048;

/**
 * Answers the question for a certificate's status (RFC 6960). The issuer that the question names signs; of others
 * nothing is known, which the default issuer signs.
 * @param base64 the request's DER
 */
export async function answerOcsp(pki: Pki, base64: string): Promise<Response> {
  const config = await getCrlConfig(pki.storage);
  if (config.ocsp_disable) return failure('unauthorized');
  const der = base64.length > MAX_REQUEST * 2 ? undefined : fromBase64(base64);
  if (der === undefined || der.length === 0 || der.length > MAX_REQUEST) return failure('malformedRequest');
  const question = readQuestion(der);
  if (question === undefined) return failure('malformedRequest');
  const now = pki.clock.now();
  const expiry = (parseDuration(config.ocsp_expiry) ?? 0) * 1000;
  const times = { thisUpdate: now, nextUpdate: expiry > 0 ? now + expiry : undefined };

  const named = (await allIssuers(pki.storage)).filter(
    (issuer) => issuer.keyId !== '' && asksAbout(question, certificateOf(issuer)),
  );
  if (named.length === 0) {
    const fallback = await resolveIssuer(pki.storage, 'default');
    if (fallback instanceof Refused) return failure('unauthorized');
    return signed(pki, fallback, question, { ...times, status: 'unknown' });
  }
  const issuer = named.find(({ usage }) => usage.includes('ocsp-signing'));
  if (issuer === undefined) return failure('unauthorized');
  const record = await getRevoked(pki.storage, question.serial);
  const isOurs =
    record === undefined || record.issuerId === '' || named.some(({ id }) => id === record.issuerId);
  const status = record === undefined || !isOurs ? 'good' : { revokedAt: Date.parse(record.rfc3339) };
  return signed(pki, issuer, question, { ...times, status });
}

async function signed(
  pki: Pki,
  issuer: IssuerEntry,
  question: OcspQuestion,
  told: OcspAnswer,
): Promise<Response> {
  const key = issuer.keyId === '' ? undefined : await getKey(pki.storage, issuer.keyId);
  if (key === undefined || !issuer.usage.includes('ocsp-signing')) return failure('unauthorized');
  const privateKey = await signingKeyOf(pki, key);
  if (privateKey instanceof Refused) return failure('internalError');
  const algorithm = withoutPss(issuer.revocationAlgorithm || algorithmFor(privateKey));
  const body = await makeAnswer(question, told, certificateOf(issuer), privateKey, algorithm);
  return bytes(body, 'application/ocsp-response');
}

function failure(reason: Parameters<typeof makeFailure>[0]): Response {
  const statuses = { malformedRequest: 400, internalError: 500, unauthorized: 401 } as const;
  return {
    kind: 'bytes',
    status: statuses[reason],
    contentType: 'application/ocsp-response',
    body: makeFailure(reason),
  };
}
