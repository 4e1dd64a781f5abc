import type { JsonObject } from '../../../lib/json.ts';
import type { FieldValues } from '../../logical/fields.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, empty, keys, notFound, type Response } from '../../logical/response.ts';
import { allowsRole, type DatabaseContext, nameField } from './context.ts';
import { credentialFields, readCredential } from './credential.ts';
import { failure, orFailure } from './errors.ts';
import { nextRotation, type Rotation } from './rotation.ts';
import { parseSchedule } from './schedule.ts';
import type { StaticRole } from './store.ts';

const MIN_PERIOD = 5;

const fields = {
  name: nameField,
  db_name: { type: 'string', description: 'Name of the connection this role acts on.' },
  username: { type: 'string', description: 'Name of the user whose password is managed.' },
  rotation_period: { type: 'duration', description: 'Period of the automatic rotation.' },
  rotation_schedule: { type: 'string', description: 'Times of the automatic rotation, as in cron.' },
  rotation_window: {
    type: 'duration',
    description: 'How long after a scheduled time a rotation may begin.',
  },
  rotation_statements: {
    type: 'stringList',
    description: 'The database statements that change the password.',
  },
  ...credentialFields,
} as const;

type StaticFields = FieldValues<typeof fields>;

/** static-roles, static-roles/:name and static-creds/:name. */
export function staticRolePaths(context: DatabaseContext, rotation: Rotation): Path[] {
  const { store } = context;
  return [
    path({
      pattern: 'static-roles',
      synopsis: 'Manage the static roles that can be created with this backend.',
      fields: {},
      operations: {
        list: {
          summary: 'List the static roles.',
          handler: async () => keys(await store.names('static-role')),
        },
      },
    }),
    path({
      pattern: 'static-roles/:name',
      record: 'roles/:name',
      synopsis: 'Manage the static roles that can be created with this backend.',
      fields,
      exists: async (_request, values) => (await store.staticRole(values.name)) !== undefined,
      operations: {
        read: {
          summary: 'Read a static role.',
          handler: async (_request, values) => {
            const role = await store.staticRole(values.name);
            return role === undefined ? notFound : data(render(role));
          },
        },
        update: {
          summary: 'Create or update a static role; a new one gets a new password at once.',
          handler: (_request, values) =>
            rotation.exclusive(values.name, () => orFailure(() => write(context, rotation, values))),
        },
        delete: {
          summary: 'Delete a static role; the user stays.',
          handler: (_request, values) =>
            rotation.exclusive(values.name, async () => {
              await store.deleteStaticRole(values.name, await store.staticRole(values.name));
              return empty;
            }),
        },
      },
    }),
    path({
      pattern: 'static-creds/:name',
      synopsis: 'Request database credentials for a certain static role.',
      fields: { name: nameField },
      operations: {
        read: {
          summary: 'Read the credentials.',
          handler: (_request, values) => creds(context, values.name),
        },
      },
    }),
  ];
}

async function write(
  { store }: DatabaseContext,
  rotation: Rotation,
  values: StaticFields,
): Promise<Response> {
  if ((await store.role(values.name)) !== undefined)
    return badRequest('Role and Static Role names must be unique');
  const before = await store.staticRole(values.name);
  const dbName = values.db_name ?? before?.dbName ?? '';
  if (dbName === '') return badRequest('database name is a required field');
  const username = values.username ?? before?.username ?? '';
  if (username === '') return badRequest('username is a required field to create a static account');
  if (before !== undefined && before.username !== username)
    return badRequest('cannot update static account username');
  const timing = readTiming(values, before);
  if (typeof timing === 'string') return badRequest(timing);
  const credential = readCredential(values, before);
  if (typeof credential === 'string') return badRequest(credential);
  if (credential.credentialType !== 'password')
    return badRequest(`unsupported credential_type: ${JSON.stringify(credential.credentialType)}`);
  const role = {
    dbName,
    username,
    ...timing,
    statements: values.rotation_statements ?? before?.statements ?? [],
    ...credential,
  };
  if (before === undefined) {
    await rotation.begin(values.name, role);
    return empty;
  }
  const { password, lastRotation } = before;
  const pending = (await store.staticIntent(values.name)) !== undefined;
  const next = { ...role, password, lastRotation };
  const dueTime = pending ? before.dueTime : nextRotation(next, rotation.now());
  await store.putStaticRole(values.name, before, { ...next, dueTime }, 'keep');
  return empty;
}

type Timing = Pick<StaticRole, 'rotationPeriod' | 'rotationSchedule' | 'rotationWindow'>;

function readTiming(values: StaticFields, before: StaticRole | undefined): Timing | string {
  const { rotation_period: period, rotation_schedule: schedule, rotation_window: window } = values;
  if (period !== undefined && schedule !== undefined && schedule !== '')
    return 'mutually exclusive fields rotation_period and rotation_schedule were both specified; only one of them can be provided';
  if (schedule !== undefined && schedule !== '') {
    if (parseSchedule(schedule) === undefined)
      return `could not parse rotation_schedule: ${JSON.stringify(schedule)} is no schedule`;
    if (window !== undefined && window < 3600) return 'rotation_window must be 3600 seconds or more';
    return {
      rotationPeriod: 0,
      rotationSchedule: schedule,
      rotationWindow: window ?? before?.rotationWindow ?? 0,
    };
  }
  if (window !== undefined && (before?.rotationSchedule ?? '') !== '' && window < 3600)
    return 'rotation_window must be 3600 seconds or more';
  if (window !== undefined && (before?.rotationSchedule ?? '') === '')
    return 'rotation_window is invalid with use of rotation_period';
  if (period === undefined) {
    if (before === undefined)
      return 'one of rotation_schedule or rotation_period must be provided to create a static account';
    const { rotationPeriod, rotationSchedule, rotationWindow } = before;
    return { rotationPeriod, rotationSchedule, rotationWindow: window ?? rotationWindow };
  }
  if (period < MIN_PERIOD) return `rotation_period must be ${MIN_PERIOD} seconds or more`;
  return { rotationPeriod: period, rotationSchedule: '', rotationWindow: 0 };
}

async function creds({ store, clock }: DatabaseContext, name: string): Promise<Response> {
  const role = await store.staticRole(name);
  if (role === undefined) return badRequest(`unknown role: ${name}`);
  const config = await store.config(role.dbName);
  if (config === undefined)
    return failure(`failed to find entry for connection with name: ${JSON.stringify(role.dbName)}`);
  if (!allowsRole(config.allowedRoles, name))
    return failure(`${JSON.stringify(name)} is not an allowed role`);
  const now = Math.floor(clock.now() / 1000);
  return data({
    last_vault_rotation: rfc3339(role.lastRotation),
    password: role.password,
    ...renderTiming(role),
    ttl: Math.max(nextRotation(role, now) - now, 0),
    username: role.username,
  });
}

function render(role: StaticRole): JsonObject {
  return {
    ...(Object.keys(role.credentialConfig).length === 0
      ? {}
      : { credential_config: { ...role.credentialConfig } }),
    credential_type: role.credentialType,
    db_name: role.dbName,
    last_vault_rotation: rfc3339(role.lastRotation),
    ...renderTiming(role),
    rotation_statements: [...role.statements],
    username: role.username,
  };
}

function renderTiming(role: StaticRole): JsonObject {
  if (role.rotationSchedule === '') return { rotation_period: role.rotationPeriod };
  return {
    rotation_schedule: role.rotationSchedule,
    ...(role.rotationWindow === 0 ? {} : { rotation_window: role.rotationWindow }),
  };
}

function rfc3339(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}
