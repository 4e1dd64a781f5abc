import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isAllowedName, type NameRules } from '../../../../src/engine/secrets/pki/allowed-names.ts';
import { matchesGlob } from '../../../../src/lib/glob.ts';
import { isHostName, toAscii } from '../../../../src/engine/secrets/pki/host-name.ts';
import { readPem, toPem } from '../../../../src/engine/secrets/pki/pem.ts';
import { serialContent, showSerial } from '../../../../src/engine/secrets/pki/serial.ts';

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?$/);
const domain = fc.array(label, { minLength: 2, maxLength: 4 }).map((labels) => labels.join('.'));
const rules = (more: Partial<NameRules>): NameRules => ({
  allow_localhost: false,
  allow_bare_domains: false,
  allow_subdomains: false,
  allow_glob_domains: false,
  allow_wildcard_certificates: true,
  allow_any_name: false,
  enforce_hostnames: true,
  allowed_domains: [],
  cn_validations: ['email', 'hostname'],
  ...more,
});

describe('names', () => {
  test('with subdomains allowed exactly the names below a domain are', () => {
    fc.assert(
      fc.property(domain, domain, label, (allowed, other, below) => {
        const role = rules({ allowed_domains: [allowed], allow_subdomains: true });
        expect(isAllowedName(role, `${below}.${allowed}`)).toBe(true);
        expect(isAllowedName(role, `*.${allowed}`)).toBe(true);
        expect(isAllowedName(role, allowed)).toBe(false);
        expect(isAllowedName(role, `${below}${allowed}`)).toBe(false);
        expect(isAllowedName(role, other)).toBe(other.endsWith(`.${allowed}`));
        expect(isAllowedName(role, `me@${below}.${allowed}`)).toBe(true);
        expect(isAllowedName(role, `me@you@${below}.${allowed}`)).toBe(false);
      }),
    );
  });

  test('without a rule nothing is allowed, whatever the name', () => {
    fc.assert(
      fc.property(fc.string(), (name) => {
        expect(isAllowedName(rules({}), name)).toBe(false);
      }),
    );
  });

  test('a wildcard that is forbidden is forbidden under every other rule', () => {
    const role = rules({
      allow_wildcard_certificates: false,
      allow_any_name: true,
      enforce_hostnames: false,
    });
    fc.assert(
      fc.property(domain, (name) => {
        expect(isAllowedName(role, `*.${name}`)).toBe(false);
      }),
    );
  });

  test('a wildcard is one, and in the first label', () => {
    const role = rules({ allow_any_name: true });
    for (const good of ['*.a.test', 'b*z.a.test', '*b.a.test', 'b*.a.test'])
      expect(isAllowedName(role, good)).toBe(true);
    for (const bad of ['*.*.test', 'a.*.test', '**.test', '-*.a.test', 'a@*.test'])
      expect(isAllowedName(role, bad)).toBe(false);
  });

  test('other scripts are made ASCII, labels have their limits', () => {
    expect(toAscii('bücher.test')).toBe('xn--bcher-kva.test');
    expect(toAscii(`${'a'.repeat(64)}.test`)).toMatchObject({
      message: expect.stringContaining('invalid label'),
    });
    expect(toAscii('a..test')).toMatchObject({ message: 'idna: invalid label ""' });
    expect(['a.test', 'a.test.', '*.a.test', '1.2'].every(isHostName)).toBe(true);
    expect(['a_b.test', '-a.test', 'a-.test', '', 'a b'].some(isHostName)).toBe(false);
  });
});

describe('globs', () => {
  test('fit exactly as the regular expression does', () => {
    const piece = fc.stringMatching(/^[ab.*]{0,8}$/);
    fc.assert(
      fc.property(piece, fc.stringMatching(/^[ab.]{0,10}$/), (pattern, text) => {
        const parts = pattern.split('*').map((part) => part.replaceAll('.', '\\.'));
        expect(matchesGlob(pattern, text)).toBe(new RegExp(`^${parts.join('.*')}$`).test(text));
      }),
    );
  });
});

describe('PEM and serial numbers', () => {
  test('are read back as they were written', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 1 }), { minLength: 1, maxLength: 3 }), (blocks) => {
        const text = blocks.map((der) => `comment\n${toPem('CERTIFICATE', der)}`).join('');
        expect(readPem(text)?.map(({ der }) => [...der])).toEqual(blocks.map((der) => [...der]));
        expect(readPem(`${text}trailing`)).toBeUndefined();
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 20 }), (bytes) => {
        const shown = showSerial(bytes);
        expect(showSerial(serialContent(shown) ?? new Uint8Array(0))).toBe(shown);
        expect((serialContent(shown)?.[0] ?? 0) < 0x80).toBe(true);
      }),
    );
  });
});
