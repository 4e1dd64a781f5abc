import { parseDuration } from '../../../lib/duration.ts';
import { getJson, jsonPut, type Storage } from '../../logical/storage.ts';
import { Refused } from './refused.ts';

/** URLs of a mount or an issuer, as they were given. */
export interface UrlConfig {
  readonly issuing_certificates: readonly string[];
  readonly crl_distribution_points: readonly string[];
  readonly delta_crl_distribution_points: readonly string[];
  readonly ocsp_servers: readonly string[];
  readonly enable_templating: boolean;
}

export const URL_FIELDS = [
  'issuing_certificates',
  'crl_distribution_points',
  'delta_crl_distribution_points',
  'ocsp_servers',
] as const;

export const noUrls: UrlConfig = {
  issuing_certificates: [],
  crl_distribution_points: [],
  delta_crl_distribution_points: [],
  ocsp_servers: [],
  enable_templating: false,
};

export interface ClusterConfig {
  readonly path: string;
  readonly aia_path: string;
}

/** Durations are kept as they were given. */
export interface CrlConfig {
  readonly expiry: string;
  readonly disable: boolean;
  readonly ocsp_disable: boolean;
  readonly ocsp_expiry: string;
  readonly auto_rebuild: boolean;
  readonly auto_rebuild_grace_period: string;
  readonly enable_delta: boolean;
  readonly delta_rebuild_interval: string;
  readonly allow_expired_cert_revocation: boolean;
}

const defaultCrl: CrlConfig = {
  expiry: '72h',
  disable: false,
  ocsp_disable: false,
  ocsp_expiry: '12h',
  auto_rebuild: false,
  auto_rebuild_grace_period: '12h',
  enable_delta: false,
  delta_rebuild_interval: '15m',
  allow_expired_cert_revocation: false,
};

export interface IssuersConfig {
  /** '' for none. */
  readonly default: string;
  readonly default_follows_latest_issuer: boolean;
}

const KEYS = {
  urls: 'config/urls',
  cluster: 'config/cluster',
  crl: 'config/crl',
  issuers: 'config/issuers',
  keys: 'config/keys',
} as const;

export async function getUrls(storage: Storage): Promise<UrlConfig> {
  return { ...noUrls, ...(await getJson<UrlConfig>(storage, KEYS.urls)) };
}

export async function getCluster(storage: Storage): Promise<ClusterConfig> {
  return { path: '', aia_path: '', ...(await getJson<ClusterConfig>(storage, KEYS.cluster)) };
}

export async function getCrlConfig(storage: Storage): Promise<CrlConfig> {
  return { ...defaultCrl, ...(await getJson<CrlConfig>(storage, KEYS.crl)) };
}

export async function getIssuersConfig(storage: Storage): Promise<IssuersConfig> {
  const none = { default: '', default_follows_latest_issuer: false };
  return { ...none, ...(await getJson<IssuersConfig>(storage, KEYS.issuers)) };
}

/** The id of the default key; '' for none. */
export async function getDefaultKey(storage: Storage): Promise<string> {
  return (await getJson<{ default: string }>(storage, KEYS.keys))?.default ?? '';
}

export function putConfig(storage: Storage, name: keyof typeof KEYS, value: object): Promise<void> {
  return storage.write([jsonPut(KEYS[name], value)]);
}

/** @returns whether the URLs of a configuration are all empty */
export function hasUrls(urls: UrlConfig): boolean {
  return URL_FIELDS.some((name) => urls[name].length > 0);
}

/** The first of some URLs that is none, or has a template. */
export function badUrl(urls: readonly string[]): string | undefined {
  return urls.find((url) => url.includes('{{') || !isUrl(url));
}

export function isUrl(text: string): boolean {
  if (!/^[a-z][a-z0-9+.-]*:\/\/[\x21-\x7e]+$/i.test(text)) return false;
  return URL.canParse(text);
}

/** A text as a duration in seconds, as a configuration takes it. */
export function durationOf(name: string, value: string): number | Refused {
  const seconds = parseDuration(value);
  if (seconds === undefined) return new Refused(`given ${name} could not be decoded: time: invalid duration`);
  return seconds < 0 ? new Refused(`${name} must be greater than or equal to 0 got: ${value}`) : seconds;
}
