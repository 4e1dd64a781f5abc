import { toBase64, toHex } from '../../lib/bytes.ts';
import type { JsonObject } from '../../lib/json.ts';
import { type Path, path, PathTable } from '../logical/logical.ts';
import type { Response } from '../logical/response.ts';
import { agentRestartPath, sealBackendPath } from './path-seal-backend.ts';
import type { RawPort, SealStatus } from './port.ts';

/** The endpoints that answer before there is a token to ask for: no envelope, no policies, in every state. */
export function rawPaths(port: RawPort): PathTable {
  return new PathTable([
    healthPath(port),
    initPath(port),
    sealStatusPath(port),
    sealBackendPath(port),
    agentRestartPath(port),
    unsealPath(port),
    leaderPath(port),
  ]);
}

/** What of them answers in recovery mode. */
export function statusPaths(port: Pick<RawPort, 'health' | 'sealStatus'>): Path[] {
  return [healthPath(port), sealStatusPath(port)];
}

function raw(body: JsonObject, status = 200): Response {
  return { kind: 'raw', status, body };
}

const code = (description: string) => ({ type: 'string', description, query: true }) as const;

function healthPath(port: Pick<RawPort, 'health'>): Path {
  return path({
    pattern: 'health',
    synopsis: 'Returns the health status of Vault.',
    access: 'unauthenticated',
    fields: {
      activecode: code('Status of an active node, 200 by default'),
      standbycode: code('Status of a standby, 429 by default'),
      standbyok: code('Answer for a standby as for an active node'),
      sealedcode: code('Status of a sealed node, 503 by default'),
      uninitcode: code('Status of a node that is not initialized, 501 by default'),
      performancestandbycode: code('Accepted; there are no performance standbys'),
      perfstandbyok: code('Accepted; there are no performance standbys'),
      drsecondarycode: code('Accepted; there is no replication'),
    },
    operations: {
      read: {
        summary: 'Returns the health status of Vault.',
        handler: async (_request, values) => {
          const codes: Record<string, number> = {
            activecode: 200,
            sealedcode: 503,
            uninitcode: 501,
            standbycode: 429,
          };
          for (const name of [
            'activecode',
            'sealedcode',
            'uninitcode',
            'standbycode',
            'performancestandbycode',
            'drsecondarycode',
          ] as const) {
            const given = values[name];
            if (given === undefined || given === '') continue;
            if (!/^[1-9]\d{2}$/.test(given)) return { kind: 'refusal', status: 400, errors: [] };
            codes[name] = Number(given);
          }
          const health = await port.health();
          const status =
            codes[health.initialized ? (health.sealed ? 'sealedcode' : 'activecode') : 'uninitcode'] ?? 500;
          const mode = health.sealed ? 'unknown' : 'disabled';
          return raw(
            {
              initialized: health.initialized,
              sealed: health.sealed,
              standby: health.sealed,
              performance_standby: false,
              replication_performance_mode: mode,
              replication_dr_mode: mode,
              server_time_utc: health.serverTimeUtc,
              version: health.version,
              ...(health.clusterName === undefined ? {} : { cluster_name: health.clusterName }),
              ...(health.clusterId === undefined ? {} : { cluster_id: health.clusterId }),
            },
            status,
          );
        },
      },
    },
  });
}

function initPath(port: RawPort): Path {
  const pgp = (description: string) => ({ type: 'stringList', description }) as const;
  return path({
    pattern: 'init',
    anyCase: true,
    synopsis: 'Initializes or returns the initialization status of the Vault.',
    access: 'unauthenticated',
    fields: {
      secret_shares: {
        type: 'int',
        description: 'Number of shares of the unseal key; not with an HSM seal.',
      },
      secret_threshold: { type: 'int', description: 'Shares needed to unseal; not with an HSM seal.' },
      stored_shares: { type: 'int', description: 'Must equal secret_shares.' },
      pgp_keys: pgp('OpenPGP public keys for the unseal shares, base64.'),
      recovery_shares: { type: 'int', description: 'Number of shares of the recovery key.' },
      recovery_threshold: { type: 'int', description: 'Recovery shares needed for a quorum.' },
      recovery_pgp_keys: pgp('OpenPGP public keys for the recovery shares, base64, one a share.'),
      root_token_pgp_key: { type: 'string', description: 'OpenPGP public key for the root token, base64.' },
      omit_root_token: { type: 'bool', description: 'Issue no root token at all.', default: false },
      recovery_custodians: {
        type: 'stringList',
        description: 'Who gets the recovery shares, one name a share, in the order of recovery_pgp_keys.',
      },
      ceremony_id: {
        type: 'string',
        description: 'Makes the call repeatable: the same id and request get the same, PGP-encrypted answer.',
      },
      ceremony_digest: {
        type: 'string',
        description:
          'Of the plan that people agreed to, which evidence is signed for: sha256: and 64 hex digits.',
      },
    },
    operations: {
      read: {
        summary: 'Returns the initialization status of Vault.',
        handler: async () => raw({ initialized: await port.isInitialized() }),
      },
      update: {
        summary: 'Initialize a new Vault.',
        handler: async (request, values) => {
          const outcome = await port.initialize({
            secretShares: values.secret_shares,
            secretThreshold: values.secret_threshold,
            pgpKeys: values.pgp_keys,
            storedShares: values.stored_shares,
            recoveryShares: values.recovery_shares,
            recoveryThreshold: values.recovery_threshold,
            recoveryPgpKeys: values.recovery_pgp_keys,
            recoveryCustodians: values.recovery_custodians,
            rootTokenPgpKey: values.root_token_pgp_key === '' ? undefined : values.root_token_pgp_key,
            omitRootToken: values.omit_root_token,
            ceremonyId: values.ceremony_id === '' ? undefined : values.ceremony_id,
            ceremonyDigest: values.ceremony_digest === '' ? undefined : values.ceremony_digest,
            clientName: request.clientName,
            signal: request.signal,
          });
          if ('refused' in outcome)
            return { kind: 'refusal', status: outcome.status, errors: [outcome.refused] };
          const { rootToken, warnings } = outcome;
          const { type } = await port.sealStatus();
          const hex = outcome.keys.map(toHex);
          const base64 = outcome.keys.map(toBase64);
          return raw({
            keys: type === 'shamir' ? hex : [],
            keys_base64: type === 'shamir' ? base64 : [],
            ...(type === 'shamir' || hex.length === 0
              ? {}
              : { recovery_keys: hex, recovery_keys_base64: base64 }),
            root_token: rootToken,
            ...(warnings.length === 0 ? {} : { warnings: [...warnings] }),
          });
        },
      },
    },
  });
}

function sealStatusPath(port: Pick<RawPort, 'sealStatus'>): Path {
  return path({
    pattern: 'seal-status',
    synopsis: 'Returns the seal status of the Vault.',
    access: 'unauthenticated',
    fields: {},
    operations: {
      read: {
        summary: 'Check the seal status of a Vault.',
        handler: async () => raw(renderSealStatus(await port.sealStatus())),
      },
    },
  });
}

function unsealPath(port: RawPort): Path {
  return path({
    pattern: 'unseal',
    anyCase: true,
    synopsis: 'Unseals the Vault.',
    access: 'unauthenticated',
    fields: {
      key: { type: 'string', description: 'One share, hex or base64.', default: '' },
      reset: { type: 'bool', description: 'Discard the shares given so far.', default: false },
      migrate: { type: 'bool', description: 'Migrate to the other configured seal.', default: false },
      dry_run: {
        type: 'bool',
        description: 'With migrate: prove both seals, say what would be done, and change nothing.',
        default: false,
      },
    },
    operations: {
      update: {
        summary: 'Unseal the Vault.',
        handler: async (_request, values) => {
          const { key, reset, migrate, dry_run: dryRun } = values;
          const outcome = await port.unseal({ key, reset, migrate, dryRun });
          if ('refused' in outcome)
            return { kind: 'refusal', status: outcome.status ?? 400, errors: [outcome.refused] };
          const { plan } = outcome;
          return raw({
            ...renderSealStatus(outcome),
            ...(plan === undefined
              ? {}
              : {
                  migration_plan: {
                    ...plan,
                    from: { ...plan.from },
                    to: { ...plan.to },
                    actions: [...plan.actions],
                  },
                }),
          });
        },
      },
    },
  });
}

function leaderPath(port: RawPort): Path {
  return path({
    pattern: 'leader',
    synopsis: 'Returns the high availability status and current leader instance of Vault.',
    access: 'unauthenticated',
    fields: {},
    operations: {
      read: {
        summary: 'Returns the high availability status and current leader instance of Vault.',
        handler: () => {
          if (!port.isUnsealed()) return { kind: 'refusal', status: 503, errors: ['Vault is sealed'] };
          return raw({
            ha_enabled: false,
            is_self: false,
            active_time: '0001-01-01T00:00:00Z',
            leader_address: '',
            leader_cluster_address: '',
            performance_standby: false,
            performance_standby_last_remote_wal: 0,
          });
        },
      },
    },
  });
}

function renderSealStatus(status: SealStatus): JsonObject {
  const recovery = status.type !== 'shamir';
  return {
    type: status.type,
    initialized: status.initialized,
    sealed: status.sealed,
    t: status.t,
    n: status.n,
    progress: status.progress,
    nonce: status.nonce,
    version: status.version,
    build_date: status.buildDate,
    commit_date: status.buildDate,
    migration: status.migration,
    ...(status.clusterName === undefined ? {} : { cluster_name: status.clusterName }),
    ...(status.clusterId === undefined ? {} : { cluster_id: status.clusterId }),
    recovery_seal: recovery,
    ...(recovery ? { recovery_seal_type: 'shamir' } : {}),
    storage_type: status.storageType,
    ...(status.warnings.length === 0 ? {} : { warnings: [...status.warnings] }),
  };
}
