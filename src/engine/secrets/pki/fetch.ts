import { utf8 } from '../../../lib/bytes.ts';
import type { JsonObject } from '../../../lib/json.ts';
import { badRequest, notFound, type Response } from '../../logical/response.ts';
import { answer } from './answer.ts';
import type { Pki } from './context.ts';
import { fetchCrl } from './crl-fetch.ts';
import { certificateOf, resolveIssuer } from './issuers.ts';
import { trimmedPem } from './pem.ts';
import { refusal, Refused } from './refused.ts';
import { bytes, certificatePem, crlPem, seconds } from './render.ts';
import { getRevoked } from './revoked.ts';
import { serialKey, serialOfKey } from './serial.ts';
import { chainOf } from './signer.ts';
import { Certificate } from './x509/certificate.ts';
import { shapeOf } from './x509/keys.ts';
import { commonNameOf, showName } from './x509/name.ts';

export type Encoding = 'der' | 'pem' | 'json';
const CERTIFICATE_TYPE = { der: 'application/pkix-cert', pem: 'application/pem-certificate-chain' } as const;
const CRL_TYPE = { der: 'application/pkix-crl', pem: 'application/x-pem-file' } as const;

/** The default issuer's certificate. Raw answers never fail: without one they are empty. */
export async function fetchCa(pki: Pki, encoding: Encoding): Promise<Response> {
  const issuer = await resolveIssuer(pki.storage, 'default');
  if (encoding === 'json')
    return issuer instanceof Refused ? refusal(issuer) : shown(certificatePem(certificateOf(issuer)));
  if (issuer instanceof Refused) return bytes(undefined, CERTIFICATE_TYPE[encoding]);
  const { der } = certificateOf(issuer);
  const body = encoding === 'der' ? der : utf8(trimmedPem('CERTIFICATE', der));
  return bytes(body, CERTIFICATE_TYPE[encoding]);
}

/** The default issuer's chain as PEM. */
export async function fetchChain(pki: Pki, encoding: 'raw' | 'json'): Promise<Response> {
  const issuer = await resolveIssuer(pki.storage, 'default');
  if (issuer instanceof Refused)
    return encoding === 'json' ? refusal(issuer) : bytes(undefined, 'application/pkix-cert');
  const pem = (await chainOf(pki.storage, issuer)).map(certificatePem).join('\n');
  if (encoding === 'raw') return bytes(utf8(pem), 'application/pkix-cert');
  return answer({ certificate: pem, ca_chain: pem, revocation_time: 0, revocation_time_rfc3339: '' });
}

/** The default issuer's list. */
export async function fetchDefaultCrl(pki: Pki, encoding: Encoding, delta: boolean): Promise<Response> {
  const crl = await fetchCrl(pki, 'default', delta);
  if (encoding !== 'json') return rawCrl(crl instanceof Refused ? undefined : crl, encoding, true);
  if (crl instanceof Refused) return refusal(crl);
  return crl === undefined ? notFound : shown(crlPem(crl).trim());
}

/** The list of an issuer. */
export async function fetchIssuerCrl(
  pki: Pki,
  ref: string,
  encoding: Encoding,
  delta: boolean,
): Promise<Response> {
  const crl = await fetchCrl(pki, ref, delta);
  if (crl instanceof Refused) return refusal(crl);
  return encoding === 'json'
    ? answer({ crl: crl === undefined ? '' : crlPem(crl) })
    : rawCrl(crl, encoding, false);
}

function rawCrl(crl: Uint8Array | undefined, encoding: 'der' | 'pem', trim: boolean): Response {
  if (crl === undefined || encoding === 'der') return bytes(crl, CRL_TYPE[encoding]);
  const pem = crlPem(crl);
  return bytes(utf8(trim ? pem.trim() : pem), CRL_TYPE.pem);
}

/** A certificate by its serial number. */
export async function fetchCertificate(pki: Pki, serial: string, encoding: Encoding): Promise<Response> {
  const der = await pki.storage.get(`certs/${serialKey(serial)}`);
  if (encoding !== 'json') {
    const body = der === undefined || encoding === 'der' ? der : utf8(trimmedPem('CERTIFICATE', der));
    return bytes(body, CERTIFICATE_TYPE[encoding]);
  }
  if (der === undefined) return notFound;
  const revoked = await getRevoked(pki.storage, serial);
  return answer({
    certificate: trimmedPem('CERTIFICATE', der),
    revocation_time: revoked?.time ?? 0,
    revocation_time_rfc3339: revoked?.rfc3339 ?? '',
    ...(revoked === undefined || revoked.issuerId === '' ? {} : { issuer_id: revoked.issuerId }),
  });
}

/** An issuer's certificate and chain, for everyone. */
export async function fetchIssuer(pki: Pki, ref: string, encoding: Encoding): Promise<Response> {
  const issuer = await resolveIssuer(pki.storage, ref);
  if (issuer instanceof Refused) return refusal(issuer);
  const certificate = certificateOf(issuer);
  const pem = `${certificatePem(certificate)}\n`;
  if (encoding === 'json') {
    return answer({
      certificate: pem,
      ca_chain: (await chainOf(pki.storage, issuer)).map((one) => `${certificatePem(one)}\n`),
      issuer_id: issuer.id,
      issuer_name: issuer.name,
    });
  }
  return bytes(encoding === 'der' ? certificate.der : utf8(pem), CERTIFICATE_TYPE[encoding]);
}

/** Serial numbers of certificates, with what the certificates say. */
export async function listDetailed(
  pki: Pki,
  options: { readonly after: string; readonly limit?: number },
): Promise<Response> {
  const names = await pki.storage.list('certs/', options);
  if (names.length === 0) return notFound;
  const info: JsonObject = {};
  for (const name of names) {
    const der = await pki.storage.get(`certs/${name}`);
    const certificate = der === undefined ? undefined : Certificate.read(der);
    if (certificate === undefined) return badRequest(`failed to parse certificate for ${name}`);
    const shape = shapeOf(certificate.publicKey);
    info[serialOfKey(name)] = {
      common_name: commonNameOf(certificate.subject),
      dns_names: certificate.names.dns.slice(0, 5),
      issuer: showName(certificate.issuer),
      key_bits: shape?.keyType === 'ed25519' ? 256 : (shape?.keyBits ?? 0),
      key_type: shape?.keyType ?? 'unknown',
      not_after: rfc3339(certificate.notAfter),
      not_before: rfc3339(certificate.notBefore),
    };
  }
  return answer({ key_info: info, keys: names.map(serialOfKey) });
}

function rfc3339(milliseconds: number): string {
  return new Date(seconds(milliseconds) * 1000).toISOString().replace('.000Z', 'Z');
}

function shown(pem: string): Response {
  return answer({ certificate: pem, revocation_time: 0, revocation_time_rfc3339: '' });
}
