import { toBase64, toHex } from '../../lib/bytes.ts';
import type { JsonObject } from '../../lib/json.ts';
import { type Path, path } from '../logical/logical.ts';
import { badRequest, data, empty, type Response } from '../logical/response.ts';
import type { QuorumRefusal, RekeyPort, RekeyResult, RekeyStatus, RekeyVerification } from './quorum-port.ts';

const starting = {
  secret_shares: { type: 'int', description: 'How many shares there will be.', default: 0 },
  secret_threshold: { type: 'int', description: 'How many of them make a quorum.', default: 0 },
  stored_shares: { type: 'int', description: 'Accepted for old clients; has no effect.', default: 0 },
  pgp_keys: { type: 'stringList', description: 'OpenPGP public keys, base64, one a share.' },
  backup: {
    type: 'bool',
    description: 'Keep the PGP-encrypted shares behind the barrier.',
    default: false,
  },
  require_verification: {
    type: 'bool',
    description: 'New shares count once a threshold of them was given back.',
    default: false,
  },
  nonce: {
    type: 'string',
    description: 'On deletion: cancel only the rekey of this nonce.',
    default: '',
    query: true,
  },
} as const;

const sharing = {
  key: { type: 'string', description: 'One share, hex or base64.', default: '' },
  nonce: { type: 'string', description: 'The nonce of the operation.', default: '' },
} as const;

/** One family of paths: where it is, and how it answers. */
interface Family {
  readonly root: string;
  readonly port: RekeyPort;
  readonly access: 'token' | 'rekey';
  readonly render: (body: JsonObject) => Response;
  /** The older form names a rekey that has not started by its nonce, the newer leaves it out. */
  readonly old: boolean;
}

const unsupported: Response = badRequest('recovery rekeying not supported');

/** sys/rekey, sys/rekey-recovery-key (top-level answers), and sys/rotate/root, sys/rotate/recovery. */
export function rekeyPaths(ports: { readonly barrier: RekeyPort; readonly recovery: RekeyPort }): Path[] {
  const old = { access: 'rekey', render: raw, old: true } as const;
  const logical = { access: 'token', render: data, old: false } as const;
  const families: readonly Family[] = [
    { ...old, root: 'rekey', port: ports.barrier },
    { ...old, root: 'rekey-recovery-key', port: ports.recovery },
    { ...logical, root: 'rotate/root', port: ports.barrier },
    { ...logical, root: 'rotate/recovery', port: ports.recovery },
  ];
  return [
    ...families.flatMap((family) => [init(family), update(family), verify(family)]),
    backup('rekey/backup', ports.barrier),
    backup('rekey/recovery-key-backup', ports.recovery),
    backup('rotate/root/backup', ports.barrier),
    backup('rotate/recovery/backup', ports.recovery),
  ];
}

function init({ root, port, access, render, old }: Family): Path {
  const show = (outcome: RekeyStatus | RekeyResult | QuorumRefusal): Response =>
    rendered(outcome, render, old);
  return path({
    pattern: `${root}/init`,
    synopsis: 'Reads, begins or cancels a change of key shares.',
    access,
    fields: starting,
    operations: {
      read: {
        summary: 'Read the configuration and progress of the current attempt.',
        handler: async () => (port.supported ? show(await port.status()) : unsupported),
      },
      update: {
        summary: 'Begin a new attempt.',
        handler: async (_request, values) => {
          if (!port.supported) return unsupported;
          return show(
            await port.start({
              shares: values.secret_shares,
              threshold: values.secret_threshold,
              pgpKeys: values.pgp_keys ?? [],
              backup: values.backup,
              requireVerification: values.require_verification,
            }),
          );
        },
      },
      delete: {
        summary: 'Cancel the attempt in progress.',
        handler: (_request, { nonce }) => {
          const refusal = port.cancel(nonce);
          return refusal === undefined ? empty : badRequest(refusal.refused);
        },
      },
    },
  });
}

function update({ root, port, access, render, old }: Family): Path {
  return path({
    pattern: `${root}/update`,
    synopsis: 'Enter a single key share to progress the attempt.',
    access,
    fields: sharing,
    operations: {
      update: {
        summary: 'Enter a single key share to progress the attempt.',
        handler: async ({ signal }, { key, nonce }) => {
          if (!port.supported) return unsupported;
          if (!old && nonce === '') return badRequest('nonce is required');
          if (key === '')
            return badRequest(old ? "'key' must be specified in request body as JSON" : 'key is required');
          return rendered(await port.update({ key, nonce, signal }), render, old);
        },
      },
    },
  });
}

function verify({ root, port, access, render }: Family): Path {
  const show = (
    outcome: RekeyVerification | { readonly complete: true; readonly nonce: string } | QuorumRefusal,
  ) => ('refused' in outcome ? badRequest(outcome.refused) : render(renderVerification(outcome)));
  return path({
    pattern: `${root}/verify`,
    synopsis: 'Proves that the new shares are held, before they count.',
    access,
    fields: sharing,
    operations: {
      read: { summary: 'Read the progress of the verification.', handler: () => show(port.verification()) },
      update: {
        summary: 'Enter a single new key share.',
        handler: async ({ signal }, { key, nonce }) =>
          key === ''
            ? badRequest("'key' must be specified in request body as JSON")
            : show(await port.verify({ key, nonce, signal })),
      },
      delete: {
        summary: 'Begin the verification again, with a new nonce.',
        handler: () => show(port.restartVerification()),
      },
    },
  });
}

function backup(pattern: string, port: RekeyPort): Path {
  return path({
    pattern,
    synopsis: 'Reads or deletes the backup of PGP-encrypted shares.',
    access: 'sudo',
    fields: {},
    operations: {
      read: {
        summary: 'Return the backup copy of PGP-encrypted shares.',
        handler: async () => {
          const kept = await port.backup();
          if (kept === undefined) return badRequest('no backed-up keys found');
          const { nonce } = kept;
          const keys = lists(kept.keys);
          return {
            kind: 'data',
            data: { nonce, keys, keys_base64: lists(kept.keysBase64) },
            atTop: true,
          };
        },
      },
      delete: {
        summary: 'Delete the backup copy of PGP-encrypted shares.',
        handler: async () => {
          await port.deleteBackup();
          return empty;
        },
      },
    },
  });
}

function lists(map: Readonly<Record<string, readonly string[]>>): JsonObject {
  return Object.fromEntries(Object.entries(map).map(([name, values]) => [name, [...values]]));
}

function raw(body: JsonObject): Response {
  return { kind: 'raw', status: 200, body };
}

function rendered(
  outcome: RekeyStatus | RekeyResult | QuorumRefusal,
  render: Family['render'],
  old: boolean,
): Response {
  if ('refused' in outcome) return badRequest(outcome.refused);
  return render('complete' in outcome ? renderResult(outcome, old) : renderStatus(outcome, old));
}

function renderStatus(status: RekeyStatus, old: boolean): JsonObject {
  const { started, threshold: t, shares: n, required } = status;
  if (!old && !started) return { started, t, n, required };
  return {
    nonce: status.nonce,
    started,
    t,
    n,
    progress: status.progress,
    required,
    ...(old || status.pgpFingerprints !== undefined
      ? { pgp_fingerprints: status.pgpFingerprints === undefined ? null : [...status.pgpFingerprints] }
      : {}),
    ...(old || status.backup ? { backup: status.backup } : {}),
    verification_required: status.verificationRequired,
    ...(old && status.verificationNonce === '' ? {} : { verification_nonce: status.verificationNonce }),
  };
}

function renderResult(result: RekeyResult, old: boolean): JsonObject {
  return {
    nonce: result.nonce,
    complete: true,
    keys: result.keys.map(toHex),
    keys_base64: result.keys.map(toBase64),
    pgp_fingerprints: result.pgpFingerprints === undefined ? null : [...result.pgpFingerprints],
    backup: result.backup,
    verification_required: result.verificationRequired,
    ...(old && result.verificationNonce === '' ? {} : { verification_nonce: result.verificationNonce }),
  };
}

function renderVerification(
  outcome: RekeyVerification | { readonly complete: true; readonly nonce: string },
): JsonObject {
  if ('complete' in outcome) return { nonce: outcome.nonce, complete: true };
  const { nonce, started, threshold: t, shares: n, progress } = outcome;
  return { nonce, started, t, n, progress };
}
