import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { fromBase64, toBase64 } from '../../../../src/lib/bytes.ts';
import { toPem } from '../../../../src/engine/secrets/pki/pem.ts';
import { TestPki } from './backend.ts';

let pki: TestPki;
beforeAll(async () => {
  pki = await TestPki.withRoot();
  await pki.data('update', 'roles/open', {
    allow_any_name: true,
    enforce_hostnames: false,
    cn_validations: 'disabled',
    require_cn: false,
    key_type: 'ec',
    allowed_uri_sans: '*',
    allowed_other_sans: '*',
    allowed_serial_numbers: '*',
    allowed_user_ids: '*',
  });
});

// What a client sends is answered, whatever it is: a throw is a defect.
const runs = { numRuns: 60 };
const strange = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    '*',
    '@',
    'a@b',
    '1.2.3;UTF8:x',
    '::1',
    '9999-12-31T23:59:59Z',
    '0001-01-01T00:00:00Z',
    '1h',
  ),
  fc.string({ maxLength: 300 }),
);

describe('whatever a client sends is answered', () => {
  test('names and times of a certificate', async () => {
    const names =
      'common_name alt_names ip_sans uri_sans other_sans serial_number user_ids ttl not_after not_before format private_key_format'.split(
        ' ',
      );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), strange, async (name, value) => {
        const answer = await pki.call('update', 'issue/open', { common_name: 'a.test', [name]: value });
        expect(['data', 'refusal']).toContain(answer.kind);
      }),
      { numRuns: 200 },
    );
  });

  test('requests, certificates, keys, lists and questions of any bytes', async () => {
    const paths: readonly (readonly [path: string, field: string, label: string])[] = [
      ['sign/open', 'csr', 'CERTIFICATE REQUEST'],
      ['sign-verbatim', 'csr', 'CERTIFICATE REQUEST'],
      ['root/sign-intermediate', 'csr', 'CERTIFICATE REQUEST'],
      ['root/sign-self-issued', 'certificate', 'CERTIFICATE'],
      ['issuers/import/bundle', 'pem_bundle', 'CERTIFICATE'],
      ['keys/import', 'pem_bundle', 'PRIVATE KEY'],
      ['revoke', 'certificate', 'CERTIFICATE'],
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...paths),
        fc.uint8Array({ minLength: 1, maxLength: 200 }),
        async (to, der) => {
          const [path, field, label] = to;
          for (const text of [toPem(label, der), toBase64(der)])
            expect((await pki.call('update', path, { [field]: text })).kind).toBe('refusal');
        },
      ),
      runs,
    );
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (der) => {
        const answer = await pki.call('update', 'ocsp', { req: toBase64(der) });
        expect(answer).toMatchObject({ kind: 'bytes', contentType: 'application/ocsp-response' });
      }),
      runs,
    );
  });

  test('a certificate with one byte changed is not revoked as the one that was issued', async () => {
    const { certificate } = await pki.issue();
    const der = fromBase64(certificate.replace(/-----[^-]+-----|\s/g, '')) ?? new Uint8Array(0);
    await fc.assert(
      fc.asyncProperty(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), async (index, change) => {
        const forged = Uint8Array.from(der);
        forged[index] = (forged[index] ?? 0) ^ change;
        const answer = await pki.call('update', 'revoke', { certificate: toPem('CERTIFICATE', forged) });
        expect(answer.kind).toBe('refusal');
      }),
      { numRuns: 150 },
    );
    expect((await pki.call('list', 'certs/revoked')).status).toBe(404);
  });

  test('settings of a root', async () => {
    const names = [
      'common_name',
      'permitted_dns_domains',
      'skid',
      'ext_key_usage_oids',
      'country',
      'max_path_length',
    ];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), strange, async (name, value) => {
        const fresh = new TestPki();
        const body = { common_name: 'R', key_type: 'ec', [name]: value };
        const answer = await fresh.call('update', 'root/generate/internal', body);
        expect(['data', 'refusal']).toContain(answer.kind);
      }),
      runs,
    );
  });
});

test('what no certificate can hold is refused by name', async () => {
  const refused = async (fields: Parameters<TestPki['issue']>[0]): Promise<string> =>
    (await pki.call('update', 'issue/open', { common_name: 'a.test', ...fields })).errors?.[0];
  expect(await refused({ other_sans: 'x;UTF8:y' })).toContain('expected an object identifier in other SAN');
  expect(await refused({ alt_names: 'é@a.test' })).toContain('cannot be encoded as an IA5String');
  expect(await refused({ uri_sans: 'http://a b/' })).toContain('is not a valid URI');
  expect(await refused({ not_before: '1900-01-01T00:00:00Z' })).toContain('parsing time');
  expect(await refused({ not_after: '2020-01-01T00:00:00Z' })).toContain(
    "is later than the certificate's Not After",
  );
});

test('patches of a role at once are all kept; listings are cut into pages', async () => {
  const fresh = await TestPki.withRoot();
  const changes = ['ttl', 'max_ttl', 'key_usage', 'organization', 'require_cn', 'no_store'].map((name) =>
    fresh.data('patch', 'roles/r', { [name]: name === 'organization' || name === 'key_usage' ? 'X' : '1' }),
  );
  await Promise.all(changes);
  expect(await fresh.data('read', 'roles/r')).toMatchObject({
    ttl: 1,
    max_ttl: 1,
    key_usage: ['X'],
    organization: ['X'],
    require_cn: true,
    no_store: true,
  });
  await fresh.data('patch', 'roles/r', { no_store: false, ttl: 0, max_ttl: 0 });
  await Promise.all(Array.from({ length: 5 }, () => fresh.issue()));
  const { keys: all } = await fresh.data('list', 'certs');
  const page = await fresh.data('list', 'certs', { after: all[1], limit: 2 });
  expect(page.keys).toEqual(all.slice(2, 4));
});
