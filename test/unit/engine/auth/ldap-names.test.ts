import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { comparable } from '../../../../src/engine/auth/ldap/authenticate.ts';
import { commonNameOf, escapeDnValue, sidText } from '../../../../src/engine/auth/ldap/names.ts';
import { checkTemplate, renderFilter } from '../../../../src/engine/auth/ldap/template.ts';

describe('distinguished names', () => {
  test.each([
    ['ann', 'ann'],
    ['Smith, J', 'Smith\\, J'],
    [' a ', '\\ a\\ '],
    ['a+b="c";<d>#\\', 'a\\+b\\=\\"c\\"\\;\\<d\\>\\#\\\\'],
    ['a\u0000b', 'a\\00b'],
  ])('%j is escaped as %j', (value, escaped) => {
    expect(escapeDnValue(value)).toBe(escaped);
  });

  test('whatever the value is, it stays the value of one attribute', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }).map((text) => text.trim()),
        (value) => {
          expect(commonNameOf(`cn=${escapeDnValue(value)},dc=x`, false)).toBe(value);
        },
      ),
    );
  });

  test.each([
    ['cn=Admins,ou=x', false, 'Admins'],
    ['CN=a\\,b,ou=x', true, 'a,b'],
    ['cn=a,ou=x', true, 'cn=a,ou=x'],
    ['cn=j\\c3\\bcrgen,ou=x', false, 'jürgen'],
    ['ou=only', false, 'ou=only'],
    ['plain', false, 'plain'],
  ])('the name in %j is %j', (dn, exact, name) => {
    expect(commonNameOf(dn, exact)).toBe(name);
  });

  test('a security identifier of Active Directory is read', () => {
    const bytes = Buffer.from('010500000000000515000000a065cf7e784b9b5fe77c8770091c0100', 'hex');
    expect(sidText(bytes)).toBe('S-1-5-21-2127521184-1604012920-1887927527-72713');
    expect(sidText(bytes.subarray(0, 20))).toBeUndefined();
    expect(sidText(new Uint8Array())).toBeUndefined();
  });

  test('spellings that directories take for one name are one', () => {
    expect(comparable('  ann \t b ')).toBe('ann b');
    expect(comparable('ann')).toBe('ann');
  });
});

describe('filters', () => {
  test('values are escaped, templates are checked', () => {
    const values = { Username: '*)(uid=*\\\u0000', UserAttr: 'uid' };
    expect(renderFilter('({{ .UserAttr }}={{.Username}})', values)).toBe(
      '(uid=\\2a\\29\\28uid=\\2a\\5c\\00)',
    );
    expect(
      checkTemplate('(&(a={{.Username}})(b={{- .UserAttr -}}))', ['Username', 'UserAttr']),
    ).toBeUndefined();
    for (const bad of ['{{.Other}}', '{{if .Username}}', '{{Username}}', '({{.Username)', '{{printf "x"}}'])
      expect(checkTemplate(bad, ['Username'])).toBeDefined();
  });
});
