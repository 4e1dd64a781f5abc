import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized();
  await engine.call('POST', 'sys/mounts/pki', { type: 'pki' });
  await engine.call('POST', 'pki/root/generate/internal', { common_name: 'Root', ttl: '24h' });
  await engine.call('POST', 'pki/roles/web', { allow_any_name: true, generate_lease: true, ttl: '1h' });
});
afterAll(async () => engine.stop());

async function revocationTime(serial: string): Promise<number> {
  return (await engine.call('GET', `pki/cert/${serial}`)).body.data.revocation_time;
}

test('a certificate with a lease is revoked when its lease is', async () => {
  const { body } = await engine.call('POST', 'pki/issue/web', { common_name: 'a.example' });
  expect(body).toMatchObject({ renewable: false, lease_id: expect.stringMatching(/^pki\/issue\/web\//) });
  expect(body.lease_duration).toBeGreaterThan(3500);
  const serial = body.data.serial_number;
  expect(await revocationTime(serial)).toBe(0);
  expect((await engine.call('PUT', 'sys/leases/renew', { lease_id: body.lease_id })).status).toBe(400);
  expect(
    (await engine.call('PUT', 'sys/leases/revoke', { lease_id: body.lease_id, sync: true })).status,
  ).toBe(204);
  expect(await revocationTime(serial)).toBeGreaterThan(0);
});

test('a certificate goes with the token that asked for it', async () => {
  const { auth } = (await engine.call('POST', 'auth/token/create', { policies: ['root'], ttl: '1h' })).body;
  const { body } = await engine.call(
    'POST',
    'pki/issue/web',
    { common_name: 'b.example' },
    auth.client_token,
  );
  await engine.call('POST', 'auth/token/revoke', { token: auth.client_token });
  await expect.poll(() => revocationTime(body.data.serial_number), { timeout: 20_000 }).toBeGreaterThan(0);
});
