import { parseDuration } from '../../../lib/duration.ts';
import type { JsonObject } from '../../../lib/json.ts';
import { getJson, type Storage } from '../../logical/storage.ts';

/** What is tidied, and after how long; times in seconds. */
export interface TidyConfig {
  readonly enabled: boolean;
  readonly interval_duration: number;
  readonly tidy_cert_store: boolean;
  readonly tidy_revoked_certs: boolean;
  readonly tidy_invalid_certs: boolean;
  readonly tidy_revoked_cert_issuer_associations: boolean;
  readonly tidy_expired_issuers: boolean;
  readonly tidy_move_legacy_ca_bundle: boolean;
  readonly tidy_acme: boolean;
  readonly safety_buffer: number;
  /** Undefined is safety_buffer. */
  readonly revoked_safety_buffer?: number;
  readonly issuer_safety_buffer: number;
  readonly acme_account_safety_buffer: number;
  readonly page_size: number;
  /** A duration as text. */
  readonly pause_duration: string;
  readonly maintain_stored_certificate_counts: boolean;
  readonly publish_stored_certificate_count_metrics: boolean;
}

export const AUTO_TIDY_KEY = 'config/auto-tidy';

export const defaultTidy: TidyConfig = {
  enabled: false,
  interval_duration: 43_200,
  tidy_cert_store: false,
  tidy_revoked_certs: false,
  tidy_invalid_certs: false,
  tidy_revoked_cert_issuer_associations: false,
  tidy_expired_issuers: false,
  tidy_move_legacy_ca_bundle: false,
  tidy_acme: false,
  safety_buffer: 259_200,
  issuer_safety_buffer: 31_536_000,
  acme_account_safety_buffer: 2_592_000,
  page_size: 1000,
  pause_duration: '0s',
  maintain_stored_certificate_counts: false,
  publish_stored_certificate_count_metrics: false,
};

export const TIDY_OPERATIONS = [
  'tidy_cert_store',
  'tidy_revoked_certs',
  'tidy_revoked_cert_issuer_associations',
  'tidy_expired_issuers',
  'tidy_move_legacy_ca_bundle',
  'tidy_acme',
  'tidy_invalid_certs',
] as const;

export const tidyOperationNames: string = TIDY_OPERATIONS.map((name) => `\`${name}\``).join(' / ');

export function isAnyTidied(config: TidyConfig): boolean {
  return TIDY_OPERATIONS.some((name) => config[name]);
}

/** The settings of tidying by itself. */
export async function getTidyConfig(storage: Storage): Promise<TidyConfig> {
  return { ...defaultTidy, ...(await getJson<TidyConfig>(storage, AUTO_TIDY_KEY)) };
}

/** Settings that a client gave over others, or why not. */
export function changeTidy(config: TidyConfig, given: Partial<TidyConfig>): TidyConfig | string {
  const changed = { ...config, ...given };
  for (const name of [
    'safety_buffer',
    'revoked_safety_buffer',
    'issuer_safety_buffer',
    'acme_account_safety_buffer',
  ] as const) {
    const seconds = changed[name];
    if (seconds !== undefined && seconds < 1) return `${name} must be greater than zero`;
  }
  const pause = parseDuration(changed.pause_duration);
  if (pause === undefined) return 'Error parsing pause_duration: not a duration';
  if (pause < 0) return 'received invalid, negative pause_duration';
  return changed;
}

/** The settings as clients see them. */
export function showTidyConfig(config: TidyConfig): JsonObject {
  return { ...config, revoked_safety_buffer: config.revoked_safety_buffer ?? config.safety_buffer };
}
