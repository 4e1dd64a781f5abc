import { fromHex, toBase64 } from '../../../lib/bytes.ts';
import type { LogicalRequest } from '../../logical/request.ts';
import type { Response } from '../../logical/response.ts';
import { answer } from './answer.ts';
import { issueWith } from './build.ts';
import { type CaNameRequest, type CaRequest, caRole, decideAuthority } from './ca-content.ts';
import { type CaKeyRequest, openCaKey } from './ca-key.ts';
import { authorityWarnings } from './ca-warnings.ts';
import { getUrls, hasUrls } from './config.ts';
import type { Pki } from './context.ts';
import { readCsr } from './csr-key.ts';
import { checkKeyName, importKey } from './import.ts';
import { decideNames } from './names.ts';
import { trimmedPem } from './pem.ts';
import { refusal, Refused } from './refused.ts';
import { formatOf, pemBundle, privateMembers, seconds, showCertificate, showPrivate } from './render.ts';
import { serialKey } from './serial.ts';
import { openSigner } from './signer.ts';
import { algorithmFor } from './x509/algorithms.ts';
import { basicConstraints, extension, OID } from './x509/extensions.ts';
import { nameOf } from './x509/name.ts';
import { makeRequest } from './x509/request.ts';
import { encodeNames, isEmpty } from './x509/san.ts';

export type IntermediateRequest = CaNameRequest &
  CaKeyRequest & {
    readonly format: string;
    readonly private_key_format: string;
    readonly key_name: string;
    readonly add_basic_constraints: boolean;
  };

/** Makes a key and a signing request for an authority above. The key is kept until its certificate comes. */
export async function generateIntermediate(pki: Pki, fields: IntermediateRequest): Promise<Response> {
  const format = formatOf(fields.format);
  if (format === undefined)
    return refusal(new Refused('the "format" path parameter must be "pem", "der", or "pem_bundle"'));
  const bad = await checkKeyName(pki.storage, fields.key_name);
  if (bad !== undefined) return refusal(bad);
  const names = decideNames(caRole(fields, { usesCommonName: false }), fields, undefined);
  if (names instanceof Refused) return refusal(names);
  const opened = await openCaKey(pki, fields);
  if (opened instanceof Refused) return refusal(opened);
  const { key, exported } = opened;
  const csr = await makeRequest(
    nameOf(names.subject),
    [
      ...(isEmpty(names.names) ? [] : [extension(OID.subjectAltName, encodeNames(names.names))]),
      ...(fields.add_basic_constraints ? [basicConstraints(true)] : []),
    ],
    key,
    algorithmFor(key, fields.signature_bits),
  );
  const kept = await pki.change((batch) => importKey(batch, pki.random, key, fields.key_name));
  if (kept instanceof Refused) return refusal(kept);
  const pem = trimmedPem('CERTIFICATE REQUEST', csr);
  const text = format === 'der' ? toBase64(csr) : pem;
  return answer(
    {
      csr:
        format === 'pem_bundle' && exported !== undefined
          ? `${showPrivate(exported, 'pem', 'der')}\n${pem}`
          : text,
      ...(exported === undefined ? {} : privateMembers(exported, format, fields.private_key_format)),
      key_id: kept.entry.id,
    },
    hasUrls(await getUrls(pki.storage)) ? [] : [NO_URLS_YET],
  );
}

const NO_URLS_YET =
  "This mount hasn't configured any authority information access (AIA) fields; this may make it harder for systems to find missing certificates in the chain or to validate revocation status of certificates. Consider updating /config/urls or the newly generated issuer with this information. Since this certificate is an intermediate, it might be useful to regenerate this certificate after fixing this problem for the root mount.";

export type SignIntermediateRequest = CaRequest & {
  readonly csr: string;
  readonly use_csr_values: boolean;
  readonly skid: string | undefined;
};

/** Signs another authority's request. It may outlive its issuer: that is told in a warning. */
export async function signIntermediate(
  pki: Pki,
  request: LogicalRequest,
  issuerRef: string,
  fields: SignIntermediateRequest,
): Promise<Response> {
  const format = formatOf(fields.format);
  if (format === undefined) return refusal(new Refused('The "format" path parameter must be "pem" or "der"'));
  const signer = await openSigner(pki, issuerRef, 'issuing-certificates');
  if (signer instanceof Refused) return refusal(signer);
  const above = signer.certificate;
  const csr = readCsr(fields.csr, { key_type: 'any', key_bits: 0 });
  if (csr instanceof Refused) return refusal(csr);
  if (above.pathLength === 0) {
    return refusal(
      new Refused(
        'signing certificate has a max path length of zero, and cannot issue further CA certificates',
      ),
    );
  }
  const pathLength =
    fields.max_path_length ?? (above.pathLength === undefined ? undefined : above.pathLength - 1);
  const skid = fields.skid === undefined ? undefined : fromHex(fields.skid.replace(/[:\- ]/g, ''));
  if (fields.skid !== undefined && (skid === undefined || skid.length === 0))
    return refusal(new Refused('cannot parse requested SKID value as hex: encoding/hex: invalid byte'));
  const decided = decideAuthority(
    { ...fields, max_path_length: pathLength },
    request.leaseTtl,
    pki.clock.now(),
    { notAfter: above.notAfter, behavior: 'permit' },
    csr,
  );
  if (decided instanceof Refused) return refusal(decided);
  const content = {
    ...decided,
    ...(skid === undefined ? {} : { skid }),
    ...(fields.use_csr_values
      ? {
          subject: csr.subject,
          extra: csr.extensions.filter(({ extnID }) => extnID !== OID.basicConstraints),
        }
      : {}),
  };
  const certificate = await issueWith(signer, content, csr.spki, pki.random);
  if (certificate instanceof Refused) return refusal(certificate);
  await pki.storage.put(`certs/${serialKey(certificate.serial)}`, certificate.der);
  const chain = [certificate, ...signer.chain];
  return answer(
    {
      certificate:
        format === 'pem_bundle'
          ? pemBundle(certificate, signer.chain, undefined)
          : showCertificate(certificate, format),
      issuing_ca: showCertificate(above, format),
      ca_chain: chain.map((one) => showCertificate(one, format)),
      expiration: seconds(certificate.notAfter),
      serial_number: certificate.serial,
    },
    [
      ...(above.notAfter < certificate.notAfter
        ? [
            "The expiration time for the signed certificate is after the CA's expiration time. If the new certificate is not treated as a root, validation paths with the certificate past the issuing CA's expiration time will fail.",
          ]
        : []),
      ...authorityWarnings(certificate),
      ...(certificate.pathLength === 0
        ? [
            'Max path length of the signed certificate is zero. This certificate cannot be used to issue intermediate CA certificates.',
          ]
        : []),
      ...decided.warnings,
    ],
  );
}
