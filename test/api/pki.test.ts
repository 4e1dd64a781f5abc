import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';
import { files, openssl } from './support/openssl.ts';

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized();
});
afterAll(() => engine.stop());

const call = (method: string, path: string, body?: object) => engine.call(method, path, body);
let mounts = 0;

async function mount(): Promise<string> {
  mounts += 1;
  await call('POST', `sys/mounts/pki${mounts}`, { type: 'pki', config: { max_lease_ttl: '87600h' } });
  return `pki${mounts}`;
}

async function withRoot(more: object = {}): Promise<{ pki: string; root: any }> {
  const pki = await mount();
  const answer = await call('POST', `${pki}/root/generate/internal`, {
    common_name: 'root.test',
    ttl: '8760h',
    key_type: 'ec',
    ...more,
  });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return { pki, root: answer.body.data };
}

const text = (pem: string) => openssl(['x509', '-noout', '-text'], pem);

describe('roots and leaves', () => {
  const kinds = [
    { key_type: 'rsa', key_bits: 2048, signature: 'sha256WithRSAEncryption' },
    { key_type: 'rsa', key_bits: 3072, signature_bits: 384, signature: 'sha384WithRSAEncryption' },
    { key_type: 'rsa', key_bits: 2048, use_pss: true, signature_bits: 512, signature: 'rsassaPss' },
    { key_type: 'ec', key_bits: 224, signature: 'ecdsa-with-SHA256' },
    { key_type: 'ec', key_bits: 256, signature: 'ecdsa-with-SHA256' },
    { key_type: 'ec', key_bits: 384, signature: 'ecdsa-with-SHA384' },
    { key_type: 'ec', key_bits: 521, signature: 'ecdsa-with-SHA512' },
    { key_type: 'ed25519', key_bits: 0, signature: 'ED25519' },
  ];
  for (const { signature, ...key } of kinds) {
    test(`${JSON.stringify(key)}: openssl verifies the leaf`, async () => {
      const { pki, root } = await withRoot(key);
      await call('POST', `${pki}/roles/any`, { allow_any_name: true, ...key });
      const { body, status } = await call('POST', `${pki}/issue/any`, { common_name: 'a.test' });
      expect(status, JSON.stringify(body)).toBe(200);
      const dir = files({ 'root.pem': root.certificate, 'leaf.pem': body.data.certificate });
      expect(await openssl(['verify', '-x509_strict', '-CAfile', 'root.pem', 'leaf.pem'], '', dir)).toContain(
        'OK',
      );
      expect(await text(body.data.certificate)).toContain(signature);
      const list = await fetch(`${engine.address}/v1/${pki}/crl/pem`).then((answer) => answer.text());
      expect(await openssl(['crl', '-CAfile', 'root.pem', '-noout'], list, dir)).toContain('verify OK');
      const own = createPrivateKey(body.data.private_key);
      const spki = { type: 'spki', format: 'pem' } as const;
      expect(createPublicKey(own).export(spki)).toBe(createPublicKey(body.data.certificate).export(spki));
      expect(body.data.private_key_type).toBe(key.key_type);
    });
  }
});

describe('roles', () => {
  let pki: string;
  beforeAll(async () => {
    ({ pki } = await withRoot());
  });
  const role = async (fields: object): Promise<void> => {
    const answer = await call('POST', `${pki}/roles/r`, { key_type: 'ec', ...fields });
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  };
  const issue = (fields: object) => call('POST', `${pki}/issue/r`, fields);
  const outcome = async (fields: object): Promise<string> => {
    const { status, body } = await issue(fields);
    return status === 200 ? 'issued' : `${status} ${body.errors[0]}`;
  };

  test('names are confined to the domains of the role', async () => {
    await role({ allowed_domains: 'a.test,b.test', allow_subdomains: true, allow_bare_domains: false });
    expect(await outcome({ common_name: 'x.a.test' })).toBe('issued');
    expect(await outcome({ common_name: '*.a.test' })).toBe('issued');
    expect(await outcome({ common_name: 'localhost' })).toBe('issued');
    expect(await outcome({ common_name: 'a.test' })).toBe('400 common name a.test not allowed by this role');
    expect(await outcome({ common_name: 'xa.test' })).toBe(
      '400 common name xa.test not allowed by this role',
    );
    expect(await outcome({ common_name: 'x.a.test', alt_names: 'y.b.test,z.c.test' })).toBe(
      '400 subject alternate name z.c.test not allowed by this role',
    );
    expect(await outcome({ common_name: 'x.a.test', alt_names: 'me@c.test' })).toBe(
      '400 email address me@c.test not allowed by this role',
    );
    await role({ allowed_domains: 'a.test', allow_bare_domains: true, allow_localhost: false });
    expect(await outcome({ common_name: 'a.test' })).toBe('issued');
    expect(await outcome({ common_name: 'x.a.test' })).toContain('400');
    expect(await outcome({ common_name: 'localhost' })).toContain('400');
    await role({ allowed_domains: 'web-*.test', allow_glob_domains: true });
    expect(await outcome({ common_name: 'web-1.test' })).toBe('issued');
    expect(await outcome({ common_name: 'db-1.test' })).toContain('400');
    await role({ allow_any_name: true, allow_wildcard_certificates: false });
    expect(await outcome({ common_name: '*.x.test' })).toContain('400');
    expect(await outcome({ common_name: 'not a host' })).toContain('400');
    await role({ allow_any_name: true, enforce_hostnames: false, cn_validations: 'disabled' });
    expect(await outcome({ common_name: 'not a host' })).toBe('issued');
  });

  test('addresses, URIs, other names, serial numbers and user ids are asked for by name', async () => {
    await role({
      allow_any_name: true,
      allowed_ip_sans_cidr: '10.0.0.0/8',
      allowed_uri_sans: 'spiffe://x/*',
      allowed_other_sans: '1.3.6.1.4.1.311.20.2.3;UTF8:*@x.test',
      allowed_serial_numbers: 'SN-*',
      allowed_user_ids: 'u1,adm*',
    });
    const all = {
      common_name: 'a.test',
      ip_sans: '10.1.2.3',
      uri_sans: 'spiffe://x/y',
      other_sans: '1.3.6.1.4.1.311.20.2.3;UTF8:me@x.test',
      serial_number: 'SN-1',
      user_ids: 'admin',
    };
    const { body } = await issue(all);
    const shown = await text(body.data.certificate);
    expect(shown).toContain('othername: UPN::me@x.test, DNS:a.test, IP Address:10.1.2.3, URI:spiffe://x/y');
    expect(shown).toMatch(/Subject: CN = a.test, serialNumber = SN-1, UID = admin/);
    expect(await outcome({ ...all, ip_sans: '11.0.0.1' })).toContain('11.0.0.1 is not allowed by this role');
    expect(await outcome({ ...all, ip_sans: '10.1.2' })).toBe(
      '400 the value "10.1.2" is not a valid IP address',
    );
    expect(await outcome({ ...all, uri_sans: 'spiffe://z' })).toContain('which are not valid for this role');
    expect(await outcome({ ...all, other_sans: '1.2.3;UTF8:a' })).toBe(
      '400 other SAN OID 1.2.3 not allowed by this role',
    );
    expect(await outcome({ ...all, other_sans: 'nonsense' })).toContain('expected a semicolon in other SAN');
    expect(await outcome({ ...all, serial_number: 'X' })).toBe(
      '400 serial_number X not allowed by this role',
    );
    expect(await outcome({ ...all, user_ids: 'root' })).toBe('400 user_id root is not allowed by this role');
    await role({ allow_any_name: true, allow_ip_sans: false });
    expect(await outcome({ common_name: 'a.test', ip_sans: '10.1.2.3' })).toBe(
      '400 IP Subject Alternative Names are not allowed in this role, but was provided [10.1.2.3]',
    );
  });

  test('usages, subject, policies and constraints are those of the role', async () => {
    await role({
      allow_any_name: true,
      server_flag: false,
      client_flag: false,
      code_signing_flag: true,
      email_protection_flag: true,
      key_usage: ['DigitalSignature', 'ContentCommitment'],
      ext_key_usage: 'TimeStamping',
      ext_key_usage_oids: '1.3.6.1.4.1.99999.1',
      organization: 'Org',
      ou: ['B', 'A'],
      country: 'DE',
      locality: 'Berlin',
      province: 'BE',
      street_address: 'Street 1',
      postal_code: '10115',
      policy_identifiers: [
        { oid: '1.3.6.1.4.1.7.8', notice: 'I am a notice', cps: 'https://cps.test' },
        '1.2.3',
      ],
      basic_constraints_valid_for_non_ca: true,
    });
    const { body } = await issue({ common_name: 'a.test', exclude_cn_from_sans: true });
    const shown = await text(body.data.certificate);
    expect(shown).toContain('C = DE, O = Org, OU = A + OU = B, L = Berlin, ST = BE, street = Street 1');
    expect(shown).toContain('Digital Signature, Non Repudiation');
    expect(shown).toContain('Code Signing, E-mail Protection, Time Stamping, 1.3.6.1.4.1.99999.1');
    expect(shown).toContain('CA:FALSE');
    expect(shown).toContain('CPS: https://cps.test');
    expect(shown).toContain('I am a notice');
    expect(shown).not.toContain('Subject Alternative Name');
  });

  test('the time is decided by request, role, mount and issuer', async () => {
    await role({ allow_any_name: true, ttl: '1h', max_ttl: '2h', not_before_duration: '45s' });
    const span = async (fields: object): Promise<number[]> => {
      const { body } = await issue({ common_name: 'a.test', ...fields });
      const now = Math.floor(Date.now() / 1000);
      return [body.data.expiration - now, now - body.data.not_before].map((seconds) =>
        Math.round(seconds / 10),
      );
    };
    expect(await span({})).toEqual([360, 5]);
    expect(await span({ ttl: '90m' })).toEqual([540, 5]);
    const capped = await issue({ common_name: 'a.test', ttl: '5h' });
    expect(capped.body.warnings).toEqual([
      'TTL "5h0m0s" is longer than permitted maxTTL "2h0m0s", so maxTTL is being used',
    ]);
    const until = new Date(Date.now() + 86_400_000).toISOString().replace(/\.\d+Z/, 'Z');
    const given = await issue({ common_name: 'a.test', not_after: until });
    expect(given.body.data.expiration).toBe(Date.parse(until) / 1000);
    expect(await outcome({ common_name: 'a.test', not_after: until, ttl: '1h' })).toContain(
      'Either ttl or not_after',
    );
    expect(await outcome({ common_name: 'a.test', not_after: 'soon' })).toContain('parsing time "soon"');
    expect(await outcome({ common_name: 'a.test', not_after: '9999-12-31T23:59:59Z' })).toContain(
      'that is beyond the expiration of the CA certificate at',
    );
    await call('PATCH', `${pki}/issuer/default`, { leaf_not_after_behavior: 'truncate' });
    const cut = await issue({ common_name: 'a.test', not_after: '9999-12-31T23:59:59Z' });
    expect(cut.body.data.expiration).toBeLessThan(Date.now() / 1000 + 8761 * 3600);
    await call('PATCH', `${pki}/issuer/default`, { leaf_not_after_behavior: 'permit' });
    const over = await issue({ common_name: 'a.test', not_after: '9999-12-31T23:59:59Z' });
    expect(over.body.data.expiration).toBe(253_402_300_799);
    expect(await text(over.body.data.certificate)).toContain('Not After : Dec 31 23:59:59 9999 GMT');
    await role({ allow_any_name: true, not_after_bound: 'forbid', not_before_bound: 'forbid' });
    expect(await outcome({ common_name: 'a.test', not_after: until })).toContain('400');
    expect(await outcome({ common_name: 'a.test', not_before: until })).toContain('400');
    await role({ allow_any_name: true, not_after_bound: 'ttl-limited', max_ttl: '1h' });
    expect(await outcome({ common_name: 'a.test', not_after: until })).toContain('400');
    await call('PATCH', `${pki}/issuer/default`, { leaf_not_after_behavior: 'err' });
  });

  test('answers come as PEM, DER and bundle, keys also as PKCS #8', async () => {
    await role({ allow_any_name: true });
    const der = (await issue({ common_name: 'a.test', format: 'der' })).body.data;
    expect(new X509Certificate(Buffer.from(der.certificate, 'base64')).subject).toBe('CN=a.test');
    expect(
      createPrivateKey({ key: Buffer.from(der.private_key, 'base64'), format: 'der', type: 'sec1' }).type,
    ).toBe('private');
    const bundle = (await issue({ common_name: 'a.test', format: 'pem_bundle' })).body.data;
    expect(bundle.certificate.match(/BEGIN [A-Z ]+/g)).toEqual([
      'BEGIN EC PRIVATE KEY',
      'BEGIN CERTIFICATE',
      'BEGIN CERTIFICATE',
    ]);
    const pkcs8 = (await issue({ common_name: 'a.test', private_key_format: 'pkcs8' })).body.data;
    expect(pkcs8.private_key).toMatch(/^-----BEGIN PRIVATE KEY-----/);
    const bare = (await issue({ common_name: 'a.test', remove_roots_from_chain: true })).body.data;
    expect(bare).not.toHaveProperty('ca_chain');
    expect(await outcome({ common_name: 'a.test', format: 'text' })).toBe(
      '400 the "format" path parameter must be "pem", "der", or "pem_bundle"',
    );
  });

  test('bad roles are refused, patches keep the rest', async () => {
    const refused = async (fields: object): Promise<string> =>
      (await call('POST', `${pki}/roles/bad`, fields)).body.errors?.[0];
    expect(await refused({ ttl: '2h', max_ttl: '1h' })).toBe('"ttl" value must be less than "max_ttl" value');
    expect(await refused({ key_bits: 1024 })).toBe(
      'RSA keys < 2048 bits are unsafe and not supported: got 1024',
    );
    expect(await refused({ key_type: 'dsa' })).toBe('unknown key type dsa');
    expect(await refused({ key_type: 'ec', key_bits: 123 })).toBe('unsupported bit length for EC key: 123');
    expect(await refused({ signature_bits: 1 })).toBe('unsupported hash signature algorithm: 1');
    expect(await refused({ ext_key_usage_oids: 'x' })).toContain('could not be parsed as a valid oid');
    expect(await refused({ allowed_other_sans: 'x' })).toContain('error parsing allowed_other_sans');
    expect((await call('GET', `${pki}/roles/bad`)).status).toBe(404);
    await role({ allowed_domains: 'a.test', ttl: '1h' });
    const patched = await call('PATCH', `${pki}/roles/r`, { ttl: '2h' });
    expect(patched.body.data).toMatchObject({ ttl: 7200, allowed_domains: ['a.test'], key_type: 'ec' });
    expect((await call('PATCH', `${pki}/roles/none`, {})).body.errors).toEqual([
      'Unable to fetch role entry to patch',
    ]);
    const named = await call('POST', `${pki}/roles/named`, { issuer_ref: 'nobody' });
    expect(named.body.warnings).toEqual([
      'Issuing Certificate was set to nobody but no issuing certificate currently has that name',
    ]);
    expect((await call('POST', `${pki}/issue/named`, { common_name: 'a.test' })).body.errors).toEqual([
      '1 error occurred:\n\t* could not fetch the CA certificate (was one set?): unable to find PKI issuer for reference: nobody\n\n',
    ]);
    expect((await call('POST', `${pki}/issue/none`, {})).body.errors).toEqual(['unknown role: none']);
    expect((await call('DELETE', `${pki}/roles/named`)).status).toBe(204);
  });

  test('a role of any type takes the key of the request', async () => {
    await role({ allow_any_name: true, key_type: 'any' });
    expect(await outcome({ common_name: 'a.test' })).toContain('role key type "any" not allowed');
    const { body } = await issue({ common_name: 'a.test', key_type: 'ed25519' });
    expect(body.data.private_key_type).toBe('ed25519');
    await role({ allow_any_name: true });
    expect((await issue({ common_name: 'a.test', key_type: 'rsa' })).body.warnings).toEqual([
      'parameters key_type and key_bits ignored as role had specific values',
    ]);
  });

  test('templates of domains are filled in for the caller', async () => {
    await call('POST', 'sys/auth/userpass', { type: 'userpass' });
    await call('POST', 'auth/userpass/users/ann', { password: 'canary-pass-77', token_policies: 'p' });
    await call('PUT', 'sys/policies/acl/p', {
      policy: `path "${pki}/issue/*" { capabilities = ["update"] }`,
    });
    const login = await engine.call('POST', 'auth/userpass/login/ann', { password: 'canary-pass-77' }, '');
    await role({
      allowed_domains: '{{identity.entity.id}}.users.test',
      allowed_domains_template: true,
      allow_bare_domains: true,
    });
    const { client_token: token, entity_id: entity } = login.body.auth;
    const asked = (name: string, as: string) =>
      engine.call('POST', `${pki}/issue/r`, { common_name: name }, as);
    expect((await asked(`${entity}.users.test`, token)).status).toBe(200);
    expect((await asked('someone.users.test', token)).status).toBe(400);
    expect((await asked(`${entity}.users.test`, engine.root)).status).toBe(400);
  });
});

describe('signing as it is', () => {
  test('everything of the request but an authority is in the certificate', async () => {
    const { pki } = await withRoot({ key_type: 'rsa' });
    const dir = files({});
    const subject = ['-subj', '/O=Me/CN=x y z', '-addext', '1.2.3.4.5=ASN1:UTF8String:hello'];
    await openssl(
      'req -new -newkey rsa:2048 -nodes -keyout k -out c -addext subjectAltName=DNS:q.test -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyAgreement'
        .split(' ')
        .concat(subject),
      '',
      dir,
    );
    const csr = readFileSync(`${dir}/c`, 'utf8');
    const { body } = await call('POST', `${pki}/sign-verbatim`, { csr });
    expect(body.warnings).toEqual([
      'specified CSR contained a Basic Constraints extension that was ignored during issuance',
    ]);
    const shown = await text(body.data.certificate);
    expect(shown).toContain('Subject: O = Me, CN = x y z');
    expect(shown).toContain('DNS:q.test');
    expect(shown).toContain('1.2.3.4.5');
    expect(shown).toContain('Key Agreement');
    expect(shown).not.toContain('CA:TRUE');
    expect(body.data).not.toHaveProperty('private_key');
  });
});

test('passwords and keys do not reach the log', () => {
  const log = engine.logLines.join('\n');
  for (const canary of ['canary-pass-77', 'canary-pin', 'PRIVATE KEY']) expect(log).not.toContain(canary);
});
