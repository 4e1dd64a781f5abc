import { describe, expect, test } from 'vitest';
import { files, openssl } from '../../../api/support/openssl.ts';
import { TestPki } from './backend.ts';

const HOUR = 3_600_000;

async function list(
  pki: TestPki,
  path = 'crl/pem',
): Promise<{ serials: string[]; number: number; base: number }> {
  const { body } = await pki.call('read', path);
  const shown = await openssl(['crl', '-noout', '-text'], new TextDecoder().decode(body));
  return {
    serials: [...shown.matchAll(/Serial Number: ([0-9A-F]+)/g)].map(
      ([, serial = '']) => serial.toLowerCase().match(/../g)?.join(':') ?? '',
    ),
    number: Number(/CRL Number:[^0-9]*(\d+)/.exec(shown)?.[1]),
    base: Number(/Delta CRL Indicator: critical[^0-9]*(\d+)/.exec(shown)?.[1]),
  };
}

describe('lists of revoked certificates', () => {
  test('are made with each revocation, unless they are rebuilt by themselves before they end', async () => {
    const pki = await TestPki.withRoot();
    await pki.data('update', 'config/crl', {
      auto_rebuild: true,
      expiry: '72h',
      auto_rebuild_grace_period: '12h',
    });
    const before = await list(pki);
    const { serial_number: serial } = await pki.issue({ ttl: '200h' });
    await pki.data('update', 'revoke', { serial_number: serial });
    expect(await list(pki)).toEqual(before);
    pki.ahead = 61 * HOUR;
    const after = await list(pki);
    expect(after.serials).toEqual([serial]);
    expect(after.number).toBeGreaterThan(before.number);
  });

  test('a delta adds to the complete list what was revoked since', async () => {
    const pki = await TestPki.withRoot();
    await pki.data('update', 'config/crl', {
      auto_rebuild: true,
      enable_delta: true,
      delta_rebuild_interval: '15m',
    });
    const complete = await list(pki);
    const { serial_number: serial } = await pki.issue({ ttl: '200h' });
    await pki.data('update', 'revoke', { serial_number: serial });
    expect((await list(pki, 'crl/delta/pem')).serials).toEqual([]);
    pki.ahead = HOUR;
    const delta = await list(pki, 'crl/delta/pem');
    expect(delta).toMatchObject({ serials: [serial], base: complete.number });
    expect(delta.number).toBeGreaterThan(complete.number);
    const second = await pki.issue({ ttl: '200h' });
    await pki.data('update', 'revoke', { serial_number: second.serial_number });
    expect((await pki.call('read', 'crl/rotate-delta')).data).toEqual({ success: true });
    expect((await list(pki, 'issuer/default/crl/delta/pem')).serials.toSorted()).toEqual(
      [serial, second.serial_number].toSorted(),
    );
    await pki.data('read', 'crl/rotate');
    expect((await list(pki)).serials).toHaveLength(2);
    expect((await list(pki, 'crl/delta/pem')).serials).toEqual([]);
  });

  test('a disabled list is empty, and full again when it is enabled', async () => {
    const pki = await TestPki.withRoot();
    const { serial_number: serial } = await pki.issue();
    await pki.data('update', 'revoke', { serial_number: serial });
    await pki.data('update', 'config/crl', { disable: true });
    expect((await list(pki)).serials).toEqual([]);
    await pki.data('update', 'config/crl', { disable: false });
    expect((await list(pki)).serials).toEqual([serial]);
  });

  test('settings that contradict each other are refused', async () => {
    const pki = new TestPki();
    const refused = async (body: Parameters<TestPki['call']>[2]): Promise<string> =>
      (await pki.call('update', 'config/crl', body)).errors[0];
    expect(await refused({ expiry: 'x' })).toContain('given expiry could not be decoded');
    expect(await refused({ auto_rebuild: true, expiry: '1h' })).toContain(
      'must be strictly shorter than CRL expiry',
    );
    expect(await refused({ enable_delta: true })).toContain(
      'Delta CRLs cannot be enabled when auto rebuilding',
    );
    expect(await refused({ ocsp_expiry: '-1s' })).toContain('ocsp_expiry must be greater');
    expect((await pki.data('read', 'config/crl')).expiry).toBe('72h');
  });

  test('an issuer combines lists, and signs entries that are given', async () => {
    const pki = await TestPki.withRoot();
    const pems: string[] = [];
    for (let index = 0; index < 2; index += 1) {
      const { serial_number: serial } = await pki.issue();
      await pki.data('update', 'revoke', { serial_number: serial });
      pems.push(new TextDecoder().decode((await pki.call('read', 'crl/pem')).body));
    }
    const { crl } = await pki.data('update', 'issuer/default/resign-crls', { crls: pems, crl_number: 9 });
    expect(await openssl(['crl', '-noout', '-text'], crl)).toMatch(
      /CRL Number:[^0-9]*9\b[\s\S]*Serial[\s\S]*Serial/,
    );
    const signed = await pki.data('update', 'issuer/default/sign-revocation-list', {
      crl_number: 3,
      delta_crl_base_number: 2,
      next_update: '5m',
      revoked_certs: [
        {
          serial_number: '0a:0b',
          revocation_time: '2026-01-02T03:04:05Z',
          extensions: [{ id: '2.5.29.21', value: 'CgEB' }],
        },
      ],
      extensions: [{ id: '1.2.3', critical: false, value: 'BQA=' }],
    });
    const shown = await openssl(['crl', '-noout', '-text'], signed.crl);
    expect(shown).toMatch(/Delta CRL Indicator: critical[^0-9]*2\b/);
    expect(shown).toMatch(/Serial Number: 0A0B[\s\S]*Jan {2}2 03:04:05 2026[\s\S]*Key Compromise/);
    const refused = async (body: Parameters<TestPki['call']>[2]): Promise<string> =>
      (await pki.call('update', 'issuer/default/sign-revocation-list', body)).errors[0];
    expect(await refused({ extensions: [{ id: '2.5.29.20', value: '' }] })).toContain('is reserved');
    expect(await refused({ revoked_certs: [{ serial_number: 'zz' }] })).toContain(
      'failed parsing serial_number',
    );
    expect(await refused({ next_update: '0' })).toBe('next_update parameter must be greater than 0');
    const other = await TestPki.withRoot();
    const foreign = await other.call('update', 'issuer/default/resign-crls', { crls: pems });
    expect(foreign.errors).toEqual(['CRL index: 0 was not signed by requested issuer']);
  });
});

describe('a write that fails', () => {
  test('leaves no half revocation', async () => {
    const pki = await TestPki.withRoot();
    const { serial_number: serial } = await pki.issue();
    const before = new Map(pki.storage.entries);
    pki.storage.isBroken = true;
    await expect(pki.call('update', 'revoke', { serial_number: serial })).rejects.toThrow(
      'the medium is gone',
    );
    expect(pki.storage.entries).toEqual(before);
    pki.storage.isBroken = false;
    await pki.data('update', 'revoke', { serial_number: serial });
    expect((await list(pki)).serials).toEqual([serial]);
  });

  test('leaves no half authority, and one write makes a whole one', async () => {
    const pki = new TestPki();
    pki.storage.isBroken = true;
    const body = { common_name: 'Root', key_type: 'ec', issuer_name: 'one', key_name: 'one' };
    await expect(pki.call('update', 'root/generate/internal', body)).rejects.toThrow('the medium is gone');
    expect(pki.storage.entries.size).toBe(0);
    pki.storage.isBroken = false;
    const { writes } = pki.storage;
    await pki.data('update', 'root/generate/internal', body);
    expect(pki.storage.writes).toBe(writes + 1);
  });
});

describe('URLs', () => {
  test('are templates where that is enabled', async () => {
    const pki = await TestPki.withRoot();
    const urls = {
      issuing_certificates: '{{cluster_aia_path}}/issuer/{{issuer_id}}/der',
      enable_templating: true,
    };
    const warned = await pki.call('update', 'config/urls', urls);
    expect(warned.warnings[0]).toContain(
      'issuance may fail: unable to template AIA URLs as we lack local cluster',
    );
    const failed = await pki.call('update', 'issue/r', { common_name: 'a.test' });
    expect([failed.status, failed.errors[0]]).toEqual([
      500,
      expect.stringContaining('unable to fetch AIA URL'),
    ]);
    await pki.data('update', 'config/cluster', {
      path: 'https://a.test/v1/pki',
      aia_path: 'http://cdn.test/pki',
    });
    const { certificate } = await pki.issue();
    const { default: id } = await pki.data('read', 'config/issuers');
    const shown = await openssl(['x509', '-noout', '-text'], certificate);
    expect(shown).toContain(`CA Issuers - URI:http://cdn.test/pki/issuer/${id}/der`);
    const root = await pki.call('update', 'root/generate/internal', { common_name: 'Two', key_type: 'ec' });
    expect(root.warnings.join()).toContain('found global AIA configuration with issuer_id template');
  });

  test('must be URLs', async () => {
    const pki = new TestPki();
    const bad = await pki.call('update', 'config/urls', { ocsp_servers: 'http://ok.test,nowhere' });
    expect(bad.errors[0]).toContain('parameter ocsp_servers: nowhere');
    const cluster = await pki.call('update', 'config/cluster', { path: 'nowhere' });
    expect(cluster.errors[0]).toContain('invalid, non-URL path given to cluster: nowhere');
  });
});

test('a delta list verifies with openssl beside the complete one', async () => {
  const pki = await TestPki.withRoot();
  await pki.data('update', 'config/crl', { auto_rebuild: true, enable_delta: true });
  // Without the freshest CRL in the certificate openssl asks for no delta.
  await pki.data('update', 'config/urls', { delta_crl_distribution_points: 'http://x.test/delta' });
  const { serial_number: serial, certificate } = await pki.issue({ ttl: '200h' });
  const complete = new TextDecoder().decode((await pki.call('read', 'crl/pem')).body);
  await pki.data('update', 'revoke', { serial_number: serial });
  await pki.data('read', 'crl/rotate-delta');
  const delta = new TextDecoder().decode((await pki.call('read', 'crl/delta/pem')).body);
  const root = new TextDecoder().decode((await pki.call('read', 'ca/pem')).body);
  const dir = files({ root, leaf: certificate, lists: `${complete}\n${delta}\n` });
  const args = ['verify', '-crl_check', '-use_deltas', '-CAfile', 'root', '-CRLfile', 'lists', 'leaf'];
  await expect(openssl(args, '', dir)).rejects.toThrow(/certificate revoked/);
});
