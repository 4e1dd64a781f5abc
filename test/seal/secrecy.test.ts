import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parsePkcs11Config } from '../../src/engine/seal/pkcs11/config.ts';
import { createPkcs11Seal } from '../../src/engine/seal/pkcs11/pkcs11.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createLogger } from '../../src/lib/log.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { Secret } from '../../src/lib/secret.ts';
import { CONTEXT, children, makeToken, SIGNAL, SOFTHSM } from './support.ts';

const PIN = 'canary "PIN" 7f3a';
const WRONG = 'canary wrong PIN 91c2';
const KEY = 'canary-root-key-0123456789abcdef';
const canaries = [
  'canary',
  ...[PIN, WRONG, KEY].flatMap((text) =>
    ['base64', 'hex'].map((e) =>
      Buffer.from(text)
        .toString(e as 'hex')
        .slice(0, 12),
    ),
  ),
];

describe('PIN and root key', () => {
  test.each([PIN, WRONG])('stand in no log, error, argument list or environment (PIN %#)', async (pin) => {
    using token = makeToken(PIN);
    const printed: string[] = [];
    const log = createLogger({
      level: 'trace',
      destination: { write: (line: string) => printed.push(line) },
    });
    const env = { ...token.env, VAULT_HSM_PIN: pin, PATH: '/usr/bin', UNRELATED: 'canary' };
    const stanza = {
      lib: SOFTHSM,
      token_label: token.label,
      key_label: 'root',
      generate_key: 'true',
      surprise: 'canary',
    };
    const { config, warnings } = parsePkcs11Config(stanza, env);
    printed.push(
      inspect(config, { depth: 9 }),
      JSON.stringify(config, (_, v) => (typeof v === 'bigint' ? `${v}` : v)),
      ...warnings,
    );
    const seal = createPkcs11Seal({ config, log, clock: systemClock, random: systemRandom });
    const call = { signal: SIGNAL };
    try {
      await seal.open({ ...call, allowGenerateKey: true });
      using key = Secret.fromText(KEY);
      const blob = await seal.wrap(key, CONTEXT, call);
      printed.push(Buffer.from(blob).toString());
      const broken = Uint8Array.from(blob);
      broken[broken.length - 5] = (broken[broken.length - 5] ?? 0) ^ 1;
      await seal.unwrap(broken, CONTEXT, call);
    } catch (error) {
      printed.push(inspect(error, { depth: 9, showHidden: true }), String(error), JSON.stringify(error));
      log.error({ err: error }, 'failed');
    }
    const processes = children();
    expect(processes).toHaveLength(1);
    for (const pid of processes) {
      for (const file of ['cmdline', 'environ']) printed.push(readFileSync(`/proc/${pid}/${file}`, 'latin1'));
    }
    printed.push(inspect(seal.health()));
    await seal.close();
    for (const name of readdirSync(token.dir, { recursive: true, withFileTypes: true })) {
      if (name.isFile() && !name.parentPath.includes('tokens'))
        printed.push(readFileSync(join(name.parentPath, name.name), 'latin1'));
    }
    expect(printed.length).toBeGreaterThan(6);
    const all = printed.join('\n');
    for (const canary of canaries) expect(all.includes(canary)).toBe(false);
  });
});
