import 'reflect-metadata';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AsnConvert } from '@peculiar/asn1-schema';
import {
  AccessDescription,
  AuthorityInfoAccessSyntax,
  GeneralName,
  GeneralSubtree,
  GeneralSubtrees,
  NameConstraints,
} from '@peculiar/asn1-x509';
import { Extension } from '@peculiar/x509';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { freePort } from '../support/cluster/controlplane.ts';
import { until } from '../support/cluster/command.ts';
import { createAuthority, issueCertificate } from '../support/cluster/certificates.ts';
import { TestEngine } from './support/engine.ts';
import { CLIENT_AUTH, issue, type Pair, revocationList, SERVER_AUTH, type Wanted } from './support/certs.ts';

const dir = mkdtempSync(join(tmpdir(), 'sealedvault-cert-'));
let engine: TestEngine;
let root: Pair;
let middle: Pair;
beforeAll(async () => {
  const server = issueCertificate(createAuthority('listener'), {
    commonName: 'vault',
    usage: 'server',
    addresses: ['127.0.0.1'],
  });
  writeFileSync(join(dir, 'cert'), server.certificate);
  writeFileSync(join(dir, 'key'), server.key);
  const tls = { tls_cert_file: join(dir, 'cert'), tls_key_file: join(dir, 'key'), address: '127.0.0.1:0' };
  engine = await TestEngine.initialized({
    listener: [
      { tcp: { address: '127.0.0.1:0', tls_disable: true } },
      { tcp: tls },
      { tcp: { ...tls, tls_disable_client_certs: true } },
    ],
  });
  await engine.call('POST', 'sys/auth/cert', { type: 'cert' });
  root = await issue({ subject: 'CN=Root', ca: true });
  middle = await issue({ subject: 'CN=Middle', ca: true, issuer: root, pathLength: 0 });
});
afterAll(async () => {
  await engine.stop();
  rmSync(dir, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly body: any;
}

/** A call over TLS with a certificate, and those that it was sent with. */
function call(
  pair: Pair | undefined,
  path = 'auth/cert/login',
  body: object = {},
  more: { chain?: string; token?: string; listener?: number } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      `https://${engine.addresses[more.listener ?? 1]}/v1/${path}`,
      {
        method: 'POST',
        agent: false,
        rejectUnauthorized: false,
        headers: { 'X-Vault-Token': more.token ?? '' },
        ...(pair === undefined ? {} : { cert: pair.cert + (more.chain ?? ''), key: pair.key }),
      },
      (message) => {
        let text = '';
        message.on('data', (chunk: Buffer) => {
          text += chunk.toString();
        });
        message.on('end', () =>
          resolve({ status: message.statusCode ?? 0, body: text === '' ? undefined : JSON.parse(text) }),
        );
      },
    );
    outgoing.once('error', reject);
    outgoing.end(JSON.stringify(body));
  });
}
const client = (wanted: Partial<Wanted> = {}) =>
  issue({ subject: 'CN=ann', issuer: root, usages: [CLIENT_AUTH], ...wanted });
const trust = (fields: object = {}, name = 'web') =>
  engine.call('POST', `auth/cert/certs/${name}`, {
    certificate: root.cert,
    token_policies: 'reader',
    ...fields,
  });
const outcome = async (pair: Pair, chain = ''): Promise<string | true> => {
  const answer = await call(pair, undefined, {}, { chain });
  return answer.status === 200 ? true : (answer.body.errors[0] as string);
};
const INVALID = 'invalid certificate or no client certificate supplied';
const NO_CHAIN = 'no chain matching all constraints could be found for this login certificate';

beforeEach(async () => {
  for (const kind of ['certs', 'crls']) {
    const names = (await engine.call('LIST', `auth/cert/${kind}`)).body?.data?.keys ?? [];
    for (const name of names) await engine.call('DELETE', `auth/cert/${kind}/${name}`);
  }
});

test('trusted certificates are written, read, changed and listed', async () => {
  expect((await trust({ certificate: 'x' })).body.errors).toEqual(['failed to parse certificate']);
  const server = await issue({ subject: 'CN=s', usages: [SERVER_AUTH] });
  expect((await trust({ certificate: server.cert })).body.errors).toEqual([
    'nonCA certificates should have TLS client authentication set as an extended key usage',
  ]);
  expect((await trust({ required_extensions: 'x' })).status).toBe(400);
  expect((await trust({ allowed_names: 'a,b', lease: '1h' }, 'Web')).status).toBe(204);
  expect((await trust({ token_max_ttl: '99999h' })).body.warnings[0]).toContain('Given max_ttl of');
  expect((await engine.call('GET', 'auth/cert/certs/web')).body.data).toMatchObject({
    allowed_common_names: null,
    allowed_names: ['a', 'b'],
    certificate: root.cert,
    display_name: 'web',
    ocsp_enabled: false,
    ocsp_fail_open: false,
    ocsp_query_all_servers: false,
    ocsp_this_update_max_age: 0,
    required_extensions: null,
    token_policies: ['reader'],
    token_ttl: 3600,
    ttl: 3600,
  });
  expect((await engine.call('LIST', 'auth/cert/certs')).body.data.keys).toEqual(['web']);
  expect((await engine.call('DELETE', 'auth/cert/certs/web')).status).toBe(204);
  expect((await engine.call('GET', 'auth/cert/certs/web')).status).toBe(404);
  expect((await engine.call('GET', 'auth/cert/config')).body.data).toEqual({
    disable_binding: false,
    enable_identity_alias_metadata: false,
    ocsp_cache_size: 100,
  });
  expect((await engine.call('POST', 'auth/cert/config', { ocsp_cache_size: 1 })).body.errors).toEqual([
    'invalid cache size, must be >= 2 and <= 100000',
  ]);
});

test('a client logs in with the certificate of its connection, and renews with the same', async () => {
  await trust({ token_ttl: '5m', allowed_metadata_extensions: '1.2.3.4,1.2.3.5' });
  await engine.call('POST', 'auth/cert/config', { enable_identity_alias_metadata: true });
  const extension = new Extension('1.2.3.4', false, Buffer.from([0x0c, 0x02, 0x68, 0x69]));
  const ann = await client({ serial: '0a0b', extensions: [extension] });
  const { auth } = (await call(ann)).body;
  expect(auth).toMatchObject({
    lease_duration: 300,
    metadata: {
      '1-2-3-4': 'hi',
      authority_key_id: expect.stringMatching(/^[0-9a-f]{2}(:[0-9a-f]{2}){19}$/),
      cert_name: 'web',
      common_name: 'ann',
      serial_number: '2571',
      subject_key_id: expect.stringMatching(/^[0-9a-f]{2}(:[0-9a-f]{2}){19}$/),
    },
    policies: ['default', 'reader'],
  });
  const self = await engine.call('GET', 'auth/token/lookup-self', undefined, auth.client_token);
  expect(self.body.data.display_name).toBe('cert-web');
  const entity = await engine.call('GET', `identity/entity/id/${auth.entity_id}`);
  expect(entity.body.data.aliases[0]).toMatchObject({ name: 'ann', metadata: { serial_number: '2571' } });

  const renew = (pair?: Pair) => call(pair, 'auth/token/renew-self', {}, { token: auth.client_token });
  expect((await renew(ann)).status).toBe(200);
  expect((await renew()).body.errors).toEqual(['client certificate must be supplied']);
  const other = await issue({ subject: 'CN=Other', ca: true });
  await trust({ certificate: root.cert + other.cert });
  const eve = await client({ issuer: other });
  for (const stranger of [eve, await client({ serial: '0a0c' }), await client({ serial: '0a0b' })])
    expect((await renew(stranger)).body.errors[0]).toContain('client identity during renewal not matching');
  await engine.call('POST', 'auth/cert/config', {
    disable_binding: true,
    enable_identity_alias_metadata: false,
  });
  expect((await renew()).status).toBe(200);
  await trust({ token_policies: 'admin' });
  expect((await renew(ann)).body.errors).toEqual(['policies have changed, not renewing']);
  await engine.call('DELETE', 'auth/cert/certs/web');
  expect((await renew(ann)).status).toBe(400);
  await engine.call('POST', 'auth/cert/config', { disable_binding: false });
});

test('without TLS, without a certificate, or where none is asked for, nobody logs in', async () => {
  await trust();
  expect((await engine.call('POST', 'auth/cert/login', {}, '')).body.errors).toEqual([
    'tls connection required',
  ]);
  const missing = ['client certificate must be supplied'];
  expect((await call(undefined)).body.errors).toEqual(missing);
  expect((await call(await client(), undefined, {}, { listener: 2 })).body.errors).toEqual(missing);
});

test('certificates that do not hold are refused', async () => {
  await trust();
  const other = await issue({ subject: 'CN=Root', ca: true });
  expect(await outcome(await client())).toBe(true);
  expect(await outcome(await client({ issuer: other }))).toBe(INVALID);
  expect(await outcome(await issue({ subject: 'CN=ann', usages: [CLIENT_AUTH] }))).toBe(INVALID);
  expect(await outcome(await client({ from: -3, until: -1 }))).toBe(INVALID);
  expect(await outcome(await client({ from: 1, until: 2 }))).toBe(INVALID);
  expect(await outcome(await client({ usages: [SERVER_AUTH] }))).toBe(INVALID);
  const unknown = new Extension('1.2.3.4', true, Buffer.from([0x05, 0x00]));
  expect(await outcome(await client({ extensions: [unknown] }))).toBe(INVALID);
  await trust({ token_bound_cidrs: '10.0.0.0/8' });
  expect((await call(await client())).status).toBe(403);
});

test('intermediate authorities are followed as far as they may sign', async () => {
  await trust();
  const leaf = await client({ issuer: middle });
  expect(await outcome(leaf)).toBe(INVALID);
  expect(await outcome(leaf, middle.cert)).toBe(true);
  const below = await issue({ subject: 'CN=Below', ca: true, issuer: middle });
  expect(await outcome(await client({ issuer: below }), below.cert + middle.cert)).toBe(INVALID);
  const plain = await client({ subject: 'CN=Plain', usages: [CLIENT_AUTH] });
  expect(await outcome(await client({ issuer: plain }), plain.cert)).toBe(INVALID);
  const server = await issue({ subject: 'CN=ServerOnly', ca: true, issuer: root, usages: [SERVER_AUTH] });
  expect(await outcome(await client({ issuer: server }), server.cert)).toBe(INVALID);
  const over = await issue({ subject: 'CN=Over', ca: true, issuer: root, from: -3, until: -1 });
  expect(await outcome(await client({ issuer: over }), over.cert)).toBe(INVALID);
  await trust({ certificate: middle.cert });
  expect(await outcome(leaf)).toBe(true);
  expect(await outcome(await client())).toBe(INVALID);
});

test('name constraints of an authority bind its clients', async () => {
  const subtree = (name: Partial<GeneralName>) =>
    new GeneralSubtrees([new GeneralSubtree({ base: new GeneralName(name) })]);
  const constrained = async (constraints: Partial<NameConstraints>) => {
    const der = Buffer.from(AsnConvert.serialize(new NameConstraints(constraints)));
    const ca = await issue({
      subject: 'CN=C',
      ca: true,
      extensions: [new Extension('2.5.29.30', true, der)],
    });
    await trust({ certificate: ca.cert });
    return (names: Wanted['names']) =>
      client({ issuer: ca, ...(names === undefined ? {} : { names }) }).then((pair) => outcome(pair));
  };
  const within = await constrained({ permittedSubtrees: subtree({ dNSName: 'a.example' }) });
  expect(await within([{ type: 'dns', value: 'x.a.example' }])).toBe(true);
  expect(await within([{ type: 'dns', value: 'a.example' }])).toBe(true);
  expect(await within([{ type: 'dns', value: 'b.example' }])).toBe(INVALID);
  expect(await within([{ type: 'dns', value: 'xa.example' }])).toBe(INVALID);
  const without = await constrained({ excludedSubtrees: subtree({ rfc822Name: 'evil.example' }) });
  expect(await without([{ type: 'email', value: 'a@b.example' }])).toBe(true);
  expect(await without([{ type: 'email', value: 'a@evil.example' }])).toBe(INVALID);
});

test('an entry allows by names, units and extensions; the first that does is taken', async () => {
  const value = Buffer.from([0x16, 0x03, 0x61, 0x62, 0x63]);
  const pair = await client({
    subject: 'CN=ann, OU=dev, OU=ops',
    names: [
      { type: 'dns', value: 'a.example' },
      { type: 'email', value: 'a@b.c' },
      { type: 'url', value: 'spiffe://x/y' },
    ],
    extensions: [new Extension('1.2.3.4', false, value)],
  });
  for (const [field, fits, other] of [
    ['allowed_names', 'x,a.*', 'b.*'],
    ['allowed_names', 'a@*', 'ann2'],
    ['allowed_common_names', 'a*n', 'a.example'],
    ['allowed_dns_sans', '*.example', 'ann'],
    ['allowed_email_sans', '*@b.c', 'a.example'],
    ['allowed_uri_sans', 'spiffe://x/*', 'spiffe://z/*'],
    ['allowed_organizational_units', 'ops', 'sales'],
    ['required_extensions', '1.2.3.4:ab*', '1.2.3.4:x*'],
    ['required_extensions', 'hex:1.2.3.4:1603*', 'hex:1.2.3.4:ff'],
    ['required_extensions', '1.2.3.4:abc', '1.2.3.4:abc,1.2.3.5:abc'],
  ] as const) {
    await trust({ [field]: fits });
    expect([field, fits, await outcome(pair)]).toEqual([field, fits, true]);
    await trust({ [field]: other });
    expect([field, other, await outcome(pair)]).toEqual([field, other, NO_CHAIN]);
    await engine.call('DELETE', 'auth/cert/certs/web');
  }
  await trust({ allowed_names: 'nobody' }, 'a');
  await trust({}, 'b');
  await trust({ certificate: pair.cert }, 'c');
  expect((await call(pair)).body.auth.metadata.cert_name).toBe('c');
  expect((await call(pair, undefined, { name: 'b' })).body.auth.metadata.cert_name).toBe('b');
  expect((await call(pair, undefined, { name: 'a' })).body.errors).toEqual([NO_CHAIN]);
  expect((await call(pair, undefined, { name: 'none' })).body.errors).toEqual([INVALID]);
});

test('lists of revoked certificates count, written or fetched', async () => {
  await trust();
  const [good, bad] = [await client(), await client()];
  const list = (fields: object) => engine.call('POST', 'auth/cert/crls/main', fields);
  expect((await list({ crl: 'x' })).body.errors[0]).toContain('failed to parse CRL');
  expect((await list({})).body.errors).toEqual(["one of 'crl' or 'url' must be provided"]);
  expect((await list({ crl: await revocationList(root, [bad]) })).status).toBe(204);
  expect(await outcome(good)).toBe(true);
  expect(await outcome(bad)).toBe(NO_CHAIN);
  const decimal = BigInt(`0x${bad.certificate.serialNumber}`).toString();
  expect((await engine.call('GET', 'auth/cert/crls/main')).body.data).toEqual({
    cdp: null,
    serials: { [decimal]: {} },
  });
  expect((await engine.call('LIST', 'auth/cert/crls')).body.data.keys).toEqual(['main']);
  await engine.call('DELETE', 'auth/cert/crls/main');
  expect((await engine.call('GET', 'auth/cert/crls/main')).body.errors).toEqual(['no such CRL main']);
  expect(await outcome(bad)).toBe(true);

  let published = await revocationList(root, [], -1);
  const http = createServer((_message, out) => void out.end(published)).listen(0, '127.0.0.1');
  await once(http, 'listening');
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/crl`;
  expect((await list({ url })).status).toBe(204);
  expect(await outcome(bad)).toBe(true);
  published = await revocationList(root, [bad]);
  await list({ url });
  expect(await outcome(bad)).toBe(NO_CHAIN);
  http.close();
  expect(await outcome(bad)).toBe(NO_CHAIN);
  expect((await list({ url })).status).toBe(400);
});

describe('OCSP', () => {
  let port: number;
  let responder: ReturnType<typeof spawn>;
  let good: Pair;
  let bad: Pair;
  beforeAll(async () => {
    port = await freePort();
    const access = new AccessDescription({
      accessMethod: '1.3.6.1.5.5.7.48.1',
      accessLocation: new GeneralName({ uniformResourceIdentifier: `http://127.0.0.1:${port}` }),
    });
    const aia = new Extension(
      '1.3.6.1.5.5.7.1.1',
      false,
      Buffer.from(AsnConvert.serialize(new AuthorityInfoAccessSyntax([access]))),
    );
    good = await client({ extensions: [aia] });
    bad = await client({ extensions: [aia] });
    const signer = await issue({ subject: 'CN=OCSP', issuer: root, usages: ['1.3.6.1.5.5.7.3.9'] });
    const line = (pair: Pair, state: string) =>
      `${state}\t360101000000Z\t${state === 'R' ? '250101000000Z' : ''}\t${pair.certificate.serialNumber.toUpperCase()}\tunknown\t/CN=ann\n`;
    writeFileSync(join(dir, 'index'), line(good, 'V') + line(bad, 'R'));
    for (const [name, text] of [
      ['ca.pem', root.cert],
      ['signer.pem', signer.cert],
      ['signer.key', signer.key],
    ] as const)
      writeFileSync(join(dir, name), text);
    responder = spawn(
      'openssl',
      `ocsp -index index -port ${port} -CA ca.pem -rsigner signer.pem -rkey signer.key -nmin 10`.split(' '),
      { cwd: dir, stdio: 'ignore' },
    );
    const ask = `ocsp -CAfile ca.pem -issuer ca.pem -serial 1 -url http://127.0.0.1:${port}`.split(' ');
    await until('the responder answers', 20_000, async () => {
      execFileSync('openssl', ask, { cwd: dir, stdio: 'pipe' });
      return true;
    });
  });
  afterAll(() => void responder.kill());

  test('a responder’s word counts; where none answers, the entry says what then', async () => {
    await trust({ ocsp_enabled: true, ocsp_this_update_max_age: '1h' });
    expect(await outcome(good)).toBe(true);
    expect(await outcome(bad)).toContain('the certificate has been revoked');
    const unlisted = await client();
    expect(await outcome(unlisted)).toContain('names no OCSP server');
    await trust({ ocsp_servers_override: `http://127.0.0.1:${port}` });
    expect(await outcome(unlisted)).toContain('does not know the certificate');
    await trust({ ocsp_servers_override: 'http://127.0.0.1:1', ocsp_fail_open: true });
    expect(await outcome(bad)).toBe(true);
    await trust({
      ocsp_servers_override: `http://127.0.0.1:1,http://127.0.0.1:${port}`,
      ocsp_query_all_servers: true,
    });
    expect(await outcome(bad)).toContain('the certificate has been revoked');
    expect(await outcome(good)).toBe(true);
  });

  test('an answer that another authority signed is not believed', async () => {
    const other = await issue({ subject: 'CN=Root', ca: true });
    await trust({
      certificate: other.cert,
      ocsp_enabled: true,
      ocsp_servers_override: `http://127.0.0.1:${port}`,
    });
    expect(await outcome(await client({ issuer: other }))).not.toBe(true);
    expect(engine.logLines.join('')).not.toContain('PRIVATE KEY');
  });
});
