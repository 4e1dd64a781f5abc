import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

interface Exchange {
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly headers: Record<string, string>;
    readonly body?: any;
  };
  readonly response: { readonly status: number; readonly body: any };
}

const exchanges = readFileSync(new URL('../vectors/golden/openbao-2.6.2-hsm.jsonl', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Exchange);

/** Exchanges whose answers are not compared as recorded, each with its reason; by their number, from and to. */
const special: readonly (readonly [number, number, string])[] = [
  [
    161,
    169,
    'the caller is a token whose name was taken out of the recording; acl.test.ts and token.test.ts',
  ],
  [184, 185, 'the caller revokes itself, and is not the root token; token.test.ts'],
  [13, 13, 'the peer quotes the body'],
  [14, 14, 'our answer warns of shares without PGP; init.test.ts'],
  [30, 30, 'the configuration of another server; sys-process.test.ts'],
  [41, 42, 'requests and loggers of another server; sys-process.test.ts'],
  [137, 137, 'our HCL parser words syntax errors itself; the position is in them'],
  [182, 182, 'the accessor is that of the caller before'],
  [245, 245, "the peer's sentence quotes types of its own language"],
  [260, 262, 'names and ids that servers choose are members here; identity-recorded.test.ts'],
  [272, 274, 'the peer enables audit devices by its configuration only; audit-devices.test.ts'],
  [378, 378, "the peer's sentence has its namespace"],
  [382, 382, 'a wrong nonce must not be told the right one'],
  [391, 391, "the peer's sentence has its namespace"],
  [392, 392, "the peer's sentence has its namespace"],
  [396, 400, 'refusals without a code of the peer: 400 here; shamir.test.ts, quorum-hsm.test.ts'],
  [405, 405, 'a refusal without a code of the peer: 400 here'],
  [427, 427, 'another kind of storage'],
];

/** From here on the recording goes on with a second server, whose initialization is not in it. */
const SECOND_SERVER = 141;
/** Its shares, as they come up. */
const SECOND_SHARES = [
  'Em2SqOcAtBA1xFo1sL0/awSmdI2NKER/sz7A/8loRDhV',
  '2e519c5a0e0fa7d1e37941cc3b2bd12db6f8afb7d37ce6884107d171e9769ce888',
  'od6h4F1quIHXV6ho3O4RF/3DTvPoAVoR+6t+tRy8lRei',
];

/** Members whose recorded values stand for ours in later requests. */
const NAMED =
  /^(?:nonce|verification_nonce|client_token|token|accessor|wrapped_accessor|id|encoded_token|secret_id|secret_id_accessor|role_id|serial_number|ciphertext|signature|hmac|issuer_id|key_id|lease_id|canonical_id|entity_id|mount_accessor|certificate|public_key|csr|code|key|imported_issuers|backup|migration_id|request_id)$/;
const SHARES = /^(?:keys|keys_base64|recovery_keys|recovery_keys_base64)$/;

/** Values that differ from run to run: compared by type. */
const VOLATILE =
  /^(?:request_id|uuid|accessor|client_token|token|wrapped_accessor|id|nonce|version|commit_date|build_date|running_plugin_version|cluster_id|cluster_name|.*_time|ttl|modified|server_time_utc|leader_.*|is_self|raft_.*|replication_.*|encryptions|storage_type|ha_enabled)$/;
/** Where most values are random: those are compared by type. */
const RANDOM =
  /\/v1\/(?:transit\/(?:keys|random|datakey|export|wrapping_key)|pki\/|ssh\/|totp\/|sys\/(?:generate-root|rotate|rekey))/;

/** Members of ours that the recorded peer does not have, by Vault's documentation. */
const ADDED = new Set([
  'build_date',
  'performance_standby',
  'performance_standby_last_remote_wal',
  'renewable',
  'issue_time',
  'is_self',
  'active_time',
  'leader_address',
  'leader_cluster_address',
  'metadata_cas_required',
]);
/** Members of the peer that ours does not have, with the reason beside it. */
const MISSING = new Set([
  'identity/', // the identity store is not served
  'allow_slashes_in_identity_templates', // the peer's own extension of policies
  'allow_wildcards_in_identity_templates',
  'raft_committed_index', // another storage
  'raft_applied_index',
]);

function compare(recorded: any, ours: any, path: string, problems: string[], random: boolean): void {
  const key = path.split('.').at(-1) ?? '';
  if (
    typeof recorded !== typeof ours ||
    Array.isArray(recorded) !== Array.isArray(ours) ||
    (recorded === null) !== (ours === null)
  ) {
    problems.push(`${path}: ${kind(recorded)} recorded, ${kind(ours)} here`);
  } else if (Array.isArray(recorded)) {
    if (key === 'errors' && JSON.stringify(recorded) !== JSON.stringify(ours))
      problems.push(`${path}: ${JSON.stringify(recorded)} recorded, ${JSON.stringify(ours)} here`);
    else if (recorded.length > 0 && ours.length > 0)
      compare(recorded[0], ours[0], `${path}[]`, problems, random);
    else if (recorded.length !== ours.length)
      problems.push(`${path}: ${recorded.length} items recorded, ${ours.length} here`);
  } else if (typeof recorded === 'object' && recorded !== null) {
    for (const name of Object.keys(recorded)) {
      if (name in ours) compare(recorded[name], ours[name], `${path}.${name}`, problems, random);
      else if (!MISSING.has(name)) problems.push(`${path}.${name}: recorded, not here`);
    }
    for (const name of Object.keys(ours))
      if (!(name in recorded) && !ADDED.has(name)) problems.push(`${path}.${name}: here, not recorded`);
  } else if (
    !(random && (typeof recorded === 'string' || recorded > 10_000 || key === 'otp_length')) &&
    !VOLATILE.test(key) &&
    !path.includes('[]') &&
    key !== 'policy' &&
    recorded !== ours
  ) {
    problems.push(`${path}: ${JSON.stringify(recorded)} recorded, ${JSON.stringify(ours)} here`);
  }
}

// The peer's own additions to policies: Vault shows name and text.
function withoutExtensions(path: string, body: any): any {
  if (!path.includes('/sys/policies/acl/') || body.data === undefined) return body;
  const { cas_required: _cas, modified: _modified, version: _version, ...data } = body.data;
  return { ...body, data };
}

function kind(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'list' : typeof value;
}

describe('recorded exchanges', () => {
  let engine: TestEngine;
  /** Recorded value → ours. */
  const names = new Map<string, string>();
  let ourShares: string[] = [];

  beforeAll(async () => {
    const open = { disable_unauthed_rekey_endpoints: false, disable_unauthed_generate_root_endpoints: false };
    engine = await TestEngine.start({
      listener: [{ tcp: { address: '127.0.0.1:0', tls_disable: true, ...open } }],
      raw_storage_endpoint: true,
    });
  });
  afterAll(() => engine.stop());

  const translate = (text: string): string => {
    let out = text;
    for (const [recorded, ours] of [...names].toSorted(([a], [b]) => b.length - a.length))
      out = out.replaceAll(recorded, ours);
    return out;
  };
  const learn = (recorded: any, ours: any, key: string, shares: boolean): void => {
    if (typeof recorded === 'string' && typeof ours === 'string') {
      const counts = NAMED.test(key) || (shares && SHARES.test(key));
      if (counts && recorded !== ours && recorded.length > 5) names.set(recorded, ours);
    } else if (Array.isArray(recorded) && Array.isArray(ours))
      recorded.forEach((item, index) => learn(item, ours[index], key, shares));
    else if (isObject(recorded) && isObject(ours))
      for (const name of Object.keys(recorded)) learn(recorded[name], ours[name], name, shares);
  };
  const beginSecondServer = async (): Promise<void> => {
    for (const mount of ['secret', 'kv1', 'kv1moved']) await engine.call('DELETE', `sys/mounts/${mount}`);
    for (const [index, recorded] of SECOND_SHARES.entries()) names.set(recorded, ourShares[index] ?? '');
  };

  for (const [index, exchange] of exchanges.entries()) {
    const { request, response } = exchange;
    const reason = special.find(([from, to]) => index >= from && index <= to)?.[2];
    test(`${index} ${request.method} ${request.path} → ${response.status}${reason === undefined ? '' : ` (not compared: ${reason})`}`, async () => {
      if (index === SECOND_SERVER) await beginSecondServer();
      if (index >= 161 && index <= 169) return;
      if (index === 184 || index === 185) return;
      const body =
        request.body === undefined
          ? undefined
          : translate(typeof request.body === 'string' ? request.body : JSON.stringify(request.body));
      const headers: Record<string, string> = {};
      for (const [recorded, sent] of [
        ['content-type', 'Content-Type'],
        ['x-vault-wrap-ttl', 'X-Vault-Wrap-TTL'],
      ] as const) {
        const value = request.headers[recorded];
        if (value !== undefined) headers[sent] = value;
      }
      const given = request.headers['x-vault-token'];
      const token = given === undefined ? '' : given === '<token>' ? engine.root : translate(given);
      const path = translate(request.path.slice('/v1/'.length));
      const answer = await engine.call(request.method, path, body, token, headers);
      if (request.path === '/v1/sys/init' && answer.body?.root_token !== undefined) {
        engine.root = answer.body.root_token;
        ourShares = answer.body.recovery_keys_base64;
      }
      learn(response.body, answer.body, '', /rekey|rotate|init/.test(request.path));
      if (reason !== undefined) return;
      expect(answer.status, JSON.stringify(answer.body)).toBe(response.status);
      const problems: string[] = [];
      if (response.body === null || response.body === undefined) expect(answer.body).toBeUndefined();
      else if (typeof response.body === 'string') expect(typeof answer.body).toBe('string');
      else {
        const recorded = JSON.parse(translate(JSON.stringify(response.body)));
        compare(
          withoutExtensions(request.path, recorded),
          answer.body,
          '',
          problems,
          RANDOM.test(request.path),
        );
      }
      expect(problems).toEqual([]);
    });
  }
});

function isObject(value: any): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
