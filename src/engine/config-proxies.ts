import { isCidr } from '../lib/cidr.ts';
import type { HclBody } from '../lib/hcl/tree.ts';
import { ConfigInvalid, flag, integer, scalar, texts } from './config-values.ts';

/** Whose `X-Forwarded-For` is believed (Vault: TCP listener, x_forwarded_for_…). */
export interface ForwardedForConfig {
  readonly authorized: readonly string[];
  /** Addresses to skip from the end of the list. */
  readonly hopSkips: number;
  readonly rejectNotAuthorized: boolean;
  readonly rejectNotPresent: boolean;
  /** The header, in lower case, in which authorized proxies hand on the certificate of a client. */
  readonly certificateHeader: string | undefined;
  /** What the value of that header goes through, in this order. */
  readonly decoders: readonly CertificateDecoder[];
}

export type CertificateDecoder = 'URL' | 'PEM' | 'BASE64' | 'RFC9440';

/** Whose PROXY protocol header is believed. */
export interface ProxyProtocolConfig {
  readonly behavior: 'use_always' | 'allow_authorized' | 'deny_unauthorized';
  readonly authorized: readonly string[];
}

const BEHAVIORS = ['use_always', 'allow_authorized', 'deny_unauthorized'] as const;
// Vault calls DER what OpenBao calls PEM.
const DECODERS: Readonly<Record<string, CertificateDecoder>> = {
  URL: 'URL',
  PEM: 'PEM',
  DER: 'PEM',
  BASE64: 'BASE64',
  RFC9440: 'RFC9440',
};

/** @throws ERR_CONFIG_INVALID */
export function parseForwardedFor(body: HclBody): ForwardedForConfig | undefined {
  const authorized = blocksOf(body, 'x_forwarded_for_authorized_addrs');
  const hops = scalar(body, 'x_forwarded_for_hop_skips') || undefined;
  const hopSkips = integer('x_forwarded_for_hop_skips', hops, 0);
  if (hopSkips < 0) throw new ConfigInvalid('x_forwarded_for_hop_skips cannot be negative');
  const certificateHeader = scalar(body, 'x_forwarded_for_client_cert_header') || undefined;
  if (certificateHeader !== undefined && !/^[A-Za-z0-9-]{1,100}$/.test(certificateHeader))
    throw new ConfigInvalid('x_forwarded_for_client_cert_header is not the name of a header');
  const decoders = [
    'x_forwarded_for_client_cert_header_decoders',
    'x_forwarded_for_client_cert_decoders',
  ].flatMap((name) => texts(body, name).map((each) => decoder(name, each)));
  const config = {
    authorized,
    hopSkips,
    rejectNotAuthorized: orTrue(body, 'x_forwarded_for_reject_not_authorized'),
    rejectNotPresent: orTrue(body, 'x_forwarded_for_reject_not_present'),
    certificateHeader: certificateHeader?.toLowerCase(),
    decoders,
  };
  if (certificateHeader === undefined && decoders.length > 0)
    throw new ConfigInvalid('x_forwarded_for_client_cert_header_decoders needs the header to decode', {
      hint: 'set x_forwarded_for_client_cert_header',
    });
  if (authorized.length > 0) return config;
  if (certificateHeader !== undefined || hops !== undefined)
    throw new ConfigInvalid('x_forwarded_for_ keys need x_forwarded_for_authorized_addrs', {
      hint: 'name the addresses of the proxies: nobody else is believed',
    });
  return undefined;
}

/** @throws ERR_CONFIG_INVALID */
export function parseProxyProtocol(body: HclBody): ProxyProtocolConfig | undefined {
  const said = scalar(body, 'proxy_protocol_behavior') || undefined;
  const authorized = blocksOf(body, 'proxy_protocol_authorized_addrs');
  if (said === undefined) {
    if (authorized.length > 0)
      throw new ConfigInvalid('proxy_protocol_authorized_addrs needs proxy_protocol_behavior');
    return undefined;
  }
  const behavior = BEHAVIORS.find((each) => each === said);
  if (behavior === undefined)
    throw new ConfigInvalid('proxy_protocol_behavior is not supported', {
      hint: `use ${BEHAVIORS.join(', ')}`,
    });
  if (behavior !== 'use_always' && authorized.length === 0)
    throw new ConfigInvalid(`proxy_protocol_behavior ${behavior} needs proxy_protocol_authorized_addrs`);
  return { behavior, authorized };
}

function decoder(name: string, text: string): CertificateDecoder {
  const found = DECODERS[text.toUpperCase()];
  if (found === undefined)
    throw new ConfigInvalid(`${name} names a decoder that is not supported`, {
      hint: 'use URL, PEM, BASE64 or RFC9440',
    });
  return found;
}

function blocksOf(body: HclBody, name: string): readonly string[] {
  const found = texts(body, name);
  if (!found.every(isCidr))
    throw new ConfigInvalid(`${name} must be a list of addresses and blocks of addresses`, {
      hint: 'write for example "10.0.0.0/8, 192.0.2.7"',
    });
  return found;
}

function orTrue(body: HclBody, name: string): boolean {
  const value = scalar(body, name);
  return value === undefined || value === '' || flag(name, value);
}
