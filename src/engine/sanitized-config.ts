import type { JsonObject } from '../lib/json.ts';
import type { EngineConfig } from './config.ts';

/** A configuration as `sys/config/state/sanitized` shows it: what is where, and no credential. */
export function sanitized(config: EngineConfig): JsonObject {
  return {
    allow_audit_log_prefixing: config.auditRules.prefixing,
    api_addr: config.apiAddress,
    ...(config.auditRules.directory === undefined ? {} : { audit_directory: config.auditRules.directory }),
    default_lease_ttl: config.defaultLeaseTtl,
    disable_mlock: true,
    enable_ui: config.ui,
    listeners: config.listeners.map(({ host, port, unix, tls }) => ({
      type: unix === undefined ? 'tcp' : 'unix',
      config: {
        address: unix?.path ?? `${host.includes(':') ? `[${host}]` : host}:${port}`,
        tls_disable: tls === undefined,
        ...(tls === undefined ? {} : { tls_cert_file: tls.certFile, tls_key_file: tls.keyFile }),
      },
    })),
    log_format: config.log.format,
    log_level: config.logLevel,
    max_lease_ttl: config.maxLeaseTtl,
    raw_storage_endpoint: config.rawStorage,
    seals: [
      ...[config.seal, ...config.moreSeals].map(({ type }) => ({ type, disabled: false })),
      ...(config.migrateFrom === undefined ? [] : [{ type: config.migrateFrom.type, disabled: true }]),
    ],
    unsafe_allow_api_audit_creation: config.auditRules.apiCreation,
    storage: { type: config.storage.type, disable_clustering: true },
  };
}
