import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runHsmInitToken } from '../../src/engine/seal/pkcs11/init-token.ts';
import type { TestToken } from './support.ts';

/** Any number will do. */
const SLOT = 42;

/** A Kryoptic token of its own: a configuration of one slot, and a database of SQLite. */
export async function makeKryopticToken(
  lib: string,
  pin = 'canary-Pin-kryoptic',
  label = 'kryoptic',
): Promise<TestToken> {
  const dir = mkdtempSync(join(tmpdir(), 'kryoptic-'));
  const tokens = join(dir, 'tokens');
  mkdirSync(tokens, { mode: 0o700 });
  const conf = join(dir, 'token.conf');
  const database = join(tokens, 'token.sql');
  writeFileSync(conf, `[[slots]]\nslot = ${SLOT}\ndbtype = "sqlite"\ndbargs = ${JSON.stringify(database)}\n`);
  const env = { KRYOPTIC_CONF: conf };
  const pins = { HSM_PIN: pin, HSM_SO_PIN: 'so-pin-1234' };
  const { slot, serial } = await runHsmInitToken({ lib, label, env: { ...env, ...pins } });
  return {
    lib,
    dir,
    tokens,
    conf,
    pin,
    label,
    slot,
    serial,
    env,
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
}
