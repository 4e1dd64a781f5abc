import { type Path, path } from '../logical/logical.ts';
import { badRequest, data, empty, type Response } from '../logical/response.ts';
import type { SysPort } from './port.ts';

const MIN_OPERATIONS = 1_000_000;
const MAX_OPERATIONS = 3_865_470_566;
const MIN_INTERVAL = 24 * 3600;

/** rotate/config and rotate/keyring/config: when the barrier's key is replaced by itself. */
export function rotationPaths(port: SysPort): Path[] {
  return ['rotate/config', 'rotate/keyring/config'].map((pattern) =>
    path({
      pattern,
      synopsis: 'Configures settings related to the backend encryption key management.',
      fields: {
        enabled: { type: 'bool', description: 'Whether automatic rotation is enabled.' },
        max_operations: {
          type: 'int',
          description:
            'The number of encryption operations performed before the barrier key is automatically rotated.',
        },
        interval: {
          type: 'duration',
          description:
            'How long after installation of an active key term that the key will be automatically rotated.',
        },
      },
      operations: {
        read: {
          summary: 'Get the automatic key rotation config.',
          handler: () => {
            const { enabled, interval, maxOperations } = port.rotation.get();
            return data({ enabled, interval, max_operations: maxOperations });
          },
        },
        update: {
          summary: 'Configure automatic key rotation.',
          handler: async (_request, values): Promise<Response> => {
            const before = port.rotation.get();
            const maxOperations = values.max_operations ?? before.maxOperations;
            const interval = values.interval ?? before.interval;
            if (maxOperations < MIN_OPERATIONS || maxOperations > MAX_OPERATIONS)
              return badRequest(`max_operations must be in the range [${MIN_OPERATIONS},${MAX_OPERATIONS}]`);
            if (interval !== 0 && interval < MIN_INTERVAL)
              return badRequest('interval must be greater or equal to 24h0m0s');
            await port.rotation.set({ enabled: values.enabled ?? before.enabled, maxOperations, interval });
            return empty;
          },
        },
      },
    }),
  );
}
