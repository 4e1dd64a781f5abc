import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIPv4 } from 'node:net';

/** A certificate with its private key. */
export interface Identity {
  readonly certificate: string;
  readonly key: string;
}

/** A certificate authority of a test cluster. */
export interface Authority extends Identity {
  readonly commonName: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** What a certificate is for. */
export interface CertificateRequest {
  readonly commonName: string;
  readonly organization?: string;
  readonly usage: 'server' | 'client';
  readonly dnsNames?: readonly string[];
  /** IPv4 addresses. */
  readonly addresses?: readonly string[];
}

const oid = {
  commonName: [0x55, 0x04, 0x03],
  organization: [0x55, 0x04, 0x0a],
  subjectKeyIdentifier: [0x55, 0x1d, 0x0e],
  keyUsage: [0x55, 0x1d, 0x0f],
  subjectAltName: [0x55, 0x1d, 0x11],
  basicConstraints: [0x55, 0x1d, 0x13],
  authorityKeyIdentifier: [0x55, 0x1d, 0x23],
  extendedKeyUsage: [0x55, 0x1d, 0x25],
  serverAuth: [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01],
  clientAuth: [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02],
  ecdsaWithSha256: [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
} as const;

/**
 * Makes a certificate authority (P-256, ten years).
 * @param commonName Its name.
 * @returns Certificate and key.
 */
export function createAuthority(commonName: string): Authority {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const identifier = keyIdentifier(pair.publicKey);
  const certificate = assemble({
    issuer: name(commonName),
    subject: name(commonName),
    publicKey: pair.publicKey,
    signer: pair.privateKey,
    days: 3650,
    extensions: [
      extension(oid.basicConstraints, true, sequence(der(0x01, [0xff]))),
      // keyCertSign and cRLSign
      extension(oid.keyUsage, true, der(0x03, [1, 0x06])),
      extension(oid.subjectKeyIdentifier, false, der(0x04, identifier)),
    ],
  });
  return {
    commonName,
    certificate,
    key: pem(pair.privateKey),
    privateKey: pair.privateKey,
    publicKey: pair.publicKey,
  };
}

/**
 * Issues a certificate for one day.
 * @param authority Signs it.
 * @param request Subject, usage, names.
 * @returns Certificate and key.
 */
export function issueCertificate(authority: Authority, request: CertificateRequest): Identity {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const names = [
    ...(request.dnsNames ?? []).map((dns) => der(0x82, Buffer.from(dns, 'ascii'))),
    ...(request.addresses ?? []).map((address) => {
      if (!isIPv4(address)) throw new Error(`not an IPv4 address: ${address}`);
      return der(0x87, address.split('.').map(Number));
    }),
  ];
  const certificate = assemble({
    issuer: name(authority.commonName),
    subject: name(request.commonName, request.organization),
    publicKey: pair.publicKey,
    signer: authority.privateKey,
    days: 365,
    extensions: [
      // digitalSignature
      extension(oid.keyUsage, true, der(0x03, [7, 0x80])),
      extension(
        oid.extendedKeyUsage,
        false,
        sequence(der(0x06, request.usage === 'server' ? oid.serverAuth : oid.clientAuth)),
      ),
      extension(oid.authorityKeyIdentifier, false, sequence(der(0x80, keyIdentifier(authority.publicKey)))),
      ...(names.length === 0 ? [] : [extension(oid.subjectAltName, false, sequence(...names))]),
    ],
  });
  return { certificate, key: pem(pair.privateKey) };
}

interface CertificateParts {
  readonly issuer: Buffer;
  readonly subject: Buffer;
  readonly publicKey: KeyObject;
  readonly signer: KeyObject;
  readonly days: number;
  readonly extensions: readonly Buffer[];
}

/** RFC 5280 §4.1 */
function assemble(parts: CertificateParts): string {
  const algorithm = sequence(der(0x06, oid.ecdsaWithSha256));
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const now = Date.now();
  const body = sequence(
    der(0xa0, der(0x02, [2])),
    der(0x02, serial),
    algorithm,
    parts.issuer,
    sequence(time(now - 3_600_000), time(now + parts.days * 86_400_000)),
    parts.subject,
    parts.publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...parts.extensions)),
  );
  const signature = sign('sha256', body, parts.signer);
  const certificate = sequence(body, algorithm, der(0x03, Buffer.concat([Buffer.from([0]), signature])));
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function der(tag: number, content: Uint8Array | readonly number[]): Buffer {
  const body = Buffer.from(content);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const length = Buffer.from(body.length.toString(16).padStart(body.length > 0xff ? 4 : 2, '0'), 'hex');
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, body]);
}

function sequence(...items: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(items));
}

function name(commonName: string, organization?: string): Buffer {
  const attribute = (type: readonly number[], value: string): Buffer =>
    der(0x31, sequence(der(0x06, type), der(0x0c, Buffer.from(value, 'utf8'))));
  const organizations = organization === undefined ? [] : [attribute(oid.organization, organization)];
  return sequence(...organizations, attribute(oid.commonName, commonName));
}

function time(ms: number): Buffer {
  return der(0x18, Buffer.from(`${new Date(ms).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`, 'ascii'));
}

function extension(type: readonly number[], critical: boolean, value: Buffer): Buffer {
  return sequence(der(0x06, type), ...(critical ? [der(0x01, [0xff])] : []), der(0x04, value));
}

function keyIdentifier(key: KeyObject): Buffer {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest()
    .subarray(0, 20);
}

function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}
