import { type Path, path } from '../../logical/logical.ts';
import { isName } from '../../logical/names.ts';
import { badRequest, data, empty, type Response } from '../../logical/response.ts';
import { nameField } from './fields.ts';
import { Refused, refusal, softDeleted } from './refused.ts';
import type { KeyStore } from './store.ts';

// Loaded when it is needed: it checks with a library that costs time and memory at every start.
const format = () => import('./backup.ts');

/** backup/ and restore/: a key with all its versions, in the clear, for keys that were made to allow it. */
export function backupPaths(store: KeyStore): Path[] {
  return [
    path({
      pattern: 'backup/:name',
      synopsis: 'Backup the named key',
      fields: { name: nameField },
      operations: {
        read: {
          summary: 'Read a backup of a key.',
          handler: async (_request, { name }): Promise<Response> => {
            const saved = await store.change(name, (policy) => {
              if (policy === undefined) return new Refused(`key ${JSON.stringify(name)} not found`);
              if (policy.softDeleted) return softDeleted;
              if (!policy.exportable) return new Refused('exporting is disallowed on the policy');
              return policy.allowPlaintextBackup
                ? { ...policy, backupInfo: { time: store.now(), version: policy.latestVersion } }
                : new Refused('plaintext backup is disallowed on the policy');
            });
            // Clients know this refusal as an internal error.
            if (saved instanceof Refused)
              return {
                kind: 'refusal',
                status: 500,
                errors: [`1 error occurred:\n\t* ${saved.message}\n\n`],
              };
            const { formatBackup } = await format();
            return data({ backup: formatBackup(saved, await store.archive(name)) });
          },
        },
      },
    }),
    ...['restore', 'restore/:name'].map((pattern) =>
      path({
        pattern,
        synopsis: 'Restore the named key',
        fields: {
          name: {
            type: 'string',
            description: 'If set, this will be the name of the restored key.',
            default: '',
          },
          backup: {
            type: 'string',
            description:
              "Backed up key data to be restored. This should be the output from the 'backup/' endpoint.",
            default: '',
          },
          force: {
            type: 'bool',
            description:
              'If set and a key by the given name exists, force the restore operation and override the key.',
            default: false,
          },
        },
        operations: {
          update: {
            summary: 'Restore a key from a backup.',
            handler: async (_request, fields) => {
              if (fields.backup === '') return badRequest("'backup' must be supplied");
              const { parseBackup } = await format();
              const backup = parseBackup(fields.backup);
              if (backup instanceof Refused) return refusal(backup);
              const name = fields.name === '' ? backup.policy.name : fields.name;
              if (!isName('generic', name)) return badRequest('key names cannot be paths');
              const restoreInfo = { time: store.now(), version: backup.policy.latestVersion };
              const refused = await store.restore(
                { ...backup.policy, name, restoreInfo },
                backup.archive,
                fields.force,
              );
              return refused === undefined ? empty : refusal(refused);
            },
          },
        },
      }),
    ),
  ];
}
