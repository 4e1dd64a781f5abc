import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
const call = (method: string, path: string, body?: object) => engine.call(method, path, body);

beforeAll(async () => {
  engine = await TestEngine.initialized();
  await call('POST', 'sys/mounts/pki', { type: 'pki', config: { max_lease_ttl: '87600h' } });
  await call('POST', 'pki/root/generate/internal', {
    common_name: 'root.test',
    ttl: '8760h',
    key_type: 'ec',
  });
  const role = { allow_any_name: true, key_type: 'ec', generate_lease: true, ttl: '1h' };
  await call('POST', 'pki/roles/leased', role);
  await call('POST', 'pki/roles/unstored', { ...role, no_store: true });
});
afterAll(() => engine.stop());

const issue = async (role = 'leased'): Promise<any> =>
  (await call('POST', `pki/issue/${role}`, { common_name: 'a.test' })).body;
const revokedAt = async (serial: string): Promise<number> =>
  (await call('GET', `pki/cert/${serial}`)).body.data.revocation_time;

test('a certificate has a lease of its own time, which cannot be renewed', async () => {
  const issued = await issue();
  expect(issued).toMatchObject({ renewable: false, data: { private_key_type: 'ec' } });
  expect(issued.lease_id).toMatch(/^pki\/issue\/leased\/[A-Za-z0-9]{24}$/);
  expect(issued.lease_duration).toBeGreaterThan(3590);
  expect(issued.lease_duration).toBeLessThanOrEqual(3600);
  const { lease_id } = issued;
  expect((await call('PUT', 'sys/leases/lookup', { lease_id })).body.data).toMatchObject({
    id: lease_id,
    renewable: false,
  });
  expect((await call('LIST', 'sys/leases/lookup/pki')).body.data.keys).toEqual(['issue/']);
  expect((await call('PUT', 'sys/leases/renew', { lease_id })).body.errors).toEqual([
    'lease is not renewable',
  ]);
});

test('the end of a lease revokes the certificate, also one that was revoked or tidied before', async () => {
  const [kept, revoked] = [await issue(), await issue()];
  expect(await revokedAt(kept.data.serial_number)).toBe(0);
  await call('POST', 'pki/revoke', { serial_number: revoked.data.serial_number });
  const before = await revokedAt(revoked.data.serial_number);
  await engine.restart();
  for (const { lease_id } of [kept, revoked])
    expect((await call('PUT', 'sys/leases/revoke', { lease_id, sync: true })).status).toBe(204);
  expect(await revokedAt(kept.data.serial_number)).toBeGreaterThan(0);
  expect(await revokedAt(revoked.data.serial_number)).toBe(before);
  const list = await fetch(`${engine.address}/v1/pki/crl`);
  expect(Buffer.from(await list.arrayBuffer()).toString('hex')).toContain(
    kept.data.serial_number.replaceAll(':', ''),
  );
});

test('certificates that are not stored have no lease', async () => {
  expect(await issue('unstored')).toMatchObject({ lease_id: '', lease_duration: 0 });
});

test('a mount takes its leases along', async () => {
  const { lease_id } = await issue();
  expect((await call('DELETE', 'sys/mounts/pki')).status).toBe(204);
  expect((await call('PUT', 'sys/leases/lookup', { lease_id })).status).toBe(400);
});
