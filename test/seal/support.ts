import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parsePkcs11Config, type Pkcs11Config } from '../../src/engine/seal/pkcs11/config.ts';
import {
  createPkcs11Seal,
  type Pkcs11Seal,
  type Pkcs11SealOptions,
} from '../../src/engine/seal/pkcs11/pkcs11.ts';
import type { SealContext } from '../../src/engine/seal/seal.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { Logger } from '../../src/lib/log.ts';
import { systemRandom } from '../../src/lib/random.ts';

export const SOFTHSM = '/usr/lib/softhsm/libsofthsm2.so';
export const CONTEXT: SealContext = {
  clusterId: '6f1d3c1e-8a52-4f0e-9d57-3b1f5b3f0a11',
  purpose: 'root-key',
};
export const SIGNAL: AbortSignal = new AbortController().signal;

export interface TestToken {
  /** Path of its PKCS#11 library. */
  readonly lib: string;
  readonly dir: string;
  readonly tokens: string;
  readonly conf: string;
  readonly pin: string;
  readonly label: string;
  /** Decimal. */
  readonly slot: string;
  readonly serial: string;
  readonly env: Record<string, string>;
  [Symbol.dispose](): void;
}

/** A token directory of its own with one initialised token. */
export function makeToken(pin = 'canary-Pin-1234', label = 'seal'): TestToken {
  const dir = mkdtempSync(join(tmpdir(), 'hsm-'));
  const tokens = join(dir, 'tokens');
  mkdirSync(tokens, { mode: 0o700 });
  const conf = join(dir, 'softhsm2.conf');
  writeFileSync(conf, `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`);
  const env = { SOFTHSM2_CONF: conf };
  addToken(env, pin, label);
  const { slot, serial } = slotOf(env, label);
  return {
    lib: SOFTHSM,
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

export function addToken(env: Record<string, string>, pin: string, label: string): void {
  const args = ['--init-token', '--free', '--label', label, '--so-pin', 'so-pin-1234', '--pin', pin];
  execFileSync('softhsm2-util', args, { env: { ...process.env, ...env }, stdio: 'pipe' });
}

function slotOf(env: Record<string, string>, label: string): { slot: string; serial: string } {
  const text = execFileSync('softhsm2-util', ['--show-slots'], {
    env: { ...process.env, ...env },
  }).toString();
  for (const block of text.split(/^Slot /m)) {
    if (!new RegExp(`Label:\\s+${label}\\s*$`, 'm').test(block)) continue;
    return { slot: /^\d+/.exec(block)?.[0] ?? '', serial: /Serial number:\s+(\S+)/.exec(block)?.[1] ?? '' };
  }
  throw new Error('token not found');
}

/** Makes a key with pkcs11-tool: by another implementation than ours. */
export function makeKey(
  token: TestToken,
  type: string,
  label: string,
  id: string,
  usage: string[] = [],
): void {
  const keyArgs = /^(rsa|EC)/.test(type) ? ['--keypairgen'] : ['--keygen', '--sensitive'];
  const idArgs = id === '' ? [] : ['--id', id];
  pkcs11Tool(token, [...keyArgs, '--key-type', type, '--label', label, ...idArgs, ...usage]);
}

/** Does something to a token behind the back of whoever uses it. @returns what was printed */
export function pkcs11Tool(token: TestToken, args: readonly string[]): string {
  const login = ['--module', token.lib, '--token-label', token.label, '--login', '--pin', 'env:P11_TEST_PIN'];
  const env = { ...process.env, ...token.env, P11_TEST_PIN: token.pin };
  return execFileSync('pkcs11-tool', [...login, ...args], { env, stdio: 'pipe' }).toString();
}

export interface LogLine {
  readonly level: string;
  readonly fields: object;
  readonly message: string;
}

export function memoryLog(): Logger & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const write =
    (level: string) =>
    (fields: object, message: string): void => {
      lines.push({ level, fields, message });
    };
  const log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  return { ...log, lines, child: () => ({ ...log, child: () => log as Logger }) };
}

export function configOf(token: TestToken, stanza: Record<string, string> = {}): Pkcs11Config {
  const base = {
    lib: token.lib,
    token_label: token.label,
    pin: token.pin,
    key_label: 'root',
    generate_key: 'true',
  };
  const { config } = parsePkcs11Config({ ...base, ...stanza }, { PATH: '/usr/bin', ...token.env });
  return config;
}

export function makeSeal(
  config: Pkcs11Config,
  more: Partial<Pkcs11SealOptions> = {},
): Pkcs11Seal & AsyncDisposable {
  const seal = createPkcs11Seal({
    config,
    log: memoryLog(),
    clock: systemClock,
    random: systemRandom,
    ...more,
  });
  return Object.assign(seal, { [Symbol.asyncDispose]: () => seal.close() });
}

/** The PKCS#11 processes that this process is the parent of. */
export function children(parent: number = process.pid): number[] {
  const text = execFileSync('ps', ['-o', 'pid=,ppid=,args=', '-A']).toString();
  return text
    .split('\n')
    .filter((line) => /agent\/main\.(ts|js)/.test(line))
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => Number(fields[1]) === parent)
    .map((fields) => Number(fields[0]));
}
