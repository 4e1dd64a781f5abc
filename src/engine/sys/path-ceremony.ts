import { isDigest } from '../../ceremony/canonical.ts';
import type { JsonObject } from '../../lib/json.ts';
import { type Path, path } from '../logical/logical.ts';
import { badRequest, empty, type Response } from '../logical/response.ts';
import {
  CEREMONY_TYPES,
  type CeremonyPerson,
  type CeremonyPort,
  type CeremonyRefusal,
  type CeremonyStatus,
  type CeremonyType,
  type RecoveryHolders,
} from './ceremony-port.ts';
import type { MigrationPlan } from './port.ts';

const id = { type: 'string', description: 'UID of the RecoveryCeremony.', default: '' } as const;

/**
 * ceremony, recovery-shares: what the operator and the people of a ceremony ask. The operator is known by its client
 * certificate, as in sys/init; a share or a proof is bound to nonce and digest, so that giving one needs no token.
 */
export function ceremonyPaths(port: CeremonyPort): Path[] {
  return [
    currentPath(port),
    onePath(port),
    submitPath(port),
    provePath(port),
    messagesPath(port),
    ...lastPaths(port),
  ];
}

function currentPath(port: CeremonyPort): Path {
  return path({
    pattern: 'ceremony',
    synopsis: 'The ceremony that runs, or the last one.',
    access: 'unauthenticated',
    fields: {},
    operations: {
      read: {
        summary: 'Read where the ceremony stands.',
        handler: async () => answer(await port.status(undefined)),
      },
    },
  });
}

function onePath(port: CeremonyPort): Path {
  return path({
    pattern: 'ceremony/:id',
    synopsis: 'Starts, shows or cancels a ceremony; one at a time.',
    access: 'unauthenticated',
    fields: {
      id,
      ceremony: { type: 'object', description: 'namespace and name of the RecoveryCeremony.', default: {} },
      type: { type: 'string', description: `One of ${CEREMONY_TYPES.join(', ')}.`, default: '' },
      digest: { type: 'string', description: 'Of the manifest: sha256: and 64 hex digits.', default: '' },
      threshold: { type: 'int', description: 'Of the new shares.', default: 0 },
      custodians: { type: 'any', description: 'List of name and pgp_key, who get the new shares.' },
      requester: { type: 'object', description: 'name and pgp_key of who gets the root token.' },
      ttl: { type: 'duration', description: 'After which the root token revokes itself.', default: 0 },
      dry_run: {
        type: 'bool',
        description: 'seal-migration: both seals prove themselves, and nothing is changed.',
        default: false,
      },
    },
    operations: {
      read: {
        summary: 'Read where a ceremony stands.',
        handler: async (_request, values) => answer(await port.status(values.id)),
      },
      update: {
        summary: 'Start a ceremony; the same again is answered the same. Operator only.',
        handler: async ({ clientName, signal }, values) => {
          if (!port.isOperator(clientName)) return forbidden;
          const { type } = values;
          if (!isType(type)) return badRequest(`type must be one of ${CEREMONY_TYPES.join(', ')}`);
          const custodians = people(values.custodians ?? []);
          const requester = values.requester === undefined ? undefined : person(values.requester);
          const namespace = values.ceremony['namespace'];
          const name = values.ceremony['name'];
          if (typeof namespace !== 'string' || typeof name !== 'string' || name === '')
            return badRequest('ceremony, with namespace and name, is required');
          if (custodians === undefined || (values.requester !== undefined && requester === undefined))
            return badRequest('custodians is a list of, and requester is, an object with name and pgp_key');
          const { digest, threshold, ttl } = values;
          return answer(
            await port.start(
              {
                id: values.id,
                namespace,
                name,
                type,
                digest,
                threshold,
                custodians,
                requester,
                ttl,
                ...(values.dry_run ? { dryRun: true } : {}),
              },
              signal,
            ),
          );
        },
      },
      delete: {
        summary: 'Cancel a ceremony. Operator only.',
        handler: async ({ clientName }, values) =>
          port.isOperator(clientName) ? done(await port.cancel(values.id)) : forbidden,
      },
    },
  });
}

function submitPath(port: CeremonyPort): Path {
  return path({
    pattern: 'ceremony/:id/submit',
    synopsis: 'Gives one share of today to a ceremony.',
    access: 'unauthenticated',
    fields: {
      id,
      nonce: { type: 'string', description: 'Of the ceremony’s status.', default: '' },
      digest: { type: 'string', description: 'Of the manifest that the holder agreed to.', default: '' },
      key: { type: 'string', description: 'One share, hex or base64.', default: '' },
    },
    operations: {
      update: {
        summary: 'Give a share.',
        handler: async ({ signal }, { id: ceremony, nonce, digest, key }) =>
          key === ''
            ? badRequest("'key' must be specified in request body as JSON")
            : answer(await port.submit(ceremony, { nonce, digest, key, signal })),
      },
    },
  });
}

function provePath(port: CeremonyPort): Path {
  return path({
    pattern: 'ceremony/:id/prove',
    synopsis: 'Proves that a custodian has their new share, which stays where it is.',
    access: 'unauthenticated',
    fields: {
      id,
      custodian: { type: 'string', description: 'Name in the plan.', default: '' },
      proof: { type: 'string', description: 'Signature by the key of the share, base64.', default: '' },
    },
    operations: {
      update: {
        summary: 'Prove a share.',
        handler: async ({ signal }, { id: ceremony, custodian, proof }) =>
          answer(await port.prove(ceremony, { custodian, proof, signal })),
      },
    },
  });
}

function messagesPath(port: CeremonyPort): Path {
  return path({
    pattern: 'ceremony/:id/messages',
    synopsis: 'The PGP messages that a ceremony made.',
    access: 'unauthenticated',
    fields: { id },
    operations: {
      read: {
        summary: 'Read the messages. Operator only.',
        handler: async ({ clientName }, values) => {
          if (!port.isOperator(clientName)) return forbidden;
          const outcome = await port.messages(values.id);
          if ('refused' in outcome) return refusal(outcome);
          const { shares, rootToken } = outcome;
          return raw({
            shares: { ...shares },
            ...(rootToken === undefined ? {} : { root_token: rootToken }),
          });
        },
      },
    },
  });
}

function lastPaths(port: CeremonyPort): Path[] {
  return [
    path({
      pattern: 'ceremony/:id/revoke-token',
      synopsis: 'Ends the root token that a ceremony made.',
      access: 'unauthenticated',
      fields: { id },
      operations: {
        update: {
          summary: 'Revoke the root token. Operator only.',
          handler: async ({ clientName }, values) =>
            port.isOperator(clientName) ? done(await port.revokeToken(values.id)) : forbidden,
        },
      },
    }),
    path({
      pattern: 'ceremony/:id/attest',
      synopsis: 'The engine’s signature over a ceremony on record: vault, plan, state and end of its log.',
      access: 'unauthenticated',
      fields: { id, head: { type: 'string', description: 'sha256: and 64 hex digits.', default: '' } },
      operations: {
        update: {
          summary: 'Sign. Operator only.',
          handler: async ({ clientName }, values) => {
            if (!port.isOperator(clientName)) return forbidden;
            if (!isDigest(values.head)) return badRequest('head must be sha256: and 64 hex digits');
            const outcome = await port.attest(values.id, values.head);
            if ('refused' in outcome) return refusal(outcome);
            const { statement, publicKey, signature, engineTime } = outcome;
            return raw({ statement, public_key: publicKey, signature, engine_time: engineTime });
          },
        },
      },
    }),
    path({
      pattern: 'recovery-shares',
      synopsis: 'Who holds the recovery shares in force.',
      access: 'unauthenticated',
      fields: {},
      operations: {
        read: {
          summary: 'Read the holders and the keys that prove their shares. Operator only.',
          handler: async ({ clientName }) => {
            if (!port.isOperator(clientName)) return forbidden;
            const found = await port.holders();
            const people = await port.breakGlass();
            if (found === undefined)
              return refusal({
                status: 404,
                refused: 'there are no recovery shares whose holders are known',
              });
            return raw({
              generation: found.generation,
              threshold: found.threshold,
              created_at: found.createdAt,
              holders: found.holders.map(renderHolder),
              ...(people === undefined
                ? {}
                : {
                    break_glass: {
                      threshold: people.threshold,
                      created_at: people.createdAt,
                      holders: people.holders.map(renderHolder),
                    },
                  }),
            });
          },
        },
      },
    }),
  ];
}

const forbidden: Response = {
  kind: 'refusal',
  status: 403,
  errors: ['permission denied: only the operator may do this, by its client certificate (init_client_name)'],
};

function answer(outcome: CeremonyStatus | CeremonyRefusal): Response {
  return 'refused' in outcome ? refusal(outcome) : raw(render(outcome));
}

function done(outcome: CeremonyRefusal | undefined): Response {
  return outcome === undefined ? empty : refusal(outcome);
}

function refusal({ status, refused }: CeremonyRefusal): Response {
  return { kind: 'refusal', status, errors: [refused] };
}

function raw(body: JsonObject): Response {
  return { kind: 'raw', status: 200, body };
}

function render(status: CeremonyStatus): JsonObject {
  const { requester, token, seals } = status;
  return {
    id: status.id,
    ceremony: { namespace: status.namespace, name: status.name },
    type: status.type,
    digest: status.digest,
    state: status.state,
    nonce: status.nonce,
    threshold: status.threshold,
    progress: status.progress,
    submitted: [...status.submitted],
    holders: [...status.holders],
    custodians: status.custodians.map((each) => ({ ...each })),
    ...(requester === undefined ? {} : { requester: { ...requester } }),
    ...(token === undefined ? {} : { token: { expires_at: token.expiresAt, state: token.state } }),
    ...(status.dryRun ? { dry_run: true } : {}),
    ...(seals === undefined ? {} : { seals: renderSeals(seals) }),
    started_at: status.startedAt,
    engine_time: status.engineTime,
  };
}

function renderSeals({ ready, from, to, actions }: MigrationPlan): JsonObject {
  return { ready, from: { ...from }, to: { ...to }, actions: [...actions] };
}

function isType(type: string): type is CeremonyType {
  return CEREMONY_TYPES.some((each) => each === type);
}

function renderHolder({ name, fingerprint, proofKey }: RecoveryHolders['holders'][number]): JsonObject {
  return { name, fingerprint, proof_key: proofKey };
}

function people(value: unknown): CeremonyPerson[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const found = value.map(person);
  return found.includes(undefined) ? undefined : found.filter((each) => each !== undefined);
}

function person(value: unknown): CeremonyPerson | undefined {
  if (typeof value !== 'object' || value === null || !('name' in value) || !('pgp_key' in value))
    return undefined;
  const { name, pgp_key: pgpKey } = value;
  return typeof name === 'string' && typeof pgpKey === 'string' ? { name, pgpKey } : undefined;
}
