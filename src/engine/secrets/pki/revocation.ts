import { equalBytes } from '../../../lib/bytes.ts';
import type { JsonObject } from '../../../lib/json.ts';
import type { Response } from '../../logical/response.ts';
import type { Storage } from '../../logical/storage.ts';
import { answer } from './answer.ts';
import { getCrlConfig } from './config.ts';
import type { Pki } from './context.ts';
import { buildCrls } from './crl-build.ts';
import { allIssuers, certificateOf } from './issuers.ts';
import { firstPem } from './pem.ts';
import { failed, refusal, Refused } from './refused.ts';
import { getRevoked, notePending, putRevoked, recordOf, type RevokedRecord } from './revoked.ts';
import { serialKey } from './serial.ts';
import { Certificate } from './x509/certificate.ts';
import { readPrivateKey, sameKey, shapeOf } from './x509/keys.ts';

export interface RevokeRequest {
  readonly serial_number: string | undefined;
  readonly certificate: string | undefined;
  /** Undefined where the caller's token is enough. */
  readonly private_key?: string | undefined;
}

/** Revokes by serial number or by certificate; record, and list where it is made at once, are written together. */
export async function revoke(pki: Pki, fields: RevokeRequest, needsKey: boolean): Promise<Response> {
  const { serial_number: serial, certificate: pem, private_key: keyPem } = fields;
  if (serial === undefined && pem === undefined)
    return refusal(new Refused('The serial number or certificate to revoke must be provided.'));
  if (serial !== undefined && pem !== undefined)
    return refusal(new Refused('Must provide either the certificate or the serial to revoke; not both.'));
  if (needsKey) {
    if (keyPem === undefined)
      return refusal(new Refused('Must have private key to revoke via the /revoke-with-key path.'));
    if (keyPem.length < 64) {
      return refusal(
        new Refused(
          'Provided data for private_key was too short; perhaps a path was passed to the API rather than the contents of a PEM file?',
        ),
      );
    }
  }
  const done = await pki.change(async (batch) => {
    const certificate =
      pem === undefined ? await bySerial(batch, serial ?? '') : await byCertificate(batch, pem);
    if (certificate instanceof Refused) return certificate;
    if (needsKey) {
      const bad = provesKey(certificate, keyPem ?? '');
      if (bad !== undefined) return bad;
    }
    return revokeCertificate(pki, batch, certificate);
  });
  if (done instanceof Refused) return refusal(done);
  return done.members === null
    ? { kind: 'data', data: null, warnings: done.warnings }
    : answer(done.members, done.warnings);
}

/** Revokes a stored certificate by its serial number, as the end of a lease does; nothing when it is not here. */
export async function revokeSerial(pki: Pki, serial: string): Promise<Refused | undefined> {
  const done = await pki.change(async (batch) => {
    const certificate = await bySerial(batch, serial);
    return certificate instanceof Refused ? undefined : revokeCertificate(pki, batch, certificate);
  });
  return done instanceof Refused ? done : undefined;
}

interface Done {
  /** Null when nothing was revoked. */
  readonly members: JsonObject | null;
  readonly warnings: readonly string[];
}

async function revokeCertificate(
  pki: Pki,
  storage: Storage,
  certificate: Certificate,
): Promise<Done | Refused> {
  const issuers = await allIssuers(storage);
  const self = issuers.find((entry) => entry.serial === certificate.serial);
  if (self !== undefined) return new Refused(`adding issuer (id: ${self.id}) to its own CRL is not allowed`);
  const before = await getRevoked(storage, certificate.serial);
  if (before !== undefined) return { members: told(before), warnings: [] };
  const config = await getCrlConfig(storage);
  const now = pki.clock.now();
  if (certificate.notAfter < now + 2000 && !config.allow_expired_cert_revocation) {
    return {
      members: null,
      warnings: [
        `certificate with serial ${certificate.serial} already expired; refusing to add to CRL. Enable 'AllowExpiredCertRevocation' to allow revoking expired certificates.`,
      ],
    };
  }
  const issuer = issuers.find((entry) => certificate.isSignedBy(certificateOf(entry)));
  const record = recordOf(certificate, issuer?.id ?? '', now);
  await putRevoked(storage, certificate.serial, record);
  await storage.put(`certs/${serialKey(certificate.serial)}`, certificate.der);
  let warnings: string[] = [];
  if (!config.auto_rebuild) warnings = await buildCrls(pki, storage, false);
  else if (config.enable_delta) await notePending(storage, certificate.serial);
  return {
    members: told(record),
    warnings: warnings.map((text, index) => `Warning ${index + 1} during CRL rebuild: ${text}`),
  };
}

function told({ time, rfc3339 }: RevokedRecord): JsonObject {
  return { revocation_time: time, revocation_time_rfc3339: rfc3339, state: 'revoked' };
}

async function bySerial(storage: Storage, serial: string): Promise<Certificate | Refused> {
  if (serial === '') return new Refused('The serial number must be provided');
  const der = await storage.get(`certs/${serialKey(serial)}`);
  const certificate = der === undefined ? undefined : Certificate.read(der);
  return certificate ?? new Refused(`certificate with serial ${serial} not found.`);
}

// A certificate that is not kept here is revoked when an issuer here signed it.
async function byCertificate(storage: Storage, pem: string): Promise<Certificate | Refused> {
  if (pem.length < 75) {
    return failed(
      'provided certificate data was too short; perhaps a path was passed to the API rather than the contents of a PEM file',
    );
  }
  const block = firstPem(pem);
  if (block === undefined) return failed('certificate contains no PEM data');
  const certificate = Certificate.read(block.der);
  if (certificate === undefined)
    return failed('certificate could not be parsed: x509: malformed certificate');
  const kept = await storage.get(`certs/${serialKey(certificate.serial)}`);
  if (kept !== undefined) {
    return equalBytes(kept, certificate.der)
      ? certificate
      : failed(
          "certificate with same serial but unequal value already present in this cluster's storage; refusing to revoke",
        );
  }
  const issuers = await allIssuers(storage);
  return issuers.some((entry) => certificate.isSignedBy(certificateOf(entry)))
    ? certificate
    : failed(
        'unable to verify signature on presented cert from any present issuer in this mount; certificates from previous CAs will need to have their issuing CA and key re-imported if revocation is necessary',
      );
}

function provesKey(certificate: Certificate, pem: string): Refused | undefined {
  const block = firstPem(pem);
  if (block === undefined) return failed('provided key PEM block contained no data or failed to parse');
  const key = readPrivateKey(block.der);
  if (key === undefined) return failed('failed to parse provided private key: unknown form');
  if (shapeOf(key)?.keyType !== shapeOf(certificate.publicKey)?.keyType)
    return failed("provided private key type does not match certificate's public key type");
  return sameKey(key, certificate.publicKey)
    ? undefined
    : failed("provided private key does not match certificate's public key");
}
