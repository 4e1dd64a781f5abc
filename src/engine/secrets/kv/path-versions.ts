import { type Path, path } from '../../logical/logical.ts';
import { badRequest, empty, type Response } from '../../logical/response.ts';
import { atRoot } from './render.ts';
import type { KvStore, VersionState } from './store.ts';

const fields = {
  path: { type: 'string', description: 'Location of the secret.', required: true },
  versions: {
    type: 'intList',
    description: 'The versions to act on. The versioned data will not be removed by delete.',
  },
} as const;

/** delete/, undelete/ and destroy/: a list of versions of one key. */
export function versionPaths(store: KvStore): Path[] {
  const change = (
    name: string,
    versions: readonly number[] | undefined,
    edit: (state: VersionState) => VersionState,
    destroy: boolean,
  ): Promise<Response> | Response => {
    if (name === '') return atRoot;
    if (versions === undefined || versions.length === 0) return badRequest('No version number provided');
    return store.exclusive(name, async () => {
      const metadata = await store.metadata(name);
      if (metadata === undefined) return empty;
      const next: Record<string, VersionState> = { ...metadata.versions };
      const touched: number[] = [];
      for (const version of versions) {
        const state = next[version];
        if (state === undefined || state.destroyed) continue;
        next[version] = edit(state);
        touched.push(version);
      }
      if (touched.length > 0)
        await store.saveMetadata(name, { ...metadata, versions: next }, destroy ? touched : []);
      return empty;
    });
  };

  return [
    path({
      pattern: 'delete/*path',
      synopsis: 'Marks one or more versions as deleted in the KV store.',
      fields,
      operations: {
        update: {
          summary: 'Delete versions.',
          handler: (_request, { path: name, versions }) =>
            change(
              name,
              versions,
              (state) => (store.isGone(state) ? state : { ...state, deletionTime: store.now() }),
              false,
            ),
        },
      },
    }),
    path({
      pattern: 'undelete/*path',
      synopsis: 'Undeletes one or more versions from the KV store.',
      fields,
      operations: {
        update: {
          summary: 'Undelete versions.',
          handler: (_request, { path: name, versions }) =>
            change(name, versions, (state) => ({ ...state, deletionTime: '' }), false),
        },
      },
    }),
    path({
      pattern: 'destroy/*path',
      synopsis: 'Permanently removes one or more versions in the KV store',
      fields,
      operations: {
        update: {
          summary: 'Destroy versions: their values are gone for good.',
          handler: (_request, { path: name, versions }) =>
            change(name, versions, (state) => ({ ...state, destroyed: true }), true),
        },
      },
    }),
  ];
}
