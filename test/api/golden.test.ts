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

/** Exchanges that are not replayed as recorded, each with its reason. */
const skipped: readonly {
  readonly when: (exchange: Exchange, index: number) => boolean;
  readonly reason: string;
}[] = [
  {
    when: (each) => /sys\/(?:init|seal|unseal)$/.test(each.request.path) && each.request.method === 'PUT',
    reason: 'ends the recorded vault; init.test.ts and seal.test.ts have them',
  },
  {
    when: (each) => [501, 503].includes(each.response.status),
    reason: 'recorded before initialization or while sealed; init.test.ts has them',
  },
  {
    when: (each) =>
      each.response.status === 200 &&
      (each.response.body?.initialized === false || each.response.body?.sealed === true),
    reason: 'recorded before initialization or while sealed',
  },
  {
    when: (each) => each.response.status === 403,
    reason: 'made with another token than the root token; acl.test.ts has them',
  },
  {
    when: (each) =>
      /sys\/(?:mounts|auth|mounts\/auth)\/(?:pki|userpass|approle|k8s|jwt|cert)/.test(each.request.path),
    reason: 'that engine or auth method is not served',
  },
  {
    when: (each) =>
      /internal\/ui\/mounts$|sys\/auth$/.test(each.request.path) &&
      JSON.stringify(each.response.body).match(/userpass|approle/) !== null,
    reason: 'lists auth methods that are not served',
  },
  {
    when: (each) => /auth\/token\/(?:revoke-self|accessors)/.test(each.request.path),
    reason: 'acts on the caller; token.test.ts has it',
  },
  {
    when: (_each, index) => index === 148,
    reason: 'made with another token than the root token; token.test.ts has it',
  },
  {
    when: (each) => each.request.path.endsWith('/policies/acl/bad2'),
    reason: 'our HCL parser words syntax errors itself; the position is in them',
  },
  {
    when: (each) => each.request.path.endsWith('/kv1moved'),
    reason: 'follows a remount, which is not served',
  },
];

const SECOND_SERVER = 125;

/** Values that differ from run to run: compared by type. */
const VOLATILE =
  /^(?:request_id|uuid|accessor|client_token|token|wrapped_accessor|id|nonce|version|commit_date|build_date|running_plugin_version|cluster_id|cluster_name|.*_time|ttl|modified|server_time_utc|leader_.*|is_self|raft_.*|replication_.*|encryptions|storage_type|ha_enabled)$/;
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

function compare(recorded: any, ours: any, path: string, problems: string[]): void {
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
    else if (recorded.length > 0 && ours.length > 0) compare(recorded[0], ours[0], `${path}[]`, problems);
    else if (recorded.length !== ours.length)
      problems.push(`${path}: ${recorded.length} items recorded, ${ours.length} here`);
  } else if (typeof recorded === 'object' && recorded !== null) {
    for (const name of Object.keys(recorded)) {
      if (name in ours) compare(recorded[name], ours[name], `${path}.${name}`, problems);
      else if (!MISSING.has(name)) problems.push(`${path}.${name}: recorded, not here`);
    }
    for (const name of Object.keys(ours))
      if (!(name in recorded) && !ADDED.has(name)) problems.push(`${path}.${name}: here, not recorded`);
  } else if (!VOLATILE.test(key) && !path.includes('[]') && key !== 'policy' && recorded !== ours) {
    problems.push(`${path}: ${JSON.stringify(recorded)} recorded, ${JSON.stringify(ours)} here`);
  }
}

function kind(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'list' : typeof value;
}

describe('recorded exchanges', () => {
  let engine: TestEngine;
  /** Recorded token or accessor → ours. */
  const names = new Map<string, string>();

  beforeAll(async () => {
    engine = await TestEngine.initialized();
  });
  afterAll(() => engine.stop());

  const translate = (text: string): string => {
    let out = text;
    for (const [recorded, ours] of names) out = out.replaceAll(recorded, ours);
    return out;
  };

  for (const [index, exchange] of exchanges.entries()) {
    const { request, response } = exchange;
    const title = `${index} ${request.method} ${request.path} → ${response.status}`;
    const skip = skipped.find(({ when }) => when(exchange, index));
    if (skip !== undefined) continue;
    test(title, async () => {
      // From here on the recording goes on with a second, empty server.
      if (index === SECOND_SERVER) await engine.call('DELETE', 'sys/mounts/secret');
      const body =
        request.body === undefined
          ? undefined
          : typeof request.body === 'string'
            ? request.body
            : translate(JSON.stringify(request.body));
      const path = translate(request.path.slice('/v1/'.length));
      const headers: Record<string, string> = {};
      for (const [recorded, sent] of [
        ['content-type', 'Content-Type'],
        ['x-vault-wrap-ttl', 'X-Vault-Wrap-TTL'],
      ] as const) {
        const value = request.headers[recorded];
        if (value !== undefined) headers[sent] = value;
      }
      const answer = await engine.call(request.method, path, body, undefined, headers);
      for (const [theirs, ours] of [
        [response.body?.auth?.client_token, answer.body?.auth?.client_token],
        [response.body?.auth?.accessor, answer.body?.auth?.accessor],
        [response.body?.wrap_info?.token, answer.body?.wrap_info?.token],
      ]) {
        if (theirs !== undefined && theirs !== '' && ours !== undefined) names.set(theirs, ours);
      }
      expect(answer.status, JSON.stringify(answer.body)).toBe(response.status);
      const problems: string[] = [];
      if (response.body === null) expect(answer.body).toBeUndefined();
      else compare(response.body, answer.body, '', problems);
      expect(problems).toEqual([]);
    });
  }
});
