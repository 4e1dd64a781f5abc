import { expect, test } from 'vitest';
import { TestPki } from './backend.ts';

const HOUR = 3_600_000;

async function settled(pki: TestPki): Promise<Awaited<ReturnType<TestPki['data']>>> {
  for (;;) {
    const status = await pki.data('read', 'tidy-status');
    if (status.state !== 'Running' && status.state !== 'Cancelling') return status;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('certificates that ended are removed after the buffer, revoked ones when that is asked for', async () => {
  const pki = await TestPki.withRoot();
  const plain = await pki.issue();
  const revoked = await pki.issue();
  const lasting = await pki.issue({ ttl: '500h' });
  await pki.data('update', 'revoke', { serial_number: revoked.serial_number });
  const certs = async (): Promise<string[]> => (await pki.data('list', 'certs')).keys;
  expect(await certs()).toHaveLength(4);

  pki.ahead = 2 * HOUR;
  const started = await pki.call('update', 'tidy', { tidy_cert_store: true, safety_buffer: '2h' });
  expect(started).toMatchObject({ status: 202, warnings: [expect.stringContaining('successfully started')] });
  expect(await settled(pki)).toMatchObject({
    state: 'Finished',
    cert_store_deleted_count: 0,
    safety_buffer: 7200,
  });
  await pki.call('update', 'tidy', {
    tidy_cert_store: true,
    safety_buffer: '1m',
    revoked_safety_buffer: '90h',
  });
  expect(await settled(pki)).toMatchObject({ cert_store_deleted_count: 1, revoked_cert_deleted_count: 0 });
  expect(await certs()).not.toContain(plain.serial_number);
  await pki.call('update', 'tidy', { tidy_revoked_certs: true, safety_buffer: '1m' });
  expect(await settled(pki)).toMatchObject({ state: 'Finished', revoked_cert_deleted_count: 1 });
  expect((await pki.call('list', 'certs/revoked')).status).toBe(404);
  expect(await certs()).toContain(lasting.serial_number);
});

test('issuers that ended are removed but for the default; unreadable certificates are removed', async () => {
  const pki = await TestPki.withRoot();
  const { issuer_id: ended } = await pki.data('update', 'root/generate/internal', {
    common_name: 'Short',
    key_type: 'ec',
    ttl: '1h',
  });
  await pki.storage.put('certs/00-11', new Uint8Array([1, 2, 3]));
  pki.ahead = 3 * HOUR;
  await pki.call('update', 'tidy', {
    tidy_expired_issuers: true,
    issuer_safety_buffer: '1h',
    tidy_invalid_certs: true,
  });
  expect(await settled(pki)).toMatchObject({ state: 'Finished', cert_store_deleted_count: 1 });
  const { keys } = await pki.data('list', 'issuers');
  expect(keys).toHaveLength(1);
  expect(keys).not.toContain(ended);
});

test('tidying can be stopped, does not run twice at once, and refuses bad settings', async () => {
  const pki = await TestPki.withRoot();
  await pki.issue();
  await pki.call('update', 'tidy', { tidy_cert_store: true, pause_duration: '50ms' });
  expect((await pki.call('update', 'tidy', { tidy_cert_store: true })).warnings).toEqual([
    'Tidy operation already in progress.',
  ]);
  expect((await pki.data('update', 'tidy-cancel')).state).toBe('Cancelling');
  expect((await settled(pki)).state).toBe('Cancelled');
  expect((await pki.call('update', 'tidy', {})).warnings[0]).toContain('no tidy operations were set');
  await settled(pki);
  expect((await pki.call('update', 'tidy', { safety_buffer: 0 })).errors).toEqual([
    'safety_buffer must be greater than zero',
  ]);
  expect((await pki.call('update', 'tidy', { pause_duration: 'x' })).errors[0]).toContain('pause_duration');
  expect((await pki.call('update', 'config/auto-tidy', { enabled: true })).errors[0]).toContain(
    'Auto-tidy enabled but no tidy operations were requested',
  );
});

test('tidying starts by itself with a request after its interval', async () => {
  const pki = await TestPki.withRoot();
  await pki.data('update', 'config/auto-tidy', {
    enabled: true,
    tidy_cert_store: true,
    safety_buffer: '1m',
    interval_duration: '2h',
  });
  const { serial_number: serial } = await pki.issue();
  expect((await settled(pki)).state).toBe('Inactive');
  pki.ahead = 3 * HOUR;
  await pki.issue();
  expect(await settled(pki)).toMatchObject({ state: 'Finished', cert_store_deleted_count: 1 });
  expect((await pki.call('read', `cert/${serial}`)).status).toBe(404);
});

test('a storage that fails is told as an error, without its words', async () => {
  const pki = await TestPki.withRoot();
  await pki.issue();
  pki.ahead = 2 * HOUR;
  pki.storage.isBroken = true;
  await pki.call('update', 'tidy', { tidy_cert_store: true, safety_buffer: '1m' });
  expect(await settled(pki)).toMatchObject({ state: 'Error', error: 'error running tidy' });
});

test('certificates that ended are not revoked unless that is allowed', async () => {
  const pki = await TestPki.withRoot();
  const { serial_number: serial } = await pki.issue();
  pki.ahead = 2 * HOUR;
  const refused = await pki.call('update', 'revoke', { serial_number: serial });
  expect(refused.warnings[0]).toContain('already expired; refusing to add to CRL');
  await pki.data('update', 'config/crl', { allow_expired_cert_revocation: true });
  expect((await pki.data('update', 'revoke', { serial_number: serial })).state).toBe('revoked');
});
