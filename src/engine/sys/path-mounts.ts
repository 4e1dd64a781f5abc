import { parseDuration } from '../../lib/duration.ts';
import { type Json, type JsonObject, member } from '../../lib/json.ts';
import { type Path, path } from '../logical/logical.ts';
import { badRequest, data, empty, type Response } from '../logical/response.ts';
import type { MountConfig, MountEntry } from '../mount/mount.ts';
import type { SysPort } from './port.ts';
import { readLockout } from './lockout-config.ts';
import { renderMount, renderTune } from './render-mount.ts';

type Table = 'mounts' | 'auth';

const emptyConfig: MountConfig = { defaultLeaseTtl: 0, maxLeaseTtl: 0, forceNoCache: false };

const tuneFields = {
  path: { type: 'string', description: 'The path of the mount.', required: true },
  default_lease_ttl: { type: 'string', description: 'The default lease TTL for this mount.' },
  max_lease_ttl: { type: 'string', description: 'The max lease TTL for this mount.' },
  description: { type: 'string', description: 'User-friendly description.' },
  listing_visibility: {
    type: 'string',
    description: 'Whether the mount is shown to callers without a token: hidden or unauth.',
  },
  token_type: { type: 'string', description: 'The type of token to issue.' },
  options: { type: 'stringMap', description: 'The options to pass into the backend.' },
  passthrough_request_headers: {
    type: 'commaList',
    description: 'Headers to pass from requests to the plugin.',
  },
  allowed_response_headers: { type: 'commaList', description: 'Headers a plugin may set.' },
  allowed_managed_keys: { type: 'commaList', description: 'Managed keys that the mount may use.' },
  audit_non_hmac_request_keys: {
    type: 'commaList',
    description: 'Keys that audit devices do not HMAC in requests.',
  },
  audit_non_hmac_response_keys: {
    type: 'commaList',
    description: 'Keys that audit devices do not HMAC in responses.',
  },
  user_lockout_config: { type: 'object', description: 'When failed logins lock a user out.' },
} as const;

/** sys/mounts or sys/auth: list, mount, unmount, read, tune. */
export function mountPaths(port: SysPort, table: Table): Path[] {
  const access = table === 'auth' ? ({ access: 'sudo' } as const) : {};
  const find = (name: string, among = table): MountEntry | undefined =>
    port.mounts.entries(among).find((entry) => entry.path === slash(name));
  const missing = (name: string, among = table): Response =>
    badRequest(
      among === 'auth' ? `No auth engine at ${slash(name)}` : `No secret engine mount at ${slash(name)}`,
    );

  return [
    path({
      pattern: table,
      synopsis:
        table === 'auth'
          ? 'List the currently enabled credential backends.'
          : 'List the currently mounted backends.',
      fields: {},
      operations: {
        read: {
          summary: 'List all mounts.',
          handler: () => {
            const listed: JsonObject = {};
            for (const entry of port.mounts.entries(table)) listed[entry.path] = renderMount(port, entry);
            return { kind: 'data', data: listed, atTop: true };
          },
        },
      },
    }),
    path({
      pattern: `${table}/*path/tune`,
      synopsis: 'Tune the configuration of a mount.',
      ...access,
      fields: tuneFields,
      operations: {
        read: {
          summary: 'Read the tuning of the mount.',
          handler: (_request, values) => {
            const target = tuneTarget(table, values.path);
            return read(port, find(target.name, target.table), missing(target.name, target.table));
          },
        },
        update: {
          summary: 'Tune the mount.',
          handler: (_request, values) => {
            const target = tuneTarget(table, values.path);
            return tune(port, target.table, target.name, values, missing(target.name, target.table));
          },
        },
      },
    }),
    path({
      pattern: `${table}/*path`,
      synopsis:
        table === 'auth'
          ? 'Enable a new credential backend with a name.'
          : 'Mount a new backend at a new path.',
      ...access,
      fields: {
        ...tuneFields,
        type: { type: 'string', description: 'The type of the backend.' },
        config: { type: 'object', description: 'Configuration for this mount.' },
        local: { type: 'bool', description: 'Mark the mount as local.', default: false },
        seal_wrap: {
          type: 'bool',
          description: 'Whether to turn on seal wrapping for the mount.',
          default: false,
        },
        external_entropy_access: {
          type: 'bool',
          description: "Whether to give the mount access to the seal's entropy.",
          default: false,
        },
        plugin_name: { type: 'string', description: 'Name of the plugin to mount.' },
        plugin_version: { type: 'string', description: 'The semantic version of the plugin to use.' },
      },
      operations: {
        read: {
          summary: 'Read the configuration of the mount.',
          handler: (_request, values) => {
            const target = tuneTarget(table, values.path);
            const entry = find(target.name, target.table);
            return entry === undefined
              ? missing(values.path)
              : { kind: 'data', data: renderMount(port, entry) };
          },
        },
        update: {
          summary: 'Mount a backend.',
          handler: async (_request, values) => {
            const config = readConfig(values.config ?? {});
            if (typeof config === 'string') return badRequest(config);
            const type =
              values.type === undefined || values.type === 'plugin'
                ? (values.plugin_name ?? '')
                : values.type;
            if (type === '') return badRequest('backend type must be specified as a string');
            const userLockout = readLockout(
              member(values.config ?? {}, 'user_lockout_config'),
              table,
              slash(values.path),
              type,
            );
            if (typeof userLockout === 'string') return badRequest(userLockout);
            const tuning = { ...emptyConfig, ...config };
            const system = port.mounts.leaseTtl(emptyConfig).max;
            if (tuning.maxLeaseTtl > 0 && tuning.defaultLeaseTtl > tuning.maxLeaseTtl)
              return badRequest('given default lease TTL greater than given max lease TTL');
            if (tuning.maxLeaseTtl === 0 && tuning.defaultLeaseTtl > system)
              return badRequest(`given default lease TTL greater than system max lease TTL of ${system}`);
            if (!isMountPath(values.path))
              return badRequest('path must be given, without empty segments, ".." or control characters');
            const outcome = await port.mounts.mount({
              table,
              path: slash(values.path),
              type,
              description: values.description ?? '',
              local: values.local,
              sealWrap: values.seal_wrap,
              externalEntropyAccess: values.external_entropy_access,
              options: values.options ?? null,
              config: {
                ...(table === 'auth' ? { tokenType: 'default-service' } : {}),
                ...tuning,
                ...(userLockout === undefined ? {} : { userLockout }),
              },
            });
            return 'refused' in outcome ? badRequest(outcome.refused) : empty;
          },
        },
        delete: {
          summary: 'Unmount the backend and delete its data.',
          handler: async (_request, values) => {
            const refused = await port.mounts.unmount(table, slash(values.path));
            return refused === undefined ? empty : badRequest(refused.refused);
          },
        },
      },
    }),
  ];
}

type TuneValues = {
  readonly [K in keyof typeof tuneFields]?: (typeof tuneFields)[K]['type'] extends 'string'
    ? string | undefined
    : (typeof tuneFields)[K]['type'] extends 'object'
      ? JsonObject | undefined
      : (typeof tuneFields)[K]['type'] extends 'stringMap'
        ? Record<string, string> | undefined
        : string[] | undefined;
};

function read(port: SysPort, entry: MountEntry | undefined, otherwise: Response): Response {
  return entry === undefined ? otherwise : { kind: 'data', data: renderTune(port, entry), atTop: true };
}

async function tune(
  port: SysPort,
  table: Table,
  name: string,
  values: TuneValues,
  otherwise: Response,
): Promise<Response> {
  const settings: JsonObject = {};
  for (const [key, value] of Object.entries(values))
    if (value !== undefined && key !== 'path') settings[key] = value as Json;
  const config = readConfig(settings);
  if (typeof config === 'string') return badRequest(config);
  if (config.tokenType !== undefined && table !== 'auth')
    return badRequest("'token_type' can only be modified on auth mounts");
  if (config.tokenType !== undefined && slash(name) === 'token/')
    return badRequest("'token_type' cannot be set for 'token' or 'ns_token' auth mounts");
  const type = port.mounts.entries(table).find((each) => each.path === slash(name))?.type;
  const userLockout = readLockout(values.user_lockout_config, table, slash(name), type);
  if (typeof userLockout === 'string') return badRequest(userLockout);
  const warnings: string[] = [];
  const entry = await port.mounts.tune(table, slash(name), (before) => {
    const next: MountConfig = {
      ...before.config,
      ...config,
      ...(userLockout === undefined ? {} : { userLockout: { ...before.config.userLockout, ...userLockout } }),
    };
    const { defaultLeaseTtl: ttl, maxLeaseTtl: max } = next;
    if (max > 0 && ttl > max)
      return {
        refused: `backend max lease TTL of ${max} would be less than backend default lease TTL of ${ttl}`,
      };
    const options = tunedOptions(before.options, values.options);
    if (before.type === 'kv' && isUpgrade(before.options, options)) warnings.push(UPGRADING);
    return { ...before, description: values.description ?? before.description, options, config: next };
  });
  if (entry === undefined) return otherwise;
  if ('refused' in entry) return badRequest(entry.refused);
  return warnings.length === 0 ? empty : data(null, warnings);
}

const UPGRADING =
  'Upgrading mount from version 1 to version 2. This mount will be unavailable for a brief period and will resume service shortly.';

function isUpgrade(before: MountEntry['options'], after: MountEntry['options']): boolean {
  return before?.['version'] !== '2' && after?.['version'] === '2';
}

// An option that is set to nothing goes; a version cannot.
function tunedOptions(
  before: MountEntry['options'],
  given: Readonly<Record<string, string>> | undefined,
): MountEntry['options'] {
  if (given === undefined) return before;
  const merged = Object.entries({ ...before, ...given });
  return Object.fromEntries(merged.filter(([name, value]) => value !== '' || name === 'version'));
}

type Settings = { -readonly [K in keyof MountConfig]?: MountConfig[K] };

// Only what was given; text that is no setting is a refusal.
function readConfig(given: JsonObject): Settings | string {
  const config: Settings = {};
  for (const [name, target] of [
    ['default_lease_ttl', 'defaultLeaseTtl'],
    ['max_lease_ttl', 'maxLeaseTtl'],
  ] as const) {
    const value = member(given, name);
    if (value === undefined || value === null || value === '') continue;
    const seconds = value === 'system' ? 0 : parseDuration(value);
    if (seconds === undefined || seconds < 0)
      return `unable to parse ${name.replaceAll('_', ' ').replace('ttl', 'TTL')}: invalid duration`;
    config[target] = Math.trunc(seconds);
  }
  const visibility = member(given, 'listing_visibility');
  if (typeof visibility === 'string') {
    if (!['', 'hidden', 'unauth'].includes(visibility)) return `invalid listing_visibility`;
    config.listingVisibility = visibility;
  }
  const force = member(given, 'force_no_cache');
  if (typeof force === 'boolean') config.forceNoCache = force;
  const tokenType = member(given, 'token_type');
  if (typeof tokenType === 'string' && tokenType !== '') {
    if (!['default-service', 'default-batch', 'service', 'batch'].includes(tokenType))
      return "invalid value for 'token_type'";
    config.tokenType = tokenType;
  }
  for (const [name, target] of [
    ['passthrough_request_headers', 'passthroughRequestHeaders'],
    ['allowed_response_headers', 'allowedResponseHeaders'],
    ['allowed_managed_keys', 'allowedManagedKeys'],
    ['audit_non_hmac_request_keys', 'auditNonHmacRequestKeys'],
    ['audit_non_hmac_response_keys', 'auditNonHmacResponseKeys'],
  ] as const) {
    const value = member(given, name);
    if (Array.isArray(value)) config[target] = value.filter((item) => typeof item === 'string');
  }
  return config;
}

function slash(name: string): string {
  return name.endsWith('/') ? name : `${name}/`;
}

// Below sys/mounts, `auth/x` and `auth/x/tune` are the auth method's.
function tuneTarget(table: Table, name: string): { readonly table: Table; readonly name: string } {
  return table === 'mounts' && name.startsWith('auth/')
    ? { table: 'auth', name: name.slice('auth/'.length) }
    : { table, name };
}

function isMountPath(name: string): boolean {
  const trimmed = name.replace(/\/$/, '');
  return (
    trimmed !== '' &&
    !/\p{Cc}/u.test(trimmed) &&
    trimmed.split('/').every((segment) => segment !== '' && segment !== '..' && segment !== '.')
  );
}
