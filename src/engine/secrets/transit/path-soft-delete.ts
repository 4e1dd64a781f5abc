import { type Path, path } from '../../logical/logical.ts';
import { empty } from '../../logical/response.ts';
import { nameField } from './fields.ts';
import type { KeyPolicy } from './policy.ts';
import { Refused, refusal } from './refused.ts';
import type { KeyStore } from './store.ts';

/** keys/:name/soft-delete and its opposite: a key that keeps its material and refuses to work. */
export function softDeletePaths(store: KeyStore): Path[] {
  const set = async (name: string, softDeleted: boolean) => {
    const saved = await store.change(name, (policy): KeyPolicy | Refused =>
      policy === undefined ? new Refused('key not found') : { ...policy, softDeleted },
    );
    return saved instanceof Refused ? refusal(saved) : empty;
  };
  return [
    path({
      pattern: 'keys/:name/soft-delete',
      synopsis: 'Soft delete a key: it keeps its material and refuses all operations.',
      fields: { name: nameField },
      operations: {
        delete: { summary: 'Soft delete a key.', handler: (_request, { name }) => set(name, true) },
      },
    }),
    path({
      pattern: 'keys/:name/soft-delete-restore',
      synopsis: 'Make a soft deleted key usable again.',
      fields: { name: nameField },
      operations: {
        update: { summary: 'Restore a key.', handler: (_request, { name }) => set(name, false) },
      },
    }),
  ];
}
