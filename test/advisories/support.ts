import type { TestEngine } from '../api/support/engine.ts';

let made = 0;

/** A token that has one policy and nothing else of it. */
export async function tokenWith(engine: TestEngine, rules: string, more: object = {}): Promise<string> {
  made += 1;
  const name = `advisory-${made}`;
  const written = await engine.call('PUT', `sys/policies/acl/${name}`, { policy: rules });
  if (written.status !== 204) throw new Error(`the policy was refused: ${JSON.stringify(written.body)}`);
  const { body } = await engine.call('POST', 'auth/token/create', { policies: [name], ...more });
  return body.auth.client_token;
}

/** Turns userpass on and makes a user. */
export async function userpass(
  engine: TestEngine,
  users: Readonly<Record<string, object>>,
  path = 'userpass',
): Promise<string> {
  await engine.call('POST', `sys/auth/${path}`, { type: 'userpass' });
  for (const [name, fields] of Object.entries(users))
    await engine.call('POST', `auth/${path}/users/${name}`, { password: `canary-of-${name}`, ...fields });
  return (await engine.call('GET', 'sys/auth')).body.data[`${path}/`].accessor;
}

export function login(
  engine: TestEngine,
  name: string,
  password = `canary-of-${name}`,
  path = 'userpass',
): ReturnType<TestEngine['call']> {
  return engine.call('POST', `auth/${path}/login/${encodeURIComponent(name)}`, { password }, '');
}

/** Enables an audit device that writes to a file. */
export async function auditTo(engine: TestEngine, name: string, options: object): Promise<void> {
  const { status, body } = await engine.call('PUT', `sys/audit/${name}`, {
    type: 'file',
    options,
  });
  if (status !== 204) throw new Error(`the audit device was refused: ${JSON.stringify(body)}`);
}
