import { type Backend, path, type PathRow, PathTable } from '../logical/logical.ts';
import { badRequest, type Response } from '../logical/response.ts';

const upgrading: Response = badRequest(
  'Upgrading from non-versioned to versioned data. This backend will be unavailable for a brief period and will resume service shortly.',
);

const explain = { summary: 'Answer that the mount is being upgraded.', handler: () => upgrading };
const everything: PathRow<Record<never, never>> = {
  pattern: '*rest',
  synopsis: 'The mount is being upgraded.',
  fields: {},
  operations: { read: explain, list: explain, update: explain, patch: explain, delete: explain },
};

/**
 * What serves a mount while its data is moved.
 * @param turn moves some. @returns whether nothing is left
 * @param finish puts the new backend in this one's place; tried again when it fails
 */
export function upgradingBackend(
  type: string,
  turn: () => Promise<boolean>,
  finish: () => Promise<void>,
): Backend {
  let moving: Promise<boolean> = Promise.resolve(false);
  let ended = false;
  let finishing = false;
  return {
    type,
    paths: new PathTable([path(everything)]),
    tick: async () => {
      if (ended || finishing) return;
      moving = turn();
      if (!(await moving) || ended) return;
      // Nobody waits for it here: whoever closes this backend may hold what it waits for.
      finishing = true;
      void finish().catch(() => {
        finishing = false;
      });
    },
    close: async () => {
      ended = true;
      await moving.catch(() => undefined);
    },
  };
}
