import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  generatePassword,
  parsePasswordPolicy,
  PasswordPolicyInvalid,
} from '../../../../src/engine/sys/password-policy.ts';

describe('password policies', () => {
  test('yield passwords that meet every rule, of characters that are equally likely', () => {
    const policy = parsePasswordPolicy(`length = 20
      rule "charset" { charset = "abc" min-chars = 2 }
      rule "charset" { charset = "ABC" min-chars = 1 }
      rule "charset" { charset = "é" }`);
    if (policy instanceof PasswordPolicyInvalid) throw new Error(policy.message);
    const counts = new Map<string, number>();
    for (let round = 0; round < 2000; round += 1) {
      const password = generatePassword(policy, randomBytes) ?? '';
      expect(Array.from(password)).toHaveLength(20);
      expect(password).toMatch(/^[abcABCé]{20}$/u);
      expect(password.match(/[abc]/g)?.length).toBeGreaterThanOrEqual(2);
      expect(password).toMatch(/[ABC]/);
      for (const each of password) counts.set(each, (counts.get(each) ?? 0) + 1);
    }
    // 40,000 draws of 7 characters: a fair one is within 5 % of its share all but never outside.
    for (const count of counts.values()) expect(Math.abs(count / (40_000 / 7) - 1)).toBeLessThan(0.08);
  });

  test('that are nearly impossible give up instead of running for ever', () => {
    const rare = parsePasswordPolicy(`length = 8
      rule "charset" { charset = "a" min-chars = 8 }
      rule "charset" { charset = "bcdefghijklmnopqrstuvwxyz" }`);
    if (rare instanceof PasswordPolicyInvalid) throw new Error(rare.message);
    expect(generatePassword(rare, randomBytes)).toBeUndefined();
  });

  test.each([
    ['rule "charset" { charset = "abc" }', 'length must be > 0'],
    ['length = 20', 'no charset specified'],
    ['length = 3\nrule "charset" { charset = "abc" }', 'length must be at least 4'],
    ['length = 5\nrule "charset" { charset = "abc" min-chars = 6 }', 'at least 6 characters'],
    ['length = 20\nrule "charset" { charset = "" }', 'charset cannot be empty'],
    ['length = 20\nrule "dice" { }', 'unrecognized rule type dice'],
    ['length = 20\ncolour = "red"', 'unrecognized configuration: colour'],
    ['length = ', 'At 1:'],
    ['length = 2000\nrule "charset" { charset = "abc" }', 'length must not be more than 1000'],
  ])('%j is refused', (text, message) => {
    const parsed = parsePasswordPolicy(text);
    expect(parsed).toBeInstanceOf(PasswordPolicyInvalid);
    expect(parsed instanceof PasswordPolicyInvalid ? parsed.message : '').toContain(message);
  });
});
