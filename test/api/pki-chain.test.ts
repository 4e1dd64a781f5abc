import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { get } from 'node:https';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';
import { files, openssl } from './support/openssl.ts';

// What cert-manager and its users do: a root, an intermediate below it, a role, requests that are signed.
let engine: TestEngine;
let dir: string;
let root: string;
let intermediate: string;
let serial: string;

const call = (method: string, path: string, body?: object) => engine.call(method, path, body);
const post = async (path: string, body: object): Promise<any> => {
  const answer = await call('POST', path, body);
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  return answer.body?.data;
};

beforeAll(async () => {
  engine = await TestEngine.initialized();
  for (const name of ['root', 'int'])
    await call('POST', `sys/mounts/${name}`, { type: 'pki', config: { max_lease_ttl: '87600h' } });
  root = (await post('root/root/generate/internal', { common_name: 'Root', ttl: '87600h' })).certificate;
  const { csr } = await post('int/intermediate/generate/internal', {
    common_name: 'Intermediate',
    key_type: 'ec',
    organization: 'SealedVault',
  });
  const signed = await post('root/root/sign-intermediate', { csr, ttl: '43800h', max_path_length: 0 });
  intermediate = signed.certificate;
  expect(signed.ca_chain).toEqual([intermediate, root]);
  const set = await post('int/intermediate/set-signed', { certificate: `${intermediate}\n${root}` });
  expect(set.imported_issuers).toHaveLength(2);
  expect(Object.values(set.mapping).filter((key) => key !== '')).toHaveLength(1);
  await post('int/config/urls', {
    issuing_certificates: `${engine.address}/v1/int/ca`,
    crl_distribution_points: `${engine.address}/v1/int/crl`,
    ocsp_servers: `${engine.address}/v1/int/ocsp`,
  });
  await post('int/roles/workload', {
    allowed_domains: 'svc.test',
    allow_subdomains: true,
    allowed_uri_sans: 'spiffe://cluster.test/*',
    key_type: 'any',
    max_ttl: '72h',
    require_cn: false,
  });
  dir = files({ 'root.pem': root, 'int.pem': intermediate });
});
afterAll(() => engine.stop());

/** A request of openssl with a key of its own: leaf.key, leaf.csr. */
async function makeCsr(name: string, subject: string, names = ''): Promise<string> {
  const extensions = names === '' ? [] : ['-addext', `subjectAltName=${names}`];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`];
  await openssl(['req', '-new', '-subj', subject, ...key, ...extensions, '-out', `${name}.csr`], '', dir);
  return readFileSync(join(dir, `${name}.csr`), 'utf8');
}

const verify = (name: string, ...more: string[]): Promise<string> =>
  openssl(['verify', '-CAfile', 'root.pem', '-untrusted', 'int.pem', ...more, name], '', dir);

describe('the way of a workload certificate', () => {
  test('the intermediate is below the root, and may have no authority below it', async () => {
    expect(await verify('int.pem')).toContain('OK');
    const shown = await openssl(['x509', '-noout', '-text'], intermediate);
    expect(shown).toContain('CA:TRUE, pathlen:0');
    expect(shown).toContain('Certificate Sign, CRL Sign');
  });

  test('a request is signed with its names, as cert-manager sends it', async () => {
    const csr = await makeCsr('leaf', '/CN=a.svc.test', 'DNS:a.svc.test,URI:spiffe://cluster.test/ns/a');
    const data = await post('int/sign/workload', {
      csr,
      common_name: 'a.svc.test',
      alt_names: 'a.svc.test',
      uri_sans: 'spiffe://cluster.test/ns/a',
      exclude_cn_from_sans: 'true',
      ttl: '24h0m0s',
    });
    expect(data.ca_chain).toEqual([intermediate, root]);
    expect(data.issuing_ca).toBe(intermediate);
    expect(data.expiration - Math.floor(Date.now() / 1000)).toBeGreaterThan(86_000);
    writeFileSync(join(dir, 'leaf.pem'), data.certificate);
    serial = data.serial_number;
    expect(await verify('leaf.pem', '-x509_strict', '-purpose', 'sslserver')).toContain('OK');
    const shown = await openssl(['x509', '-noout', '-text'], data.certificate);
    expect(shown).toContain('DNS:a.svc.test, URI:spiffe://cluster.test/ns/a');
    expect(shown).toContain(`CA Issuers - URI:${engine.address}/v1/int/ca`);
    expect(shown).toContain(`OCSP - URI:${engine.address}/v1/int/ocsp`);
    expect(shown).toContain(`URI:${engine.address}/v1/int/crl`);
  });

  test('names of a request that the role does not allow are refused', async () => {
    const refused = async (subject: string, names: string) => {
      const csr = await makeCsr('bad', subject, names);
      const { status, body } = await call('POST', 'int/sign/workload', { csr });
      return [status, body.errors[0]];
    };
    expect(await refused('/CN=a.other', '')).toEqual([400, 'common name a.other not allowed by this role']);
    expect(await refused('/CN=a.svc.test', 'DNS:b.other')).toEqual([
      400,
      'subject alternate name b.other not allowed by this role',
    ]);
    expect(await refused('/CN=a.svc.test', 'URI:spiffe://elsewhere/a')).toEqual([
      400,
      'URI Subject Alternative Names were provided via CSR which are not valid for this role',
    ]);
    expect(await refused('/CN=a.svc.test', 'email:a@b.other')).toEqual([
      400,
      'email address a@b.other not allowed by this role',
    ]);
  });

  test('a request that its key did not sign is refused', async () => {
    const csr = await makeCsr('forged', '/CN=a.svc.test');
    const der = Buffer.from(csr.replace(/-----[^-]+-----|\s/g, ''), 'base64');
    der.writeUInt8(der.readUInt8(der.length - 1) ^ 1, der.length - 1);
    const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----`;
    const { status, body } = await call('POST', 'int/sign/workload', { csr: pem });
    expect([status, body.errors[0]]).toEqual([400, 'request signature invalid']);
  });

  test('a TLS server with an issued certificate is trusted by Node and by openssl', async () => {
    const data = await post('int/issue/workload', {
      common_name: 'tls.svc.test',
      key_type: 'ec',
      ip_sans: '127.0.0.1',
    });
    const server: Server = createServer(
      { cert: [data.certificate, data.issuing_ca].join('\n'), key: data.private_key },
      (_request, response) => response.end('served'),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const answered = await new Promise<string>((resolve, reject) => {
      get({ host: '127.0.0.1', port, ca: root, servername: 'tls.svc.test' }, (response) => {
        response.setEncoding('utf8').on('data', resolve);
      }).once('error', reject);
    });
    expect(answered).toBe('served');
    const peer = await openssl(
      [
        's_client',
        '-connect',
        `127.0.0.1:${port}`,
        '-CAfile',
        'root.pem',
        '-verify_return_error',
        '-verify_ip',
        '127.0.0.1',
      ],
      '',
      dir,
    );
    expect(peer).toContain('Verification: OK');
    server.close();
    server.closeAllConnections();
  });
});

describe('revocation', () => {
  const crl = async (): Promise<void> => {
    const answer = await fetch(`${engine.address}/v1/int/crl/pem`);
    writeFileSync(join(dir, 'crl.pem'), await answer.text());
  };
  const ocsp = (...more: string[]): Promise<string> =>
    openssl(
      'ocsp -sha256 -issuer int.pem -cert leaf.pem -CAfile root.pem -verify_other int.pem'
        .split(' ')
        .concat('-url', `${engine.address}/v1/int/ocsp`, more),
      '',
      dir,
    );

  test('before it the list and the responder know nothing against a certificate', async () => {
    await crl();
    expect(await verify('leaf.pem', '-crl_check', '-CRLfile', 'crl.pem')).toContain('OK');
    expect(await ocsp()).toMatch(/Response verify OK[\s\S]*leaf\.pem: good/);
  });

  test('after it openssl refuses the certificate by list and by OCSP', async () => {
    const revoked = await post('int/revoke', { serial_number: serial });
    expect(revoked.state).toBe('revoked');
    expect(await post('int/revoke', { serial_number: serial.replaceAll(':', '-').toUpperCase() })).toEqual(
      revoked,
    );
    await crl();
    expect(await openssl(['crl', '-in', 'crl.pem', '-CAfile', 'int.pem', '-noout'], '', dir)).toContain(
      'verify OK',
    );
    await expect(verify('leaf.pem', '-crl_check', '-CRLfile', 'crl.pem')).rejects.toThrow(/revoked/);
    expect(await ocsp()).toMatch(/Response verify OK[\s\S]*leaf\.pem: revoked/);
    expect(await ocsp('-no_nonce')).toContain('leaf.pem: revoked');
    const { body } = await call('GET', `int/cert/${serial}`);
    expect(body.data.revocation_time).toBe(revoked.revocation_time);
    expect((await call('LIST', 'int/certs/revoked')).body.data.keys).toEqual([serial]);
  });

  test('OCSP is answered to GET, too, and says what is wrong with a request', async () => {
    await openssl(
      ['ocsp', '-issuer', 'int.pem', '-cert', 'leaf.pem', '-no_nonce', '-reqout', 'request.der'],
      '',
      dir,
    );
    const request = readFileSync(join(dir, 'request.der'));
    const url = `${engine.address}/v1/int/ocsp/${encodeURIComponent(request.toString('base64'))}`;
    const answer = await fetch(url);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/ocsp-response']);
    writeFileSync(join(dir, 'response.der'), Buffer.from(await answer.arrayBuffer()));
    const shown = await openssl(['ocsp', '-respin', 'response.der', '-noverify', '-text'], '', dir);
    expect(shown).toContain('Cert Status: revoked');
    expect(shown).toContain('Next Update');

    const bad = await fetch(`${engine.address}/v1/int/ocsp`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/ocsp-request' },
      body: 'not DER',
    });
    expect([bad.status, bad.headers.get('content-type')]).toEqual([400, 'application/ocsp-response']);
    expect(Buffer.from(await bad.arrayBuffer()).toString('hex')).toBe('30030a0101');
    await post('int/config/crl', { ocsp_disable: true });
    expect((await fetch(url)).status).toBe(401);
    await post('int/config/crl', { ocsp_disable: false });
  });

  test('a question for an issuer that is not here is answered as unknown', async () => {
    const other = await openssl(
      [
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-subj',
        '/CN=Other',
        '-keyout',
        'o.key',
        '-out',
        'o.pem',
      ],
      '',
      dir,
    );
    expect(other).not.toContain('rror');
    const told = await openssl(
      ['ocsp', '-issuer', 'o.pem', '-serial', '1', '-url', `${engine.address}/v1/int/ocsp`, '-noverify'],
      '',
      dir,
    );
    expect(told).toContain('1: unknown');
  });

  test('who has the key revokes with it, and with no other', async () => {
    const { certificate, private_key: key } = await post('int/issue/workload', {
      common_name: 'k.svc.test',
      key_type: 'ec',
    });
    const other = await post('int/issue/workload', { common_name: 'o.svc.test', key_type: 'ec' });
    const wrong = await call('POST', 'int/revoke-with-key', { certificate, private_key: other.private_key });
    expect(wrong.body.errors[0]).toContain("provided private key does not match certificate's public key");
    expect((await call('POST', 'int/revoke-with-key', { certificate })).body.errors).toEqual([
      'Must have private key to revoke via the /revoke-with-key path.',
    ]);
    expect((await post('int/revoke-with-key', { certificate, private_key: key })).state).toBe('revoked');
  });

  test('a certificate that is not kept is revoked by itself, one of a stranger is not', async () => {
    await post('int/roles/fleeting', { allow_any_name: true, key_type: 'ec', no_store: true });
    const { certificate, serial_number: number } = await post('int/issue/fleeting', {
      common_name: 'f.test',
    });
    expect((await call('GET', `int/cert/${number}`)).status).toBe(404);
    expect((await post('int/revoke', { certificate })).state).toBe('revoked');
    expect((await call('GET', `int/cert/${number}`)).body.data.revocation_time).toBeGreaterThan(0);
    const stranger = await call('POST', 'int/revoke', {
      certificate: readFileSync(join(dir, 'o.pem'), 'utf8'),
    });
    expect([stranger.status, stranger.body.errors[0]]).toEqual([
      500,
      expect.stringContaining('unable to verify signature on presented cert from any present issuer'),
    ]);
  });

  test('many revocations at once are all on the list, whose numbers only grow', async () => {
    const number = async (): Promise<number> => {
      await crl();
      const shown = await openssl(['crl', '-in', 'crl.pem', '-noout', '-crlnumber'], '', dir);
      return Number.parseInt(/crlNumber=0x([0-9A-F]+)/.exec(shown)?.[1] ?? '', 16);
    };
    const before = await number();
    const issued = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        post('int/issue/workload', { common_name: `n${index}.svc.test`, key_type: 'ec' }),
      ),
    );
    const serials = issued.map((data) => data.serial_number);
    expect(new Set(serials).size).toBe(12);
    await Promise.all(serials.map((one) => post('int/revoke', { serial_number: one })));
    expect(await number()).toBeGreaterThanOrEqual(before + 12);
    const listed = await openssl(['crl', '-in', 'crl.pem', '-noout', '-text'], '', dir);
    for (const one of serials) expect(listed).toContain(one.replaceAll(':', '').toUpperCase());
    const { keys } = (await call('LIST', 'int/certs')).body.data;
    expect(keys).toEqual(expect.arrayContaining(serials));
  });

  test('everything is there after a restart', async () => {
    const before = await fetch(`${engine.address}/v1/int/crl`).then((answer) => answer.arrayBuffer());
    await engine.restart();
    const after = await fetch(`${engine.address}/v1/int/crl`).then((answer) => answer.arrayBuffer());
    expect(Buffer.from(after)).toEqual(Buffer.from(before));
    expect(
      (await post('int/issue/workload', { common_name: 'r.svc.test', key_type: 'ec' })).ca_chain,
    ).toEqual([intermediate, root]);
  });
});

test('a HEAD request has the headers of a list, audit has the request and nothing of the bytes', async () => {
  const file = join(engine.dir, 'audit.log');
  await post('sys/audit/file', { type: 'file', options: { file_path: file } });
  const head = await fetch(`${engine.address}/v1/int/crl`, { method: 'HEAD' });
  const body = await fetch(`${engine.address}/v1/int/crl`).then((answer) => answer.arrayBuffer());
  expect(head.headers.get('content-type')).toBe('application/pkix-crl');
  expect(head.headers.get('content-length')).toBe(String(body.byteLength));
  expect(await head.text()).toBe('');
  await fetch(`${engine.address}/v1/int/ocsp`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/ocsp-request' },
    body: 'canary-ocsp-31',
  });
  const { private_key: key } = await post('int/issue/workload', {
    common_name: 'u.svc.test',
    key_type: 'ec',
  });
  await call('DELETE', 'sys/audit/file');
  const entries = readFileSync(file, 'utf8');
  expect(entries).toContain('"path":"int/ocsp"');
  expect(entries).not.toContain(Buffer.from('canary-ocsp-31').toString('base64'));
  expect(entries).not.toContain(key.split('\n')[1]);
});

test('no private key reaches the log', async () => {
  const { private_key: key } = await post('int/issue/workload', {
    common_name: 'l.svc.test',
    key_type: 'ec',
  });
  const body = key.split('\n').slice(1, -1).join('');
  expect(engine.logLines.join('\n')).not.toContain(body.slice(0, 40));
  expect(engine.logLines.join('\n')).not.toContain('PRIVATE KEY');
});
