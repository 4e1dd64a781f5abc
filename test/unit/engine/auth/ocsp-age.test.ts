import 'reflect-metadata';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parsePem } from '../../../../src/engine/auth/cert/certificate.ts';
import { readResponse } from '../../../../src/engine/auth/cert/ocsp-message.ts';
import { issue } from '../../../api/support/certs.ts';

test('an answer of OCSP that names no end is believed for a day, and none for longer than is set', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sealedvault-ocsp-'));
  try {
    const root = await issue({ subject: 'CN=Root', ca: true });
    const good = await issue({ subject: 'CN=ann', issuer: root });
    const signer = await issue({ subject: 'CN=OCSP', issuer: root, usages: ['1.3.6.1.5.5.7.3.9'] });
    const serial = good.certificate.serialNumber.toUpperCase();
    for (const [name, content] of [
      ['index', `V\t360101000000Z\t\t${serial}\tunknown\t/CN=ann\n`],
      ['ca.pem', root.cert],
      ['signer.pem', signer.cert],
      ['signer.key', signer.key],
    ] as const)
      writeFileSync(join(dir, name), content);
    const openssl = (...args: string[]): void =>
      void execFileSync('openssl', ['ocsp', ...args], { cwd: dir, stdio: 'pipe' });
    const respond = (...more: string[]): Uint8Array => {
      openssl('-issuer', 'ca.pem', '-serial', `0x${serial}`, '-no_nonce', '-reqout', 'req');
      const by = '-index index -CA ca.pem -rsigner signer.pem -rkey signer.key -reqin req -respout resp';
      openssl(...by.split(' '), ...more);
      return readFileSync(join(dir, 'resp'));
    };
    const [subject] = parsePem(good.cert);
    const authorities = parsePem(root.cert);
    const [issuer] = authorities;
    if (subject === undefined || issuer === undefined) throw new Error('no certificates');
    const after = (response: Uint8Array, hours: number, maxAge: number): object =>
      readResponse(response, subject, issuer, authorities, Date.now() + hours * 3_600_000, maxAge);
    const endless = respond();
    expect(after(endless, 20, 0)).toMatchObject({ status: 'good' });
    expect(after(endless, 25, 0)).toHaveProperty('failed');
    expect(after(endless, 2, 3600)).toHaveProperty('failed');
    const week = respond('-ndays', '7');
    expect(after(week, 20, 0)).toMatchObject({ status: 'good' });
    expect(after(week, 20, 3600)).toHaveProperty('failed');
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
