import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';
import { files, openssl } from './support/openssl.ts';

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized();
});
afterAll(() => engine.stop());

const call = (method: string, path: string, body?: object) => engine.call(method, path, body);
const data = async (method: string, path: string, body?: object): Promise<any> => {
  const answer = await call(method, path, body);
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  return answer.body?.data;
};
const refused = async (method: string, path: string, body?: object): Promise<string> => {
  const answer = await call(method, path, body);
  expect(answer.status).toBeGreaterThanOrEqual(400);
  return answer.body.errors[0];
};

let mounts = 0;
async function mount(): Promise<string> {
  mounts += 1;
  await call('POST', `sys/mounts/ca${mounts}`, { type: 'pki', config: { max_lease_ttl: '87600h' } });
  return `ca${mounts}`;
}
const root = (pki: string, name: string, more: object = {}) =>
  data('POST', `${pki}/root/generate/internal`, { common_name: name, key_type: 'ec', ttl: '8760h', ...more });

describe('authorities sign authorities', () => {
  test('constraints of a signed authority hold for openssl', async () => {
    const pki = await mount();
    const top = await root(pki, 'Top', { max_path_length: 2, permitted_dns_domains: 'ok.test' });
    const below = await mount();
    const made = await data('POST', `${below}/intermediate/generate/exported`, {
      common_name: 'Mid',
      key_type: 'ec',
      add_basic_constraints: true,
      exclude_cn_from_sans: true,
      format: 'pem_bundle',
    });
    expect(made.csr).toMatch(/BEGIN EC PRIVATE KEY[\s\S]*BEGIN CERTIFICATE REQUEST/);
    const csr = made.csr.slice(made.csr.indexOf('-----BEGIN CERTIFICATE REQUEST'));
    const signed = await call('POST', `${pki}/root/sign-intermediate`, {
      csr,
      ttl: '87600h',
      skid: '01:02:03:04',
      use_csr_values: true,
      exclude_cn_from_sans: true,
    });
    expect(signed.body.warnings.join()).toContain("is after the CA's expiration time");
    const { certificate } = signed.body.data;
    const shown = await openssl(['x509', '-noout', '-text'], certificate);
    expect(shown).toContain('CA:TRUE, pathlen:1');
    expect(shown).toContain('01:02:03:04');
    await data('POST', `${below}/intermediate/set-signed`, {
      certificate: `${certificate}\n${top.certificate}`,
    });
    await call('POST', `${below}/roles/r`, { allow_any_name: true, key_type: 'ec' });
    const verify = async (name: string): Promise<string> => {
      const leaf = await data('POST', `${below}/issue/r`, { common_name: name, ttl: '1h' });
      const dir = files({ top: top.certificate, mid: certificate, leaf: leaf.certificate });
      return openssl(['verify', '-CAfile', 'top', '-untrusted', 'mid', 'leaf'], '', dir);
    };
    expect(await verify('a.ok.test')).toContain('OK');
    // What openssl would refuse is not issued.
    const refused = await call('POST', `${below}/issue/r`, { common_name: 'a.bad.test', ttl: '1h' });
    expect([refused.status, refused.body.errors[0]]).toEqual([
      400,
      expect.stringContaining('DNS name "a.bad.test" is not permitted by any constraint'),
    ]);
  });

  test('below a path length of zero no authority is signed', async () => {
    const pki = await mount();
    await root(pki, 'Last', { max_path_length: 0 });
    const { csr } = await data('POST', `${pki}/intermediate/generate/internal`, { common_name: 'Mid' });
    expect(await refused('POST', `${pki}/root/sign-intermediate`, { csr })).toContain(
      'max path length of zero',
    );
    expect(await refused('POST', `${pki}/root/sign-intermediate`, { csr: '' })).toBe('"csr" is empty');
    expect(await refused('POST', `${pki}/root/sign-intermediate`, { csr: 'x' })).toBe('csr contains no data');
  });

  test('a cross-signed root has a chain to both roots', async () => {
    const pki = await mount();
    const old = await root(pki, 'Old', { issuer_name: 'old' });
    const fresh = await root(pki, 'New', { issuer_name: 'new', key_name: 'new-key' });
    const { csr, key_id: key } = await data('POST', `${pki}/intermediate/cross-sign`, {
      common_name: 'New',
      key_ref: 'new-key',
    });
    expect(key).toBe(fresh.key_id);
    const { certificate } = await data('POST', `${pki}/issuer/old/sign-intermediate`, {
      csr,
      common_name: 'New',
    });
    await data('POST', `${pki}/issuers/import/cert`, { pem_bundle: certificate });
    await call('POST', `${pki}/roles/r`, { allow_any_name: true, key_type: 'ec' });
    const leaf = await data('POST', `${pki}/issuer/new/issue/r`, { common_name: 'a.test' });
    const dir = files({
      old: old.certificate,
      new: fresh.certificate,
      cross: certificate,
      leaf: leaf.certificate,
    });
    expect(await openssl(['verify', '-CAfile', 'new', 'leaf'], '', dir)).toContain('OK');
    expect(await openssl(['verify', '-CAfile', 'old', '-untrusted', 'cross', 'leaf'], '', dir)).toContain(
      'OK',
    );
  });

  test("another root's certificate is signed as it is, by sudo", async () => {
    const pki = await mount();
    const own = await root(pki, 'Own');
    const dir = files({ own: own.certificate });
    const request = ['req', '-x509', '-nodes', '-subj', '/CN=Other', '-keyout', 'k', '-out', 'other'];
    await openssl([...request, '-newkey', 'rsa:2048'], '', dir);
    const certificate = readFileSync(join(dir, 'other'), 'utf8');
    const signed = await data('POST', `${pki}/root/sign-self-issued`, { certificate });
    const check = files({ own: own.certificate, other: signed.certificate });
    expect(await openssl(['verify', '-CAfile', 'own', 'other'], '', check)).toContain('OK');
    const body = { certificate, require_matching_certificate_algorithms: true };
    expect(await refused('POST', `${pki}/root/sign-self-issued`, body)).toContain('does not match submitted');
    expect(await refused('POST', `${pki}/root/sign-self-issued`, { certificate: 'x' })).toContain(
      'PEM-decoded',
    );
  });

  test('chains can be set by hand', async () => {
    const pki = await mount();
    const a = await root(pki, 'A', { issuer_name: 'a' });
    const b = await root(pki, 'B', { issuer_name: 'b' });
    const set = await data('PATCH', `${pki}/issuer/a`, { manual_chain: 'self,b' });
    expect(set.manual_chain).toEqual([a.issuer_id, b.issuer_id]);
    expect(set.ca_chain).toHaveLength(2);
    expect(await refused('PATCH', `${pki}/issuer/a`, { manual_chain: 'b' })).toContain('self-reference');
    expect((await data('PATCH', `${pki}/issuer/a`, { manual_chain: [] })).ca_chain).toHaveLength(1);
  });
});

test('no exported key is in the log', () => {
  expect(engine.logLines.join('\n')).not.toContain('PRIVATE KEY');
});
