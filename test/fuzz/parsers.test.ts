import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseEngineConfig } from '../../src/engine/config.ts';
import { compileAcl, parsePolicy } from '../../src/engine/policy/policy.ts';
import { HclSyntaxError } from '../../src/lib/hcl/tree.ts';
import { parseHcl } from '../../src/lib/hcl/hcl.ts';
import { errorCode } from '../../src/lib/errors.ts';
import { fuzz } from './fuzz.ts';

const piece = fc.oneof(
  fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    '=',
    ',',
    '"',
    '\\',
    '\n',
    '#',
    '//',
    '/*',
    '*/',
    '<<EOF\n',
    'EOF\n',
    '<<-X\n',
    '${',
    'path',
    'capabilities',
    'listener "tcp"',
    'storage',
    'seal',
    'true',
    'null',
    '0x1F',
    '1e5',
    '-',
    '"secret/+/a*"',
    '["read","sudo"]',
    'allowed_parameters',
    'min_wrapping_ttl',
    '{{identity.entity.id}}',
    '__proto__',
  ),
  fc.string({ unit: 'binary', maxLength: 6 }),
);
const text = fc.oneof(
  fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join(' ')),
  fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join('')),
  fc.json(),
  fc.nat(5000).map((depth) => `a = ${'['.repeat(depth)}`),
  fc.nat(5000).map((depth) => '{"a":'.repeat(depth)),
);

test('whatever a text holds, the HCL parser ends with a tree, or with a position and no quotation', async () => {
  await fuzz(text, (source) => {
    try {
      parseHcl(source);
    } catch (error) {
      expect(error).toBeInstanceOf(HclSyntaxError);
      expect((error as Error).message).toMatch(/^At \d+:\d+: /);
    }
  });
});

test('a policy is understood or refused; what is understood can be compiled and asked', async () => {
  await fuzz(fc.tuple(text, fc.string({ unit: 'binary', maxLength: 20 })), ([source, path]) => {
    let policy;
    try {
      policy = parsePolicy(source);
    } catch (error) {
      expect(['PolicySyntaxError', 'HclSyntaxError']).toContain((error as Error).constructor.name);
      return;
    }
    const acl = compileAcl([policy]);
    acl.allow({ operation: 'read', path });
    expect(acl.capabilities(path).length).toBeGreaterThan(0);
    acl.describe();
  });
});

test('a configuration is understood or refused with a code', async () => {
  await fuzz(text, (source) => {
    try {
      parseEngineConfig(source, {});
    } catch (error) {
      expect(['ERR_CONFIG_INVALID', 'ERR_HCL_SYNTAX']).toContain(errorCode(error));
    }
  });
});
