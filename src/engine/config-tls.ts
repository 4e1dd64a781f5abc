import { getCiphers } from 'node:tls';
import type { HclBody } from '../lib/hcl/tree.ts';
import { ConfigInvalid, flag, scalar, texts } from './config-values.ts';

export type TlsVersion = 'TLSv1.2' | 'TLSv1.3';

export interface TlsConfig {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCaFile: string | undefined;
  readonly requireClientCert: boolean;
  readonly askClientCert: boolean;
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion;
  /** OpenSSL's names for TLS 1.2, with colons; undefined: Node's. */
  readonly ciphers: string | undefined;
  /** Whether the order of the server's suites counts, and not the client's. */
  readonly preferServerCiphers: boolean | undefined;
}

const VERSIONS: Readonly<Record<string, TlsVersion>> = { tls12: 'TLSv1.2', tls13: 'TLSv1.3' };

/** @throws ERR_CONFIG_INVALID */
export function parseTls(body: HclBody): TlsConfig {
  const certFile = scalar(body, 'tls_cert_file');
  const keyFile = scalar(body, 'tls_key_file');
  if (certFile === undefined || keyFile === undefined) {
    throw new ConfigInvalid('a listener has no certificate', {
      hint: 'set tls_cert_file and tls_key_file, or tls_disable = true',
    });
  }
  const minVersion = version(body, 'tls_min_version', 'tls12');
  const maxVersion = version(body, 'tls_max_version', 'tls13');
  if (minVersion > maxVersion)
    throw new ConfigInvalid('tls_max_version must be greater than or equal to tls_min_version');
  const requireClientCert = flag(
    'tls_require_and_verify_client_cert',
    scalar(body, 'tls_require_and_verify_client_cert'),
  );
  const askClientCert = !flag('tls_disable_client_certs', scalar(body, 'tls_disable_client_certs'));
  if (requireClientCert && !askClientCert) {
    throw new ConfigInvalid('client certificates are both required and disabled', {
      hint: 'leave out tls_disable_client_certs or tls_require_and_verify_client_cert',
    });
  }
  const prefer = scalar(body, 'tls_prefer_server_cipher_suites');
  return {
    certFile,
    keyFile,
    clientCaFile: scalar(body, 'tls_client_ca_file'),
    requireClientCert,
    askClientCert,
    minVersion,
    maxVersion,
    ciphers: cipherSuites(body),
    preferServerCiphers: prefer === undefined ? undefined : flag('tls_prefer_server_cipher_suites', prefer),
  };
}

function version(body: HclBody, name: string, fallback: string): TlsVersion {
  const found = VERSIONS[scalar(body, name) || fallback];
  if (found === undefined)
    throw new ConfigInvalid(`${name} is not supported`, { hint: 'use tls12 or tls13' });
  return found;
}

/**
 * Suites of TLS 1.2 by their names in Go and IANA's registry: they are for TLS 1.2 alone, as in Go. Suites without
 * forward secrecy or authenticated encryption are refused.
 */
function cipherSuites(body: HclBody): string | undefined {
  const names = texts(body, 'tls_cipher_suites');
  if (names.length === 0) return undefined;
  const available = getCiphers();
  const suites = names.map((name) => {
    const match =
      /^TLS_(?<exchange>ECDHE_(?:RSA|ECDSA))_WITH_(?:AES_(?<bits>128|256)_GCM_SHA(?:256|384)|CHACHA20_POLY1305(?:_SHA256)?)$/.exec(
        name,
      );
    const exchange = match?.groups?.['exchange']?.replace('_', '-');
    const bits = match?.groups?.['bits'];
    const cipher =
      bits === undefined ? 'CHACHA20-POLY1305' : `AES${bits}-GCM-SHA${bits === '256' ? '384' : '256'}`;
    const suite = `${exchange}-${cipher}`;
    if (
      match === null ||
      !available.includes(suite.toLowerCase()) ||
      (bits && !name.endsWith(suite.slice(-3)))
    )
      throw new ConfigInvalid('tls_cipher_suites names a suite that is not supported', {
        hint: 'use TLS_ECDHE_RSA_WITH_… and TLS_ECDHE_ECDSA_WITH_… of AES_128_GCM_SHA256, AES_256_GCM_SHA384 and CHACHA20_POLY1305_SHA256',
      });
    return suite;
  });
  return suites.join(':');
}
