import type { JsonObject } from '../../lib/json.ts';
import type { MountConfig, MountEntry } from '../mount/mount.ts';
import { renderLockout } from './lockout-config.ts';
import type { SysPort } from './port.ts';

/** The version of every plugin: all are built in. @param version of the server */
export function builtinVersion(version: string): string {
  return `v${version.split('+', 1)[0] ?? ''}+builtin.vault`;
}

/** A mount, as sys/mounts and sys/auth list it. TTLs are the mount's own settings; 0 is the system's. */
export function renderMount({ server }: Pick<SysPort, 'server'>, entry: MountEntry): JsonObject {
  return {
    accessor: entry.accessor,
    config: renderConfig(entry.config),
    ...(isBuiltIn(entry) ? {} : { deprecation_status: 'supported' }),
    description: entry.description,
    external_entropy_access: entry.externalEntropyAccess,
    local: entry.local,
    options: entry.options === null ? null : { ...entry.options },
    plugin_version: '',
    running_plugin_version: builtinVersion(server.version),
    running_sha256: '',
    seal_wrap: entry.sealWrap,
    type: entry.type,
    uuid: entry.uuid,
  };
}

/** The tuning of a mount, with the TTLs that are in force. */
export function renderTune(port: SysPort, entry: MountEntry): JsonObject {
  const ttl = port.mounts.leaseTtl(entry.config);
  const { config } = entry;
  return {
    default_lease_ttl: ttl.default,
    description: entry.description,
    force_no_cache: config.forceNoCache,
    max_lease_ttl: ttl.max,
    ...optional(config),
    ...renderLockout(config.userLockout),
    ...(entry.options === null ? {} : { options: { ...entry.options } }),
  };
}

function renderConfig(config: MountConfig): JsonObject {
  return {
    default_lease_ttl: config.defaultLeaseTtl,
    force_no_cache: config.forceNoCache,
    max_lease_ttl: config.maxLeaseTtl,
    ...optional(config),
  };
}

function optional(config: MountConfig): JsonObject {
  return {
    ...(config.listingVisibility === undefined ? {} : { listing_visibility: config.listingVisibility }),
    ...(config.tokenType === undefined ? {} : { token_type: config.tokenType }),
    ...(config.passthroughRequestHeaders === undefined
      ? {}
      : { passthrough_request_headers: [...config.passthroughRequestHeaders] }),
    ...(config.allowedResponseHeaders === undefined
      ? {}
      : { allowed_response_headers: [...config.allowedResponseHeaders] }),
    ...(config.allowedManagedKeys === undefined
      ? {}
      : { allowed_managed_keys: [...config.allowedManagedKeys] }),
    ...(config.auditNonHmacRequestKeys === undefined
      ? {}
      : { audit_non_hmac_request_keys: [...config.auditNonHmacRequestKeys] }),
    ...(config.auditNonHmacResponseKeys === undefined
      ? {}
      : { audit_non_hmac_response_keys: [...config.auditNonHmacResponseKeys] }),
  };
}

function isBuiltIn(entry: MountEntry): boolean {
  return ['system', 'identity', 'cubbyhole', 'token'].includes(entry.type);
}
