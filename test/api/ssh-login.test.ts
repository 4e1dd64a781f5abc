import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { userInfo } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';
import { OpenSsh } from './support/openssh.ts';

let engine: TestEngine;
const ssh = new OpenSsh();
const call = (...args: Parameters<TestEngine['call']>) => engine.call(...args);
const refusal = async (...args: Parameters<TestEngine['call']>) => {
  const { status, body } = await call(...args);
  return [status, ...(body?.errors ?? [])];
};
const eventually = async (claim: () => Promise<boolean>): Promise<void> => {
  for (let tries = 0; tries < 100; tries += 1) {
    if (await claim()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('it did not happen');
};
const role = (name: string, more: object) =>
  call('POST', `ssh/roles/${name}`, { key_type: 'ca', allow_user_certificates: true, ...more });

beforeAll(async () => {
  engine = await TestEngine.initialized();
  await call('POST', 'sys/mounts/ssh', { type: 'ssh' });
});
afterAll(async () => {
  await engine.stop();
  ssh.remove();
});

describe('one-time passwords', () => {
  beforeAll(async () => {
    await call('POST', 'ssh/roles/otp', {
      key_type: 'otp',
      default_user: 'ubuntu',
      allowed_users: 'ubuntu,ops',
      cidr_list: '10.0.0.0/8',
      exclude_cidr_list: '10.9.0.0/16',
    });
  });

  test('are leased, good once, and gone with their lease', async () => {
    const made = await call('POST', 'ssh/creds/otp', { ip: '10.1.2.3' });
    expect(made.body).toMatchObject({
      lease_id: expect.stringMatching(/^ssh\/creds\/otp\//),
      renewable: false,
      data: { ip: '10.1.2.3', key_type: 'otp', port: 22, username: 'ubuntu' },
    });
    const otp = made.body.data.key;
    const verify = () => call('POST', 'ssh/verify', { otp }, '');
    const tries = await Promise.all([verify(), verify(), verify()]);
    expect(tries.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(tries.find(({ status }) => status === 200)?.body.data).toEqual({
      ip: '10.1.2.3',
      role_name: 'otp',
      username: 'ubuntu',
    });
    expect(await refusal('POST', 'ssh/verify', { otp }, '')).toEqual([400, 'OTP not found']);
    const second = await call('POST', 'ssh/creds/otp', { ip: '10.1.2.3', username: 'ops' });
    await call('PUT', 'sys/leases/revoke', { lease_id: second.body.lease_id, sync: true });
    expect((await call('POST', 'ssh/verify', { otp: second.body.data.key }, '')).status).toBe(400);
    expect((await call('POST', 'ssh/verify', { otp: 'verify-echo-request' }, '')).body.data).toEqual({
      message: 'verify-echo-response',
    });
  });

  test('asked for with a batch token end with its time, or with its parent', async () => {
    await call('PUT', 'sys/policies/acl/otp', {
      policy:
        'path "ssh/creds/otp" { capabilities = ["update"] }\npath "auth/token/create" { capabilities = ["update"] }',
    });
    const parent = (await call('POST', 'auth/token/create', { policies: ['otp'] })).body.auth.client_token;
    const batch = await call('POST', 'auth/token/create', { type: 'batch', ttl: '5m' }, parent);
    const made = await call('POST', 'ssh/creds/otp', { ip: '10.1.2.3' }, batch.body.auth.client_token);
    expect(made.body.lease_duration).toBeLessThanOrEqual(300);
    const { lease_id } = made.body;
    expect((await call('LIST', 'sys/leases/lookup/ssh/creds/otp')).body.data.keys).toContain(
      lease_id.split('/').at(-1),
    );
    expect((await call('POST', 'sys/leases/lookup', { lease_id })).body.data.renewable).toBe(false);
    expect(await refusal('PUT', 'sys/leases/renew', { lease_id })).toEqual([400, 'lease is not renewable']);
    await call('POST', 'auth/token/revoke', { token: parent });
    await eventually(async () => (await call('POST', 'sys/leases/lookup', { lease_id })).status === 400);
    expect((await call('POST', 'ssh/verify', { otp: made.body.data.key }, '')).status).toBe(400);
  });

  test('of a token whose uses are over end with the last one', async () => {
    const body = { policies: ['otp'], num_uses: 2 };
    const { client_token } = (await call('POST', 'auth/token/create', body)).body.auth;
    const made = await call('POST', 'ssh/creds/otp', { ip: '10.1.2.3' }, client_token);
    expect(made.status).toBe(200);
    const { lease_id } = made.body;
    expect((await call('GET', 'auth/token/lookup-self', undefined, client_token)).status).toBe(200);
    await eventually(async () => (await call('POST', 'sys/leases/lookup', { lease_id })).status === 400);
    expect((await call('GET', 'auth/token/lookup-self', undefined, client_token)).status).toBe(403);
  });

  test('are for the addresses and users of their role', async () => {
    const creds = (body: object) => refusal('POST', 'ssh/creds/otp', body);
    expect(await creds({})).toEqual([400, 'Missing ip']);
    expect(await creds({ ip: 'x' })).toEqual([400, 'Invalid IP "x"']);
    for (const ip of ['192.168.0.1', '10.9.1.1'])
      expect(await creds({ ip })).toEqual([400, 'Error validating IP: IP does not belong to role']);
    expect(await creds({ ip: '10.0.0.1', username: 'root' })).toEqual([
      400,
      'Username is not present is allowed users list',
    ]);
    expect((await call('POST', 'ssh/lookup', { ip: '10.0.0.1' })).body.data).toEqual({ roles: ['otp'] });
    expect(await refusal('POST', 'ssh/config/zeroaddress', { roles: 'none' })).toEqual([
      400,
      'Role "none" does not exist',
    ]);
    await call('POST', 'ssh/config/zeroaddress', { roles: 'otp' });
    expect((await call('GET', 'ssh/config/zeroaddress')).body.data).toEqual({ roles: ['otp'] });
    expect((await creds({ ip: '192.168.0.1' }))[0]).toBe(200);
    await call('DELETE', 'ssh/roles/otp');
    expect((await call('GET', 'ssh/config/zeroaddress')).body.data).toEqual({ roles: [] });
  });
});

test('a user logs in to a real sshd with a certificate, which the host proves itself with too', async () => {
  const me = userInfo().username;
  await call('POST', 'ssh/config/ca', { key_type: 'rsa', key_bits: 2048 });
  await role('login', { allowed_users: me, default_extensions: { 'permit-pty': '' } });
  await role('server', {
    allow_user_certificates: false,
    allow_host_certificates: true,
    allowed_domains: 'localhost',
    allow_bare_domains: true,
  });
  const ca = (await call('GET', 'ssh/config/ca')).body.data.public_key;
  const hostKey = ssh.keygen('server', 'ecdsa', '256');
  const host = await call('POST', 'ssh/sign/server', {
    public_key: hostKey,
    cert_type: 'host',
    valid_principals: 'localhost',
  });
  ssh.file('server-cert.pub', host.body.data.signed_key);
  const port = await new Promise<number>((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
  const config = `ListenAddress 127.0.0.1:${port}
HostKey ${ssh.file('server')}
HostCertificate ${ssh.file('server-cert.pub')}
TrustedUserCAKeys ${ssh.file('trusted.pub', ca)}
AuthorizedKeysFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PermitRootLogin yes
PidFile none
`;
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const sshd: ChildProcess = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', ssh.file('sshd_config', config)], {
    stdio: 'ignore',
  });
  try {
    await new Promise<void>((resolve, reject) => {
      let tries = 0;
      const attempt = (): void => {
        const socket = createConnection(port, '127.0.0.1', () => {
          socket.destroy();
          resolve();
        });
        socket.once('error', (error) => {
          tries += 1;
          if (tries > 100) reject(error);
          else setTimeout(attempt, 50);
        });
      };
      attempt();
    });
    const login = (identity: string): string =>
      execFileSync(
        'ssh',
        [
          '-F',
          'none',
          '-p',
          `${port}`,
          '-i',
          ssh.file(identity),
          '-o',
          'IdentitiesOnly=yes',
          '-o',
          'BatchMode=yes',
          '-o',
          'HostKeyAlias=localhost',
          '-o',
          'StrictHostKeyChecking=yes',
          '-o',
          `UserKnownHostsFile=${ssh.file('known', `@cert-authority * ${ca}`)}`,
          `${me}@127.0.0.1`,
          'echo',
          'inside',
        ],
        { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
      );
    const public_key = ssh.keygen('user', 'ed25519');
    expect(() => login('user')).toThrow('Command failed');
    const signed = await call('POST', 'ssh/sign/login', { public_key, valid_principals: me, ttl: '5m' });
    ssh.file('user-cert.pub', signed.body.data.signed_key);
    expect(login('user')).toBe('inside\n');
  } finally {
    sshd.kill();
  }
  const logged = engine.logLines.join('');
  expect(logged).not.toContain('canary-ssh-pw');
  expect(logged).not.toContain('PRIVATE KEY');
});
