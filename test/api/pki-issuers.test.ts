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
const raw = async (path: string): Promise<{ status: number; type: string | null; body: Buffer }> => {
  const answer = await fetch(`${engine.address}/v1/${path}`);
  const body = Buffer.from(await answer.arrayBuffer());
  return { status: answer.status, type: answer.headers.get('content-type'), body };
};

let mounts = 0;
async function mount(): Promise<string> {
  mounts += 1;
  await call('POST', `sys/mounts/ca${mounts}`, { type: 'pki', config: { max_lease_ttl: '87600h' } });
  return `ca${mounts}`;
}
const root = (pki: string, name: string, more: object = {}) =>
  data('POST', `${pki}/root/generate/internal`, { common_name: name, key_type: 'ec', ttl: '8760h', ...more });

describe('issuers', () => {
  test('an empty mount has nothing, and says so', async () => {
    const pki = await mount();
    expect((await call('LIST', `${pki}/issuers`)).status).toBe(404);
    expect((await call('LIST', `${pki}/keys`)).status).toBe(404);
    expect((await call('LIST', `${pki}/certs`)).status).toBe(404);
    expect((await raw(`${pki}/ca/pem`)).status).toBe(204);
    expect((await raw(`${pki}/crl`)).status).toBe(204);
    expect(await refused('GET', `${pki}/issuer/default`)).toBe(
      '1 error occurred:\n\t* no default issuer currently configured\n\n',
    );
    const warned = await call('POST', `${pki}/roles/r`, {});
    expect(warned.body.warnings[0]).toContain('no default issuing certificate');
    expect(await data('GET', `${pki}/config/issuers`)).toEqual({
      default: '',
      default_follows_latest_issuer: false,
    });
  });

  test('everyone may read certificates and lists, in the form that the path names', async () => {
    const pki = await mount();
    const made = await root(pki, 'Open', { issuer_name: 'open' });
    const pem = `${made.certificate}\n`;
    expect((await engine.call('LIST', `${pki}/issuers`, undefined, '')).body.data.keys).toEqual([
      made.issuer_id,
    ]);
    expect(await raw(`${pki}/issuer/open/pem`)).toMatchObject({
      status: 200,
      type: 'application/pem-certificate-chain',
      body: Buffer.from(pem),
    });
    expect(await raw(`${pki}/issuer/open/der`)).toMatchObject({ type: 'application/pkix-cert' });
    expect(await raw(`${pki}/ca`)).toMatchObject({ type: 'application/pkix-cert' });
    expect((await raw(`${pki}/ca`)).body).toEqual((await raw(`${pki}/issuer/open/der`)).body);
    const json = JSON.parse((await raw(`${pki}/issuer/open/json`)).body.toString());
    expect(json.data).toEqual({
      ca_chain: [pem],
      certificate: pem,
      issuer_id: made.issuer_id,
      issuer_name: 'open',
    });
    expect(await raw(`${pki}/crl`)).toMatchObject({ status: 200, type: 'application/pkix-crl' });
    expect(await raw(`${pki}/issuer/open/crl/pem`)).toMatchObject({ type: 'application/x-pem-file' });
    expect((await raw(`${pki}/issuer/open/crl/der`)).body).toEqual((await raw(`${pki}/crl`)).body);
    expect(JSON.parse((await raw(`${pki}/issuer/open/crl`)).body.toString()).data.crl).toContain(
      'BEGIN X509 CRL',
    );
    expect((await raw(`${pki}/crl/delta`)).status).toBe(200);
    expect((await raw(`${pki}/cert/ca/raw/pem`)).body.toString()).toBe(made.certificate);
    const { serial_number: serial } = made;
    expect((await raw(`${pki}/cert/${serial}/raw`)).body).toEqual((await raw(`${pki}/ca`)).body);
    expect((await raw(`${pki}/cert/${serial.replaceAll(':', '-')}/raw/pem`)).body.toString()).toBe(
      made.certificate,
    );
    expect((await call('GET', `${pki}/cert/00:11`)).status).toBe(404);
    expect((await data('GET', `${pki}/cert/ca`)).certificate).toBe(made.certificate);
    expect((await data('GET', `${pki}/cert/ca_chain`)).ca_chain).toBe(made.certificate);
    expect((await data('GET', `${pki}/cert/crl`)).certificate).toContain('BEGIN X509 CRL');
    const detailed = await data('LIST', `${pki}/certs/detailed`);
    expect(detailed.key_info[serial]).toMatchObject({
      common_name: 'Open',
      issuer: 'CN=Open',
      key_type: 'ec',
      key_bits: 256,
    });
  });

  test('settings are written whole and patched in part', async () => {
    const pki = await mount();
    await root(pki, 'Set');
    const written = await data('POST', `${pki}/issuer/default`, {
      issuer_name: 'set',
      leaf_not_after_behavior: 'truncate',
      usage: 'read-only,crl-signing',
      issuing_certificates: 'http://x.test/ca',
      revocation_signature_algorithm: 'ECDSAWithSHA384',
    });
    expect(written).toMatchObject({
      issuer_name: 'set',
      leaf_not_after_behavior: 'truncate',
      usage: 'crl-signing,read-only',
      issuing_certificates: ['http://x.test/ca'],
      enable_aia_url_templating: false,
      revocation_signature_algorithm: 'ECDSAWithSHA384',
    });
    await call('POST', `${pki}/roles/r`, { allow_any_name: true, key_type: 'ec' });
    expect(await refused('POST', `${pki}/issue/r`, { common_name: 'a.test' })).toContain(
      'requested usage issuing-certificates for issuer',
    );
    const patched = await data('PATCH', `${pki}/issuer/set`, {
      usage: ['issuing-certificates', 'crl-signing'],
    });
    expect(patched).toMatchObject({ leaf_not_after_behavior: 'truncate', issuer_name: 'set' });
    await data('GET', `${pki}/crl/rotate`);
    const list = (await raw(`${pki}/crl/pem`)).body.toString();
    expect(await openssl(['crl', '-noout', '-text'], list)).toContain('ecdsa-with-SHA384');
    expect(await refused('PATCH', `${pki}/issuer/set`, { leaf_not_after_behavior: 'x' })).toContain(
      'Unknown value',
    );
    expect(await refused('PATCH', `${pki}/issuer/set`, { usage: 'x' })).toContain(
      'Unable to parse specified usages',
    );
    expect(await refused('PATCH', `${pki}/issuer/set`, { issuer_name: 'default' })).toContain(
      'reserved keyword',
    );
    expect(await refused('PATCH', `${pki}/issuer/set`, { ocsp_servers: 'nowhere' })).toContain(
      'invalid URL found',
    );
    expect(
      await refused('PATCH', `${pki}/issuer/set`, { revocation_signature_algorithm: 'SHA256WithRSA' }),
    ).toContain('unable to use issuer of type ECDSA to sign with SHA256WithRSA key type');
    expect(await data('GET', `${pki}/issuer/set`)).toEqual(patched);
  });

  test('a rotated root is next, and replaces the default when it is told to', async () => {
    const pki = await mount();
    const first = await root(pki, 'One');
    const second = await data('POST', `${pki}/root/rotate/internal`, { common_name: 'Two', key_type: 'ec' });
    expect(second.issuer_name).toBe('next');
    expect((await data('GET', `${pki}/config/issuers`)).default).toBe(first.issuer_id);
    expect((await data('POST', `${pki}/root/replace`, {})).default).toBe(second.issuer_id);
    expect(await refused('POST', `${pki}/config/issuers`, { default: 'default' })).toContain(
      'Invalid issuer',
    );
    await data('POST', `${pki}/config/issuers`, {
      default: first.issuer_id,
      default_follows_latest_issuer: true,
    });
    const third = await root(pki, 'Three');
    expect((await data('GET', `${pki}/config/issuers`)).default).toBe(third.issuer_id);
    expect(
      await refused('POST', `${pki}/root/generate/internal`, { common_name: 'x', issuer_name: 'next' }),
    ).toBe('issuer name already in use');
  });

  test('an issuer that is deleted takes its list and its default with it; its key stays', async () => {
    const pki = await mount();
    const made = await root(pki, 'Gone', { issuer_name: 'gone', key_name: 'kept' });
    await call('POST', `${pki}/roles/r`, { issuer_ref: 'gone' });
    const deleted = await call('DELETE', `${pki}/issuer/gone`);
    expect(deleted.body.warnings).toEqual([
      '1 roles reference gone',
      expect.stringContaining('this was configured as the default issuer'),
    ]);
    expect((await call('DELETE', `${pki}/issuer/gone`)).status).toBe(204);
    expect((await data('GET', `${pki}/key/kept`)).key_id).toBe(made.key_id);
    const again = await data('POST', `${pki}/root/generate/existing`, {
      common_name: 'Back',
      key_ref: 'kept',
    });
    expect(again.key_id).toBe(made.key_id);
    const all = await call('DELETE', `${pki}/root`);
    expect(all.body.warnings[0]).toContain('DELETE /root deletes all keys and issuers');
    expect((await call('LIST', `${pki}/keys`)).status).toBe(404);
  });

  test('a revoked intermediate issues no more and is on the list of its root', async () => {
    const pki = await mount();
    await root(pki, 'Top', { issuer_name: 'top' });
    const { csr } = await data('POST', `${pki}/intermediate/generate/internal`, {
      common_name: 'Mid',
      key_type: 'ec',
    });
    const { certificate, serial_number: serial } = await data('POST', `${pki}/issuer/top/sign-intermediate`, {
      csr,
    });
    const { mapping } = await data('POST', `${pki}/intermediate/set-signed`, { certificate });
    const [id = ''] = Object.keys(mapping);
    const chained = await data('GET', `${pki}/issuer/${id}`);
    expect(chained.ca_chain).toHaveLength(2);
    const revoked = await data('POST', `${pki}/issuer/${id}/revoke`, {});
    expect(revoked).toMatchObject({ revoked: true, usage: 'crl-signing,ocsp-signing,read-only' });
    const list = (await raw(`${pki}/issuer/top/crl/pem`)).body.toString();
    expect(await openssl(['crl', '-noout', '-text'], list)).toContain(
      serial.replaceAll(':', '').toUpperCase(),
    );
    expect(await refused('PATCH', `${pki}/issuer/${id}`, { usage: 'issuing-certificates' })).toContain(
      'This issuer was revoked',
    );
    expect(await refused('POST', `${pki}/revoke`, { serial_number: serial })).toContain(
      'to its own CRL is not allowed',
    );
  });
});

describe('keys and imports', () => {
  test('keys are generated, named, listed, and never shown again', async () => {
    const pki = await mount();
    const made = await data('POST', `${pki}/keys/generate/exported`, {
      key_name: 'one',
      key_type: 'ed25519',
    });
    expect(made.private_key).toContain('BEGIN PRIVATE KEY');
    const read = await data('GET', `${pki}/key/one`);
    expect(Object.keys(read)).toEqual(['key_id', 'key_name', 'key_type', 'subject_key_id']);
    expect((await data('POST', `${pki}/key/one`, { key_name: 'two' })).key_name).toBe('two');
    expect((await data('LIST', `${pki}/keys`)).key_info[made.key_id]).toEqual({
      is_default: true,
      key_name: 'two',
    });
    expect(await refused('POST', `${pki}/keys/generate/internal`, { key_name: 'two' })).toBe(
      'key name already in use',
    );
    expect(await refused('POST', `${pki}/keys/generate/internal`, { key_type: 'x' })).toContain(
      'unknown key type x',
    );
    expect(await refused('POST', `${pki}/keys/generate/kms`, {})).toBe(
      'missing argument: managed_key_name or managed_key_id is required with kms',
    );
    const again = await call('POST', `${pki}/keys/import`, { pem_bundle: made.private_key });
    expect(again.body.warnings).toEqual(['Key already imported, use key/ endpoint to update name.']);
    expect(await refused('POST', `${pki}/keys/import`, { pem_bundle: 'short' })).toContain('too short');
    await root(pki, 'Uses', { key_type: undefined });
    const other = await data('POST', `${pki}/keys/generate/internal`, { key_type: 'ec' });
    await data('POST', `${pki}/config/keys`, { default: other.key_id });
    expect((await call('DELETE', `${pki}/key/default`)).body.warnings[0]).toContain('default key');
    const { key_id: used } = await data('GET', `${pki}/issuer/default`);
    expect(await refused('DELETE', `${pki}/key/${used}`)).toContain(
      'Failed to Delete Key.  Key in Use by Issuer',
    );
  });

  test("another's authority is imported with its key, as openssl writes it", async () => {
    const pki = await mount();
    const dir = files({});
    const request = [
      'req',
      '-x509',
      '-nodes',
      '-subj',
      '/CN=Outside',
      '-days',
      '30',
      '-keyout',
      'k',
      '-out',
      'c',
    ];
    await openssl([...request, '-newkey', 'rsa:2048'], '', dir);
    await openssl(['rsa', '-in', 'k', '-traditional', '-out', 'k1'], '', dir);
    const bundle = `some text\n${readFileSync(join(dir, 'c'), 'utf8')}${readFileSync(join(dir, 'k1'), 'utf8')}`;
    expect(await refused('POST', `${pki}/issuers/import/cert`, { pem_bundle: bundle })).toContain(
      'private keys found in the PEM bundle but not allowed',
    );
    expect((await call('LIST', `${pki}/keys`)).status).toBe(404);
    const imported = await data('POST', `${pki}/config/ca`, { pem_bundle: bundle });
    expect(imported.imported_issuers).toHaveLength(1);
    expect(imported.mapping[imported.imported_issuers[0]]).toBe(imported.imported_keys[0]);
    const twice = await data('POST', `${pki}/issuers/import/bundle`, { pem_bundle: bundle });
    expect([twice.imported_issuers, twice.existing_issuers]).toEqual([null, imported.imported_issuers]);
    await call('POST', `${pki}/roles/r`, { allow_any_name: true });
    const leaf = await data('POST', `${pki}/issue/r`, { common_name: 'a.test', ttl: '1h' });
    const check = files({ c: readFileSync(join(dir, 'c')), l: leaf.certificate });
    expect(await openssl(['verify', '-CAfile', 'c', 'l'], '', check)).toContain('OK');
  });

  test('what is no authority is not imported, and nothing of its bundle', async () => {
    const pki = await mount();
    const made = await root(pki, 'Here');
    await call('POST', `${pki}/roles/r`, { allow_any_name: true, key_type: 'ec' });
    const leaf = await data('POST', `${pki}/issue/r`, { common_name: 'a.test' });
    const empty = await mount();
    const bundle = `${made.certificate}\n${leaf.certificate}`;
    expect(await refused('POST', `${empty}/issuers/import/bundle`, { pem_bundle: bundle })).toBe(
      'Error parsing issuer 1: Refusing to import non-CA certificate',
    );
    expect((await call('LIST', `${empty}/issuers`)).status).toBe(404);
    expect(await refused('POST', `${empty}/issuers/import/bundle`, {})).toContain('parameters were empty');
    expect(await refused('POST', `${empty}/issuers/import/bundle`, { pem_bundle: 'x'.repeat(99) })).toContain(
      'invalid PEM data',
    );
  });
});

test('no exported key is in the log', () => {
  expect(engine.logLines.join('\n')).not.toContain('PRIVATE KEY');
});
