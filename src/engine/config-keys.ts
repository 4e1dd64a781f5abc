import { blocks, labelled, names } from '../lib/hcl/hcl.ts';
import type { HclBody } from '../lib/hcl/tree.ts';
import { ConfigInvalid, type Environment, scalar, variable } from './config-values.ts';

/**
 * What becomes of a key of the configuration file:
 * `read`: it does what Vault documents; `only`: nothing else than these values is true of this engine;
 * `refused`: it asks for what this engine does not have; `within`: the keys of a block.
 */
export type KeyRule =
  | 'read'
  | { readonly only: readonly string[]; readonly because: string }
  | { readonly refused: string }
  | { readonly within: KeyRules };

export type KeyRules = Readonly<Record<string, KeyRule>>;

const read = (text: string): KeyRules =>
  Object.fromEntries(
    text
      .trim()
      .split(/\s+/)
      .map((name) => [name, 'read' as const]),
  );
const refused = (because: string, text: string): KeyRules =>
  Object.fromEntries(
    text
      .trim()
      .split(/\s+/)
      .map((name) => [name, { refused: because }]),
  );

const TRUE = ['true', '1', 't'];
const FALSE = ['false', '0', 'f'];
const ONE_NODE = 'this engine is one node: there is no cluster to talk to';
const NO_PLUGINS = 'there are no external plug-ins';
const NO_SINK = 'metrics are read from sys/metrics: nothing is sent';
const NO_NAMESPACES = 'namespaces are not supported';
const NO_FEATURE = 'this engine does not have it';
const SEES_MEMORY = 'it would show the inside of the process to whoever asks';

/** Keys of the whole file. Documentation: Vault and OpenBao, "Configuration". */
export const KEYS: KeyRules = {
  ...read(`listener storage backend seal audit api_addr cluster_name log_level log_format log_file
    log_requests_level log_rotate_bytes log_rotate_duration log_rotate_max_files default_lease_ttl max_lease_ttl ui
    raw_storage_endpoint pid_file enable_response_header_hostname disable_sealwrap default_max_request_duration
    enable_unauthenticated_access user_lockout entropy require_pgp_shares init_client_name config_group_readable
    recovery_mode kms_library migrate_by_ceremony audit_directory allow_audit_log_prefixing
    unsafe_allow_api_audit_creation`),
  telemetry: {
    within: {
      ...read('prometheus_retention_time'),
      disable_hostname: { only: TRUE, because: 'names of metrics never hold the name of the host' },
      enable_hostname_label: { only: FALSE, because: 'metrics never hold the name of the host' },
      ...refused(
        NO_SINK,
        `statsite_address statsd_address dogstatsd_addr dogstatsd_tags circonus_api_token circonus_api_app
        circonus_api_url circonus_submission_interval circonus_submission_url circonus_check_id
        circonus_check_force_metric_activation circonus_check_instance_id circonus_check_search_tag
        circonus_check_display_name circonus_check_tags circonus_broker_id circonus_broker_select_tag
        stackdriver_project_id stackdriver_location stackdriver_namespace stackdriver_debug_logs`,
      ),
      ...refused(
        NO_FEATURE,
        `usage_gauge_period maximum_gauge_cardinality lease_metrics_epsilon num_lease_metrics_buckets metrics_prefix
        add_lease_metrics_namespace_labels filter_default prefix_filter rollback_metrics_include_mount_point
        add_mount_point_rollback_metrics`,
      ),
    },
  },
  disable_mlock: { only: TRUE, because: 'memory cannot be locked from here: turn swap off on the machine' },
  disable_cache: { only: FALSE, because: 'there is no read cache of the storage to turn off' },
  cache_size: { refused: 'there is no read cache of the storage: LMDB reads from the page cache' },
  disable_clustering: { only: TRUE, because: ONE_NODE },
  disable_performance_standby: { only: TRUE, because: ONE_NODE },
  // Documented to have no effect without Raft.
  enable_response_header_raft_node_id: { only: [...TRUE, ...FALSE], because: 'it is true or false' },
  introspection_endpoint: { only: FALSE, because: 'sys/internal/inspect is not served' },
  imprecise_lease_role_tracking: { only: FALSE, because: 'leases are always counted' },
  disable_printable_check: { only: FALSE, because: 'paths with control characters are always refused' },
  ...refused(ONE_NODE, 'cluster_addr cluster_cipher_suites ha_storage service_registration replication'),
  ...refused(
    NO_PLUGINS,
    `plugin_directory plugin_file_uid plugin_file_permissions plugin_tmpdir plugin plugins plugin_auto_download
    plugin_auto_register plugin_download_behavior plugin_oci_auth`,
  ),
  ...refused(NO_NAMESPACES, 'administrative_namespace_path unsafe_cross_namespace_identity'),
  ...refused(
    NO_FEATURE,
    `detect_deadlocks disable_indexing disable_sentinel_trace sentinel license_path reporting experiments cloud
    adaptive_overload_protection request_limiter remove_irrevocable_lease_after initialize
    allow_unauthenticated_workflows disable_standby_reads disable_ssct_tokens enable_post_unseal_trace
    post_unseal_trace_directory`,
  ),
};

const SHARED: KeyRules = {
  ...read(`address tls_disable tls_cert_file tls_key_file tls_client_ca_file tls_require_and_verify_client_cert
    tls_disable_client_certs tls_min_version tls_max_version tls_cipher_suites tls_prefer_server_cipher_suites max_request_size max_request_duration
    max_json_depth max_json_string_value_length max_json_object_entry_count max_json_array_element_count max_json_token
    http_idle_timeout http_read_header_timeout http_read_timeout http_write_timeout custom_response_headers
    disable_unauthed_rekey_endpoints disable_unauthed_generate_root_endpoints`),
  telemetry: { within: read('unauthenticated_metrics_access') },
  role: { only: ['default'], because: 'a listener serves the whole API' },
  profiling: {
    within: {
      unauthenticated_pprof_access: { only: FALSE, because: SEES_MEMORY },
      unauthenticated_in_flight_request_access: { only: FALSE, because: SEES_MEMORY },
    },
  },
  inflight_requests_logging: {
    within: { unauthenticated_in_flight_requests_access: { only: FALSE, because: SEES_MEMORY } },
  },
  ...refused(ONE_NODE, 'cluster_address'),
  ...refused(NO_NAMESPACES, 'chroot_namespace'),
  ...refused(
    NO_FEATURE,
    `purpose redact_addresses redact_cluster_name redact_version disable_request_limiter
    disable_replication_status_endpoints agent_api proxy_api require_request_header cors_enabled
    cors_allowed_origins cors_allowed_headers`,
  ),
  ...refused(
    'certificates are not acquired by ACME: set tls_cert_file and tls_key_file',
    `tls_acme_ca_directory tls_acme_test_ca_directory tls_acme_cache_path tls_acme_ca_root tls_acme_eab_key_id
    tls_acme_eab_mac_key tls_acme_key_type tls_acme_email tls_acme_domains tls_acme_disable_http_challenge
    tls_acme_disable_alpn_challenge`,
  ),
};

const BEHIND_PROXIES = `proxy_protocol_behavior proxy_protocol_authorized_addrs x_forwarded_for_authorized_addrs
  x_forwarded_for_hop_skips x_forwarded_for_reject_not_authorized x_forwarded_for_reject_not_present
  x_forwarded_for_client_cert_header x_forwarded_for_client_cert_header_decoders
  x_forwarded_for_client_cert_decoders`;

const UNSAFE_HEADERS =
  'x_forwarded_for_client_cert_keep_not_forwarded x_forwarded_for_client_cert_keep_unauthorized';

/** Keys of `listener "tcp"`. Documentation: Vault and OpenBao, "TCP listener". */
export const TCP_KEYS: KeyRules = {
  ...SHARED,
  ...read(BEHIND_PROXIES),
  ...refused('only requests of authorized proxies may carry a certificate in a header', UNSAFE_HEADERS),
  ...refused('a socket of a file system belongs to listener "unix"', 'socket_mode socket_user socket_group'),
};

/** Keys of `listener "unix"`. Documentation: Vault and OpenBao, "Unix listener". */
export const UNIX_KEYS: KeyRules = {
  ...SHARED,
  ...read('socket_mode socket_user socket_group'),
  ...refused(
    'a client of a Unix socket has no address: use listener "tcp"',
    `${BEHIND_PROXIES} ${UNSAFE_HEADERS}`,
  ),
};

/** Keys of a storage block. */
export const STORAGE_KEYS: KeyRules = read('path');

/** Keys of `kms_library "pkcs11"`. */
export const KMS_LIBRARY_KEYS: KeyRules = read('name library library_env agent_address agent_uid');

/** Keys of `user_lockout`. */
export const LOCKOUT_KEYS: KeyRules = read(
  'lockout_threshold lockout_duration lockout_counter_reset disable_lockout',
);

/** Variables `VAULT_…` and `BAO_…` of Vault's and OpenBao's server that this engine refuses, by the rest of their names. */
const VARIABLES: KeyRules = {
  ...refused(
    ONE_NODE,
    `CLUSTER_ADDR RAFT_NODE_ID RAFT_PATH RAFT_RETRY_JOIN RAFT_FREELIST_TYPE RAFT_MAX_BATCH_ENTRIES
    RAFT_MAX_BATCH_SIZE_BYTES RAFT_INITIAL_MMAP_SIZE RAFT_NON_VOTER`,
  ),
  ...refused('write the address into VAULT_API_ADDR', 'REDIRECT_ADDR ADVERTISE_ADDR'),
  ...refused(NO_PLUGINS, 'PLUGIN_TMPDIR ENABLE_FILE_PERMISSIONS_CHECK ALLOW_PENDING_REMOVAL_MOUNTS'),
  ...refused(
    NO_FEATURE,
    `LICENSE LICENSE_PATH EXPERIMENTS DISABLE_PUBLIC_ACME SKIP_LOGGING_LEASE_EXPIRATIONS
    DISABLE_RSA_DRBG`,
  ),
};

/** @throws ERR_CONFIG_INVALID for a variable of Vault's server that does nothing here */
export function checkVariables(env: Environment): void {
  for (const [name, rule] of Object.entries(VARIABLES))
    if (variable(env, name) !== undefined && rule !== 'read' && 'refused' in rule)
      throw new ConfigInvalid(`VAULT_${name} is not supported`, {
        hint: `take it out of the environment: ${rule.refused}`,
      });
}

/**
 * Refuses what this engine cannot do, by its name.
 * @param prefix how the block is called in messages, such as `listener.tcp.`
 * @param warnings is told of keys that nobody knows
 * @throws ERR_CONFIG_INVALID
 */
export function checkKeys(body: HclBody, rules: KeyRules, prefix: string, warnings: string[]): void {
  for (const name of names(body)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (rule === undefined) warnings.push(`unknown configuration key "${prefix}${name}"`);
    else if (rule !== 'read') checkKey(body, name, rule, prefix, warnings);
  }
}

function checkKey(
  body: HclBody,
  name: string,
  rule: Exclude<KeyRule, 'read'>,
  prefix: string,
  warnings: string[],
): void {
  if ('within' in rule) {
    for (const block of blocks(body, name)) {
      const inner = block.labels.length === 0 ? block.body : { items: [labelled(block.labels, block.body)] };
      checkKeys(inner, rule.within, `${prefix}${name}.`, warnings);
    }
    return;
  }
  const blocked = blocks(body, name).length > 0;
  const value = blocked ? undefined : scalar(body, name)?.toLowerCase();
  // An empty text is how Vault's files leave a key out.
  if (value === '') return;
  if ('refused' in rule)
    throw new ConfigInvalid(`${prefix}${name} is not supported`, { hint: `take it out: ${rule.refused}` });
  if (value === undefined || !rule.only.includes(value))
    throw new ConfigInvalid(`${prefix}${name} cannot have this value`, { hint: rule.because });
}
