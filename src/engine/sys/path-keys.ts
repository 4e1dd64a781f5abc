import { type Path, path } from '../logical/logical.ts';
import { empty, type Response } from '../logical/response.ts';
import type { SysPort } from './port.ts';

/** seal, key-status and rotate. */
export function keyPaths(port: SysPort): Path[] {
  const rotate = async (): Promise<Response> => {
    await port.rotate();
    return empty;
  };
  const rotation = (pattern: string): Path =>
    path({
      pattern,
      synopsis: 'Rotates the backend encryption key used to persist data.',
      access: 'sudo',
      fields: {},
      operations: { update: { summary: 'Rotate the key that encrypts the barrier.', handler: rotate } },
    });
  return [
    path({
      pattern: 'seal',
      synopsis: 'Seals the Vault.',
      access: 'sudo',
      fields: {},
      operations: {
        update: {
          summary: 'Seal the Vault.',
          handler: async () => {
            await port.seal();
            return empty;
          },
        },
      },
    }),
    path({
      pattern: 'key-status',
      synopsis: 'Provides information about the backend encryption key.',
      fields: {},
      operations: {
        read: {
          summary: 'Provides information about the backend encryption key.',
          handler: () => {
            const status = port.keyStatus();
            return {
              kind: 'data',
              data: { term: status.term, install_time: status.installTime, encryptions: status.encryptions },
              atTop: true,
            };
          },
        },
      },
    }),
    rotation('rotate'),
    rotation('rotate/keyring'),
    path({
      pattern: 'rotate/root',
      synopsis: 'Rotates the root key of the Vault.',
      access: 'sudo',
      fields: {},
      operations: {
        update: {
          summary: 'Replace the root key behind the seal; shares stay as they are.',
          handler: async () => {
            await port.rotateRoot();
            return empty;
          },
        },
      },
    }),
  ];
}
