import { type Path, path } from '../../logical/logical.ts';
import { badRequest, empty, type Response } from '../../logical/response.ts';
import { type DatabaseContext, nameField } from './context.ts';
import { detail } from './details.ts';
import { DatabaseFailed, failure, orFailure } from './errors.ts';
import { makePassword } from './passwords.ts';
import type { Rotation } from './rotation.ts';

/** rotate-root/:name and rotate-role/:name: new passwords now. */
export function rotatePaths(context: DatabaseContext, rotation: Rotation): Path[] {
  return [
    path({
      pattern: 'rotate-root/:name',
      record: 'config/:name',
      synopsis: 'Request to rotate the root credentials for a certain database connection.',
      fields: { name: nameField },
      operations: {
        update: {
          summary: 'Give the user of the connection a password that only this engine knows.',
          handler: (_request, values) =>
            context.connections.exclusive(values.name, () =>
              orFailure(() => rotateRoot(context, values.name)),
            ),
        },
      },
    }),
    path({
      pattern: 'rotate-role/:name',
      record: 'roles/:name',
      synopsis: 'Request to rotate the credentials for a static user account.',
      fields: { name: nameField },
      operations: {
        update: {
          summary: 'Give the user of a static role a new password.',
          handler: async (_request, values): Promise<Response> => {
            try {
              const found = await rotation.rotate(values.name);
              return found ? empty : badRequest('no static role found for role name');
            } catch (error) {
              if (!(error instanceof DatabaseFailed)) throw error;
              return failure(
                `unable to finish rotating credentials; retries will continue in the background but it is also safe to retry manually: ${error.message}`,
              );
            }
          },
        },
      },
    }),
  ];
}

// The new password is stored as an intent before the database gets it; after a crash, the next use asks the database
// which one is right.
async function rotateRoot(
  { store, connections, random, passwordFrom }: DatabaseContext,
  name: string,
): Promise<Response> {
  const config = await store.config(name);
  if (config === undefined)
    return failure(`failed to find entry for connection with name: ${JSON.stringify(name)}`);
  const username = detail(config.details, 'username');
  if (username === '') return failure('unable to rotate root credentials: no username in configuration');
  if (detail(config.details, 'password') === '')
    return failure('unable to rotate root credentials: no password in configuration');
  const password = await makePassword(config.passwordPolicy, passwordFrom, random);
  const statements = config.rootRotationStatements;
  await connections.useAlone(name, () => Promise.resolve());
  // Who is at work may still need a connection that the old password opens.
  await connections.idle(name);
  await store.putRootIntent(name, { password });
  try {
    await connections.useAlone(
      name,
      ({ plugin }) => plugin.changePassword({ username, password, statements }),
      [password],
    );
  } catch (error) {
    // Whether it took effect is not known: the intent stays, and the next use finds out.
    connections.drop(name);
    throw error;
  }
  await store.putConfig(name, { ...config, details: { ...config.details, password } });
  connections.drop(name);
  return empty;
}
