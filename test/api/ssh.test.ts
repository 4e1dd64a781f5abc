import { readFileSync } from 'node:fs';
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

describe('authorities', () => {
  test('are made, read as JSON and as text, chosen, renamed and deleted', async () => {
    expect(await refusal('GET', 'ssh/config/ca')).toEqual([400, 'no default issuer currently configured']);
    expect(await refusal('POST', 'ssh/config/ca', { generate_signing_key: false })).toEqual([
      400,
      'missing public_key',
    ]);
    expect((await refusal('POST', 'ssh/config/ca', { public_key: 'x' }))[1]).toContain('only one of');
    expect((await refusal('POST', 'ssh/config/ca', { key_type: 'dsa' }))[0]).toBe(400);
    const made = await call('POST', 'ssh/config/ca', { key_type: 'ed25519', issuer_name: 'main' });
    expect(made.body.data).toEqual({
      issuer_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      issuer_name: 'main',
      public_key: expect.stringMatching(/^ssh-ed25519 \S+\n$/),
    });
    expect((await call('GET', 'ssh/config/ca')).body.data).toEqual(made.body.data);
    const raw = await fetch(`${engine.address}/v1/ssh/public_key`);
    expect([raw.status, raw.headers.get('content-type'), await raw.text()]).toEqual([
      200,
      'text/plain',
      made.body.data.public_key,
    ]);
    const other = await call('POST', 'ssh/issuers/import/second', { key_type: 'ec', key_bits: 384 });
    expect(other.body.data.public_key).toMatch(/^ecdsa-sha2-nistp384 /);
    expect(await refusal('POST', 'ssh/issuers/import/second', {})).toEqual([
      400,
      'issuer name already in use',
    ]);
    const listed = await call('LIST', 'ssh/issuers');
    expect(listed.body.data.keys).toHaveLength(2);
    expect(listed.body.data.key_info[made.body.data.issuer_id]).toMatchObject({ is_default: true });
    expect((await call('POST', 'ssh/config/issuers', { default: 'second' })).body.data).toEqual({
      default: other.body.data.issuer_id,
    });
    expect((await call('POST', 'ssh/issuer/second', { issuer_name: 'third' })).body.data.issuer_name).toBe(
      'third',
    );
    const text = await fetch(`${engine.address}/v1/ssh/issuer/third/public_key`);
    expect(await text.text()).toBe(other.body.data.public_key);
    expect((await call('DELETE', 'ssh/issuer/third')).body.warnings[0]).toContain(
      'configured as the default',
    );
    expect((await call('DELETE', 'ssh/issuer/none')).status).toBe(204);
    const gone = await call('DELETE', 'ssh/config/ca');
    expect([gone.status, gone.body]).toEqual([204, undefined]);
    expect((await call('LIST', 'ssh/issuers')).body.data?.keys ?? []).toEqual([]);
  });

  test.each([
    ['rsa', '2048', 'rsa-sha2-256'],
    ['ecdsa', '521', 'ecdsa-sha2-nistp521'],
    ['ed25519', undefined, 'ssh-ed25519'],
  ])('of OpenSSH are imported: %s', async (type, bits, algorithm) => {
    const public_key = ssh.keygen(`ca-${type}`, type, bits);
    const private_key = readFileSync(ssh.file(`ca-${type}`), 'utf8');
    const stranger = ssh.keygen(`stranger-${type}`, 'ed25519');
    expect((await refusal('POST', 'ssh/config/ca', { public_key: stranger, private_key }))[1]).toContain(
      'do not belong together',
    );
    expect((await call('POST', 'ssh/config/ca', { public_key, private_key })).status).toBe(200);
    await role('any', { allowed_users: '*' });
    const signed = await call('POST', 'ssh/sign/any', { public_key: stranger, valid_principals: 'me' });
    const shown = ssh.inspect(signed.body.data.signed_key);
    expect(shown).toContain(`(using ${algorithm})`);
    const fingerprint = ssh.fingerprint(public_key);
    expect(shown).toContain(fingerprint);
  });

  test('that are made here sign what OpenSSH verifies, with the algorithm of the role', async () => {
    for (const key_type of ['rsa', 'ec', 'ed25519']) {
      await call('POST', 'ssh/config/ca', { key_type, key_bits: key_type === 'rsa' ? 2048 : 0 });
      const issued = await call('POST', 'ssh/issue/any', {
        key_type,
        key_bits: key_type === 'rsa' ? 2048 : 0,
        valid_principals: 'me',
      });
      const { signed_key, private_key, private_key_type } = issued.body.data;
      expect(private_key_type).toBe(key_type);
      expect(ssh.inspect(signed_key)).toContain('user certificate');
      expect(ssh.fingerprint(ssh.publicHalf(private_key))).toBe(ssh.fingerprint(signed_key));
    }
    expect(
      (
        await refusal('POST', 'ssh/issue/any', { key_type: 'rsa', key_bits: 1024, valid_principals: 'me' })
      )[0],
    ).toBe(400);
    await role('sha1', { allowed_users: '*', algorithm_signer: 'ssh-rsa' });
    expect((await refusal('POST', 'ssh/issue/sha1', { key_type: 'ec', valid_principals: 'me' }))[0]).toBe(
      500,
    );
  });
});

describe('roles and certificates', () => {
  beforeAll(async () => {
    await call('POST', 'ssh/config/ca', { key_type: 'ed25519' });
  });

  test('a role reads as it was written, with the defaults of the peer', async () => {
    await role('u', { allowed_users: '*', default_user: 'u', ttl: '30m' });
    expect((await call('GET', 'ssh/roles/u')).body.data).toEqual({
      algorithm_signer: 'default',
      allow_bare_domains: false,
      allow_commas_in_identity_templates: false,
      allow_empty_principals: false,
      allow_host_certificates: false,
      allow_subdomains: false,
      allow_user_certificates: true,
      allow_user_key_ids: false,
      allowed_critical_options: '',
      allowed_domains: '',
      allowed_domains_template: false,
      allowed_extensions: '',
      allowed_user_key_lengths: {},
      allowed_users: '*',
      allowed_users_template: false,
      default_critical_options: {},
      default_extensions: {},
      default_extensions_template: false,
      default_user: 'u',
      default_user_template: false,
      issuer_ref: 'default',
      key_id_format: '',
      key_type: 'ca',
      max_ttl: 0,
      not_before_duration: 30,
      ttl: 1800,
    });
    expect(await refusal('POST', 'ssh/roles/x', {})).toEqual([400, 'missing key type']);
    expect(await refusal('POST', 'ssh/roles/x', { key_type: 'no' })).toEqual([400, 'invalid key type']);
    expect((await refusal('POST', 'ssh/roles/x', { key_type: 'ca' }))[1]).toContain('must be set to');
    expect(
      (
        await refusal('POST', 'ssh/roles/x', {
          key_type: 'ca',
          allow_user_certificates: true,
          ttl: 9,
          max_ttl: 8,
        })
      )[1],
    ).toContain('must be less than');
    expect((await call('LIST', 'ssh/roles')).body.data.key_info.u).toEqual({ key_type: 'ca' });
  });

  test('a certificate says what was asked for and allowed', async () => {
    const public_key = ssh.keygen('client', 'ed25519');
    await role('full', {
      allowed_users: 'alice,bob',
      default_user: 'alice',
      allowed_extensions: 'permit-pty,note@example.com',
      default_extensions: { 'permit-agent-forwarding': '', 'permit-pty': '' },
      allowed_critical_options: 'force-command,source-address',
      max_ttl: '1h',
      allow_user_key_ids: true,
    });
    const plain = ssh.inspect((await call('POST', 'ssh/sign/full', { public_key })).body.data.signed_key);
    expect(plain).toMatch(/Key ID: "vault-root-[0-9a-f]{64}"/);
    expect(plain).toMatch(/Principals:\s+alice\n/);
    expect(plain).toContain('permit-agent-forwarding');
    const asked = await call('POST', 'ssh/sign/full', {
      public_key,
      valid_principals: 'bob,alice',
      ttl: '10m',
      key_id: 'mine',
      extensions: { 'note@example.com': 'hello', 'permit-pty': '' },
      critical_options: { 'force-command': '/bin/true' },
    });
    const shown = ssh.inspect(asked.body.data.signed_key);
    expect(shown).toContain('Key ID: "mine"');
    expect(shown).toMatch(/Principals:\s+bob\s+alice\n/);
    expect(shown).toMatch(/force-command \/bin\/true/);
    expect(shown).toContain('note@example.com UNKNOWN OPTION');
    expect(shown).toContain(`Serial: ${BigInt(`0x${asked.body.data.serial_number}`)}`);
    const [, from = '', to = ''] = /Valid: from (\S+) to (\S+)/.exec(shown) ?? [];
    expect(Date.parse(to) - Date.parse(from)).toBe(630_000);

    for (const [body, text] of [
      [{ valid_principals: 'eve' }, 'eve is not a valid value for valid_principals'],
      [{ ttl: '2h' }, 'ttl is larger than maximum allowed 3600'],
      [{ extensions: { 'permit-x': '' } }, 'extensions [permit-x] are not on allowed list'],
      [{ critical_options: { x: '' } }, 'critical options not on allowed list: [x]'],
      [{ cert_type: 'host' }, "cert_type 'host' is not allowed by role"],
      [{ cert_type: 'x' }, "cert_type must be either 'user' or 'host'"],
    ] as const)
      expect(await refusal('POST', 'ssh/sign/full', { public_key, ...body })).toEqual([400, text]);
    const unsaid = await call('POST', 'ssh/sign/full', { public_key, valid_principals: '' });
    expect(ssh.inspect(unsaid.body.data.signed_key)).toMatch(/Principals:\s+alice\n/);
    await role('undefaulted', { allowed_users: 'alice' });
    for (const more of [{}, { valid_principals: '' }])
      expect((await refusal('POST', 'ssh/sign/undefaulted', { public_key, ...more }))[1]).toContain(
        'globally-valid certificate',
      );
    expect(await refusal('POST', 'ssh/sign/full', {})).toEqual([400, 'missing public_key']);
    expect((await refusal('POST', 'ssh/sign/full', { public_key: 'ssh-rsa AAAA' }))[1]).toContain(
      'failed to parse',
    );
    expect(await refusal('POST', 'ssh/sign/none', { public_key })).toEqual([400, 'Unknown role: none']);
    await role('nobody', {});
    expect(await refusal('POST', 'ssh/sign/nobody', { public_key, valid_principals: 'a' })).toEqual([
      400,
      'role is not configured to allow any principals',
    ]);
    expect(await refusal('POST', 'ssh/sign/nobody', { public_key, key_id: 'a' })).toEqual([
      400,
      'setting key_id is not allowed by role',
    ]);
  });

  test('key types and lengths are held to the role', async () => {
    await role('strict', {
      allowed_users: '*',
      default_user: 'a',
      allowed_user_key_lengths: { rsa: [3072], ecdsa: 256 },
    });
    const sign = (public_key: string) => refusal('POST', 'ssh/sign/strict', { public_key });
    expect((await sign(ssh.keygen('r2', 'rsa', '2048')))[1]).toContain('key is of an invalid size: 2048');
    expect((await sign(ssh.keygen('r3', 'rsa', '3072')))[0]).toBe(200);
    expect((await sign(ssh.keygen('e2', 'ecdsa', '256')))[0]).toBe(200);
    expect((await sign(ssh.keygen('e3', 'ecdsa', '384')))[1]).toContain('invalid size: 384');
    expect((await sign(ssh.keygen('ed', 'ed25519')))[1]).toContain('key of type ed25519 is not allowed');
    expect(await refusal('POST', 'ssh/issue/strict', { key_type: 'ed25519' })).toEqual([
      400,
      'provided key_type value not in allowed_user_key_types',
    ]);
  });

  test('hosts are held to their domains', async () => {
    await role('hosts', {
      allow_user_certificates: false,
      allow_host_certificates: true,
      allowed_domains: 'example.com',
      allow_subdomains: true,
    });
    const public_key = ssh.keygen('host', 'ed25519');
    const sign = (valid_principals: string) =>
      call('POST', 'ssh/sign/hosts', { public_key, cert_type: 'host', valid_principals });
    expect(ssh.inspect((await sign('a.example.com,b.example.com')).body.data.signed_key)).toContain(
      'host certificate',
    );
    for (const name of ['example.com', 'aexample.com', 'example.org'])
      expect((await sign(name)).status).toBe(400);
  });

  test('templates name whoever asks, and nobody else', async () => {
    await call('POST', 'sys/auth/userpass', { type: 'userpass' });
    await call('PUT', 'sys/policies/acl/signer', {
      policy: 'path "ssh/sign/*" { capabilities = ["update"] }',
    });
    await call('POST', 'auth/userpass/users/dora', { password: 'canary-ssh-pw', token_policies: 'signer' });
    const { auth } = (await call('POST', 'auth/userpass/login/dora', { password: 'canary-ssh-pw' }, '')).body;
    await call('POST', `identity/entity/id/${auth.entity_id}`, {
      metadata: { login: 'dora-unix', many: 'x,root' },
    });
    const template = '{{identity.entity.metadata.login}}';
    await role('own', {
      allowed_users: template,
      allowed_users_template: true,
      default_user: template,
      default_user_template: true,
      default_extensions: { 'login@github.com': template, 'permit-pty': '' },
      default_extensions_template: true,
    });
    const public_key = ssh.keygen('dora', 'ed25519');
    const sign = (name: string, body: object = {}) =>
      call('POST', `ssh/sign/${name}`, { public_key, ...body }, auth.client_token);
    expect(ssh.inspect((await sign('own')).body.data.signed_key)).toMatch(/Principals:\s+dora-unix\n/);
    expect((await sign('own', { valid_principals: 'root' })).status).toBe(400);
    const without = await call('POST', 'ssh/sign/own', { public_key, valid_principals: 'x' });
    expect(without.status).toBe(400);
    await role('many', {
      allowed_users: 'a,{{identity.entity.metadata.many}}',
      allowed_users_template: true,
    });
    expect((await sign('many', { valid_principals: 'root' })).status).toBe(400);
    await role('many', {
      allowed_users: 'a,{{identity.entity.metadata.many}}',
      allowed_users_template: true,
      allow_commas_in_identity_templates: true,
    });
    expect((await sign('many', { valid_principals: 'root' })).status).toBe(200);
  });
});

test('no secret is in the log', () => {
  const logged = engine.logLines.join('');
  expect(logged).not.toContain('canary-ssh-pw');
  expect(logged).not.toContain('PRIVATE KEY');
});
