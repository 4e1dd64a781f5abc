import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Audit, openAudit } from '../../../src/engine/audit/audit.ts';
import type { AuditDeviceConfig } from '../../../src/engine/audit/config.ts';
import type { AuditEntry } from '../../../src/engine/audit/entry.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { type JsonObject, parseJson } from '../../../src/lib/json.ts';
import type { Logger } from '../../../src/lib/log.ts';

const SALT = new Uint8Array(32).fill(9);
const clock = { ...systemClock, now: () => Date.UTC(2024, 1, 3, 4, 5, 6, 789) };
const lines: string[] = [];
const log: Logger = {
  debug: () => {},
  info: (_, message) => lines.push(message),
  warn: () => {},
  error: (fields, message) => lines.push(`${message} ${JSON.stringify(fields)}`),
  child: () => log,
};

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'audit-'));
  file = join(dir, 'sub', 'audit.log');
  lines.length = 0;
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const device = (options: Record<string, string> = {}, path = 'file/'): AuditDeviceConfig => ({
  type: 'file',
  path,
  options: { file_path: file, ...options },
});
const open = (...devices: AuditDeviceConfig[]): Promise<Audit> =>
  openAudit({ devices, salt: SALT, clock, log });
const written = (from = file): { [key: string]: never }[] =>
  readFileSync(from, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
const hashOf = (value: string, path = 'file/'): string => {
  const key = createHmac('sha256', SALT).update(`audit device ${path}`).digest();
  return `hmac-sha256:${createHmac('sha256', key).update(value).digest('hex')}`;
};

const entry: AuditEntry = {
  auth: {
    clientToken: 'hvs.canary',
    accessor: 'acc-canary',
    displayName: 'token-ada',
    policies: ['default', 'dev'],
    tokenPolicies: ['default', 'dev'],
    entityId: 'e-1',
    tokenType: 'service',
    policyResults: { allowed: true },
  },
  request: {
    id: 'r-1',
    operation: 'update',
    path: 'secret/data/app',
    mountType: 'kv',
    mountPoint: 'secret/',
    clientToken: 'hvs.canary',
    clientTokenAccessor: 'acc-canary',
    data: { data: { password: 'canary', n: 5, yes: true, none: null, list: ['canary', 1] }, note: 'canary' },
    remoteAddress: '10.0.0.1',
    remotePort: 4711,
    wrapTtl: 60,
  },
  response: {
    data: { keys: ['canary', 'b'], key_info: { a: { name: 'canary' } }, version: 3 },
    auth: { clientToken: 'hvs.new-canary', accessor: 'new-canary', displayName: 'x' },
    warnings: ['careful'],
    wrapInfo: {
      token: 'hvs.wrap-canary',
      accessor: 'wrap-acc-canary',
      ttl: 60,
      creationTime: 't',
      creationPath: 'p',
    },
  },
};

describe('an entry', () => {
  test('is one line in Vault’s format, with every string of the data HMACed', async () => {
    const audit = await open(device());
    await audit.logRequest(entry);
    await audit.logResponse({ ...entry, error: 'permission denied' });
    await audit.close();
    const [request, response] = written();
    const auth = {
      client_token: hashOf('hvs.canary'),
      accessor: hashOf('acc-canary'),
      display_name: 'token-ada',
      policies: ['default', 'dev'],
      token_policies: ['default', 'dev'],
      policy_results: { allowed: true },
      entity_id: 'e-1',
      token_type: 'service',
    };
    const requestPart = {
      id: 'r-1',
      operation: 'update',
      mount_point: 'secret/',
      mount_type: 'kv',
      client_token: hashOf('hvs.canary'),
      client_token_accessor: hashOf('acc-canary'),
      namespace: { id: 'root' },
      path: 'secret/data/app',
      data: {
        data: { password: hashOf('canary'), n: 5, yes: true, none: null, list: [hashOf('canary'), 1] },
        note: hashOf('canary'),
      },
      remote_address: '10.0.0.1',
      remote_port: 4711,
      wrap_ttl: 60,
    };
    const time = '2024-02-03T04:05:06.789Z';
    expect(request).toEqual({ time, type: 'request', auth, request: requestPart });
    expect(response).toEqual({
      time,
      type: 'response',
      auth,
      request: requestPart,
      response: {
        auth: { client_token: hashOf('hvs.new-canary'), accessor: hashOf('new-canary'), display_name: 'x' },
        mount_point: 'secret/',
        mount_type: 'kv',
        data: {
          keys: [hashOf('canary'), hashOf('b')],
          key_info: { a: { name: hashOf('canary') } },
          version: 3,
        },
        warnings: ['careful'],
        wrap_info: {
          ttl: 60,
          token: hashOf('hvs.wrap-canary'),
          accessor: hashOf('wrap-acc-canary'),
          creation_time: 't',
          creation_path: 'p',
        },
      },
      error: 'permission denied',
    });
    expect(readFileSync(file, 'utf8')).not.toContain('canary');
  });

  test('keeps what the mount’s owner wants plain, at the top level only', async () => {
    const audit = await open(device());
    await audit.logRequest({ ...entry, nonHmacRequestKeys: ['note', 'password'] });
    await audit.close();
    const text = JSON.stringify(written()[0]);
    expect(text).toContain('"note":"canary"');
    expect(text).toContain(`"password":"${hashOf('canary')}"`);
  });

  test('hmac_accessor, log_raw, elide_list_responses and prefix do what Vault says', async () => {
    const paths = ['plain', 'raw', 'short'].map((name) => join(dir, name));
    const audit = await open(
      device({ file_path: paths[0] ?? '', hmac_accessor: 'false' }, 'a/'),
      device({ file_path: paths[1] ?? '', log_raw: 'true' }, 'b/'),
      device({ file_path: paths[2] ?? '', elide_list_responses: 'true', prefix: '@cee: ' }, 'c/'),
    );
    const list = { ...entry, request: { ...entry.request, operation: 'list' } };
    await audit.logResponse(list);
    await audit.close();
    const [plain, raw] = [written(paths[0]), written(paths[1])].map((all) => JSON.stringify(all[0]));
    expect(plain).toContain('"accessor":"acc-canary"');
    expect(plain).not.toContain('hvs.canary');
    expect(raw).toContain('"client_token":"hvs.canary"');
    expect(raw).toContain('"password":"canary"');
    const short = readFileSync(paths[2] ?? '', 'utf8');
    expect(short.startsWith('@cee: {')).toBe(true);
    expect(JSON.parse(short.slice(6))).toMatchObject({
      response: { data: { keys: 2, key_info: 1, version: 3 } },
    });
  });

  test('of any data keeps its shape and shows none of its strings', async () => {
    const audit = await open(device());
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string(), fc.jsonValue()), async (data) => {
        const json = JSON.parse(JSON.stringify(data)) as JsonObject;
        await audit.logRequest({ request: { ...entry.request, data: json } });
        const line = readFileSync(file, 'utf8').trimEnd().split('\n').at(-1) ?? '';
        const hashed: unknown = JSON.parse(line, (_, v) =>
          typeof v === 'string' && v.startsWith('hmac-sha256:') ? 'S' : v,
        );
        const expected: unknown = JSON.parse(JSON.stringify(json), (_, v) =>
          typeof v === 'string' ? 'S' : v,
        );
        expect(hashed).toMatchObject({ request: { data: expected } });
      }),
      { numRuns: 50 },
    );
    await audit.close();
  });

  test('keeps numbers that a double cannot hold', async () => {
    const audit = await open(device());
    const data = parseJson('{"n": 12345678901234567890123}') as JsonObject;
    await audit.logRequest({ request: { ...entry.request, data } });
    await audit.close();
    expect(readFileSync(file, 'utf8')).toContain('"n":12345678901234567890123}');
  });

  test('is made of one line whatever is in it', async () => {
    const audit = await open(device({ log_raw: 'true' }));
    await audit.logRequest({
      request: { ...entry.request, path: 'a\n{"type":"forged"}\n\u2028' },
      error: 'x\ny',
    });
    await audit.close();
    expect(written()).toHaveLength(1);
  });
});

describe('devices', () => {
  test('hash as their entries are hashed, each by a key of its own', async () => {
    const audit = await open(device(), device({}, 'other/'));
    expect(audit.hash('file', 'x')).toBe(hashOf('x'));
    expect(audit.hash('file/', 'x')).toBe(hashOf('x'));
    expect(audit.hash('other', 'x')).toBe(hashOf('x', 'other/'));
    expect(audit.hash('other', 'x')).not.toBe(audit.hash('file', 'x'));
    expect(audit.hash('none', 'x')).toBeUndefined();
    await audit.close();
  });

  test('that all fail refuse the request; one that works is enough', async () => {
    const full = device({ file_path: '/dev/full' }, 'full/');
    const alone = await open(full);
    await expect(alone.logRequest(entry)).rejects.toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE' });
    await expect(alone.logResponse(entry)).rejects.toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE' });
    await alone.close();
    expect(lines.filter((line) => line.startsWith('audit: a device fails'))).toHaveLength(1);
    const both = await open(full, device());
    await both.logRequest(entry);
    await both.close();
    expect(written()).toHaveLength(1);
  });

  test('that cannot be opened do not stop the vault from opening, and are tried again', async () => {
    writeFileSync(join(dir, 'sub'), 'a file where a folder is wanted');
    const audit = await open(device());
    await expect(audit.logRequest(entry)).rejects.toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE' });
    rmSync(join(dir, 'sub'));
    await audit.logRequest(entry);
    await audit.close();
    expect(written()).toHaveLength(1);
    expect(lines.at(-1)).toBe('audit: the device works again');
  });

  test('that do not exist ask for nothing', async () => {
    const audit = await open();
    await audit.logRequest(entry);
    await audit.reload();
    await audit.close();
  });

  test('of type file are opened again on reload, and lose nothing', async () => {
    const audit = await open(device());
    await audit.logRequest(entry);
    renameSync(file, `${file}.1`);
    await audit.logRequest(entry);
    await audit.reload();
    await audit.logRequest(entry);
    await audit.close();
    expect([written(`${file}.1`).length, written().length]).toEqual([2, 1]);
  });

  test('of type file have the mode that was asked for', async () => {
    for (const [mode, expected] of [
      [undefined, 0o600],
      ['0640', 0o640],
    ] as const) {
      rmSync(file, { force: true });
      const audit = await open(device(mode === undefined ? {} : { mode }));
      await audit.close();
      expect(statSync(file).mode & 0o777).toBe(expected);
    }
  });

  test.each([
    [{ mode: '0755' }, 'mode must be octal and without execution'],
    [{ mode: 'rw' }, 'mode must be octal'],
    [{ log_raw: 'yes' }, 'log_raw must be true or false'],
    [{ format: 'xml' }, 'format must be json'],
    [{ file_path: '' }, 'file_path is required'],
  ])('with %j are refused', async (options, message) => {
    await expect(open(device(options))).rejects.toMatchObject({
      code: 'ERR_CONFIG_INVALID',
      message: expect.stringContaining(message),
    });
    expect(existsSync(file)).toBe(false);
  });

  // Node makes a pipe non-blocking when process.stdout is first used.
  test.each([
    ['blocking', ''],
    ['non-blocking', 'void process.stdout.writable;'],
  ])(
    'of type stdout write whole lines in their order into a %s pipe whose reader is slow',
    async (_, prelude) => {
      const source = (path: string): string =>
        JSON.stringify(new URL(`../../../src/${path}`, import.meta.url));
      const program = `${prelude}
      const { openAudit } = await import(${source('engine/audit/audit.ts')});
      const { systemClock } = await import(${source('lib/clock.ts')});
      const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
      const audit = await openAudit({ devices: [{ type: 'stdout', path: 'stdout/', options: {} }], salt: new Uint8Array(32), clock: systemClock, log });
      const all = [];
      for (let i = 0; i < 2000; i += 1) all.push(audit.logRequest({ request: { id: String(i), operation: 'read', path: 'x'.repeat(500) } }));
      await Promise.all(all);`;
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await new Promise((resolve) => setTimeout(resolve, 500));
      let text = '';
      for await (const chunk of child.stdout) text += String(chunk);
      const ids = text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).request.id);
      expect(ids).toEqual(Array.from({ length: 2000 }, (_, i) => String(i)));
    },
  );
});
