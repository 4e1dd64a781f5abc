import type { JsonObject } from '../../lib/json.ts';
import { type Path, path } from '../logical/logical.ts';
import { data, empty, type Response } from '../logical/response.ts';
import type { RawPort } from './port.ts';
import type { RewrapPort, SealBackendStatus } from './seal-port.ts';

/** seal-backend-status: in every state, without a token, as Vault Enterprise has it, with what it has not. */
export function sealBackendPath(port: RawPort): Path {
  return path({
    pattern: 'seal-backend-status',
    synopsis: 'Returns the status of the backends that seal the Vault.',
    access: 'unauthenticated',
    fields: {},
    operations: {
      read: {
        summary: 'Check the health of what seals a Vault.',
        handler: async () => ({ kind: 'raw', status: 200, body: render(await port.sealBackendStatus()) }),
      },
    },
  });
}

/** hsm-agent/restart: in every state, since a vault may be sealed for want of the right PIN. */
export function agentRestartPath(port: RawPort): Path {
  return path({
    pattern: 'hsm-agent/restart',
    synopsis: 'Has the HSM agents beside the engine started anew, with the slot and PIN of today.',
    access: 'unauthenticated',
    fields: {},
    operations: {
      update: {
        summary: 'Start the HSM agents anew. Operator only.',
        handler: async ({ clientName, signal }) => {
          const refusal = await port.renewCredentials({ clientName, signal });
          if (refusal === undefined) return empty;
          return { kind: 'refusal', status: refusal.status, errors: [refusal.refused] };
        },
      },
    },
  });
}

/** sealwrap/rewrap. */
export function rewrapPaths(port: RewrapPort): Path[] {
  return [
    path({
      pattern: 'sealwrap/rewrap',
      synopsis: 'Wraps everything that is sealed by the newest key.',
      fields: {},
      operations: {
        read: {
          summary: 'Read how far the rewrap is.',
          handler: () => {
            const { running, processed, succeeded, failed } = port.status();
            return data({ entries: { failed, processed, succeeded }, is_running: running });
          },
        },
        update: {
          summary: 'Start a rewrap, if none is running.',
          handler: (): Response => (port.start() ? empty : data(null, ['a rewrap is already running'])),
        },
      },
    }),
  ];
}

function render(status: SealBackendStatus): JsonObject {
  const { restart, key, references } = status;
  return {
    healthy: status.healthy,
    ...since(status.unhealthySince),
    fully_wrapped: status.fullyWrapped,
    backends: status.backends.map(({ name, healthy, unhealthySince, configured, disabled }) => ({
      name,
      healthy,
      ...since(unhealthySince),
      configured,
      disabled,
    })),
    ...(restart === undefined ? {} : { next_restart_would_fail: restart.wouldFail }),
    ...(restart?.wouldFail === true
      ? { next_restart_reason: restart.code, next_restart_message: restart.message }
      : {}),
    ...(key === undefined
      ? {}
      : { key: { ...key, attributes: { ...key.attributes }, warnings: [...key.warnings] } }),
    ...(references === undefined
      ? {}
      : {
          key_references: references.map((each) => ({
            ...each,
            safe_to_delete: !each.current && each.records === 0,
          })),
        }),
  };
}

function since(ms: number | undefined): JsonObject {
  return ms === undefined ? {} : { unhealthy_since: new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z') };
}
