import { readFileSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { createSocket } from 'node:dgram';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
const servers: Server[] = [];

beforeAll(async () => {
  engine = await TestEngine.initialized();
});

afterAll(async () => {
  await engine.stop();
  for (const server of servers) server.close();
});

function lines(name: string): any[] {
  const text = readFileSync(join(engine.dir, name), 'utf8').trimEnd();
  return text === '' ? [] : text.split('\n').map((line) => JSON.parse(line));
}

const file = (name: string, more: object = {}) => ({
  type: 'file',
  description: 'a file',
  options: { file_path: join(engine.dir, name), ...more },
});

describe('devices over the API', () => {
  test('are enabled, listed, written to, kept over a restart, and disabled', async () => {
    expect((await engine.call('GET', 'sys/audit')).body.data).toEqual({});
    expect((await engine.call('PUT', 'sys/audit/file', file('one.log', { mode: '0640' }))).status).toBe(204);
    expect(statSync(join(engine.dir, 'one.log')).mode & 0o777).toBe(0o640);
    const listed = await engine.call('GET', 'sys/audit');
    expect(listed.body['file/']).toEqual({
      type: 'file',
      description: 'a file',
      local: false,
      path: 'file/',
      options: { file_path: join(engine.dir, 'one.log'), mode: '0640' },
    });
    expect(listed.body.data['file/']).toEqual(listed.body['file/']);

    const hash = await engine.call('POST', 'sys/audit-hash/file', { input: 'canary-secret' });
    expect(hash.body.data.hash).toMatch(/^hmac-sha256:[0-9a-f]{64}$/);
    await engine.call('PUT', 'cubbyhole/a', { value: 'canary-secret' });
    const entries = lines('one.log');
    expect(entries.at(-1).request.data.value).toBe(hash.body.data.hash);
    expect(JSON.stringify(entries)).not.toContain('canary-secret');

    await engine.restart();
    const before = lines('one.log').length;
    await engine.call('GET', 'cubbyhole/a');
    expect(lines('one.log')).toHaveLength(before + 2);
    const again = await engine.call('POST', 'sys/audit-hash/file', { input: 'canary-secret' });
    expect(again.body.data.hash).toBe(hash.body.data.hash);

    expect((await engine.call('DELETE', 'sys/audit/file')).status).toBe(204);
    const after = lines('one.log').length;
    await engine.call('GET', 'cubbyhole/a');
    expect(lines('one.log')).toHaveLength(after);
    expect((await engine.call('DELETE', 'sys/audit/file')).status).toBe(204);
    const gone = await engine.call('POST', 'sys/audit-hash/file', { input: 'x' });
    expect([gone.status, gone.body]).toEqual([400, { errors: ['unknown audit backend "file/"'] }]);
  });

  test('that cannot work are refused, and nothing is stored', async () => {
    const refused: [string, object, string][] = [
      ['a', { type: 'carrier-pigeon' }, 'unknown backend type: "carrier-pigeon"'],
      ['a', { type: 'file' }, 'file_path is required'],
      ['a', file('x.log', { mode: '0777' }), 'mode must be octal'],
      ['a', file('x.log', { format: 'xml' }), 'format must be json or jsonx'],
      ['a', { type: 'file', options: { file_path: '/proc/nowhere/audit.log' } }, 'must be below the folder'],
      ['a', { type: 'socket', options: {} }, 'address is required'],
      ['a', { type: 'socket', options: { address: '127.0.0.1:1' } }, 'cannot be opened: ECONNREFUSED'],
      ['a', { type: 'syslog', options: { address: '127.0.0.1:514', facility: 'KITCHEN' } }, 'facility'],
    ];
    for (const [name, body, message] of refused) {
      const answer = await engine.call('PUT', `sys/audit/${name}`, body);
      expect(answer.status).toBe(400);
      expect(answer.body.errors[0]).toContain(message);
    }
    expect((await engine.call('GET', 'sys/audit')).body.data).toEqual({});
    await engine.call('PUT', 'sys/audit/file', file('two.log'));
    const twice = await engine.call('PUT', 'sys/audit/file', file('three.log'));
    expect([twice.status, twice.body.errors]).toEqual([400, ['path already in use']]);
    expect((await engine.call('GET', 'sys/audit', undefined, 'hvs.wrong')).status).toBe(403);
    await engine.call('DELETE', 'sys/audit/file');
  });

  test('write plain values, a prefix and JSONx where asked for', async () => {
    await engine.call('PUT', 'sys/audit/raw', file('raw.log', { log_raw: 'true', prefix: '@cee: ' }));
    await engine.call('PUT', 'sys/audit/xml', file('xml.log', { format: 'jsonx' }));
    await engine.call('PUT', 'cubbyhole/b', { value: 'plain <&> value' });
    const raw = readFileSync(join(engine.dir, 'raw.log'), 'utf8').trimEnd().split('\n').at(-1) ?? '';
    expect(JSON.parse(raw.replace('@cee: ', '')).request.data).toEqual({ value: 'plain <&> value' });
    const xml = readFileSync(join(engine.dir, 'xml.log'), 'utf8').trimEnd().split('\n').at(-1) ?? '';
    expect(xml).toMatch(
      /^<json:object .*<json:string name="path">cubbyhole\/b<\/json:string>.*<\/json:object>$/,
    );
    await engine.call('DELETE', 'sys/audit/raw');
    await engine.call('DELETE', 'sys/audit/xml');
  });
});

describe('sockets', () => {
  test('take lines over TCP, are connected again, and fail requests while they are the only device', async () => {
    let received = '';
    const connections = new Set<{ destroy(): void }>();
    const listen = (port: number): Promise<Server> =>
      new Promise((resolve) => {
        const server = createServer((socket) => {
          connections.add(socket);
          socket.on('data', (chunk) => (received += String(chunk)));
          socket.on('error', () => undefined);
        });
        servers.push(server);
        server.listen(port, '127.0.0.1', () => resolve(server));
      });
    const server = await listen(0);
    const bound = server.address();
    const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
    const options = { address: `127.0.0.1:${port}`, write_timeout: '1s' };
    expect((await engine.call('PUT', 'sys/audit/net', { type: 'socket', options })).status).toBe(204);
    await engine.call('GET', 'cubbyhole/b');
    await expect
      .poll(() => received.split('\n').filter((line) => line.includes('cubbyhole/b')).length)
      .toBe(2);

    for (const socket of connections) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    await expect.poll(async () => (await engine.call('GET', 'cubbyhole/b')).status).toBe(500);
    await listen(port);
    expect((await engine.call('GET', 'cubbyhole/b')).status).toBe(200);
    expect((await engine.call('DELETE', 'sys/audit/net')).status).toBe(204);
  });

  test('send RFC 5424 messages over UDP', async () => {
    const sink = createSocket('udp4');
    const messages: string[] = [];
    sink.on('message', (message) => messages.push(String(message)));
    await new Promise<void>((resolve) => sink.bind(0, '127.0.0.1', resolve));
    const options = { address: `127.0.0.1:${sink.address().port}`, facility: 'LOCAL0', tag: 'sv' };
    expect((await engine.call('PUT', 'sys/audit/log', { type: 'syslog', options })).status).toBe(204);
    await engine.call('GET', 'cubbyhole/b');
    await expect.poll(() => messages.length).toBeGreaterThanOrEqual(2);
    expect(messages.at(-1)).toMatch(/^<134>1 \d{4}-\d\d-\d\dT[\d:.]+Z \S+ sv \d+ - - \{"time":/);
    await engine.call('DELETE', 'sys/audit/log');
    sink.close();
  });
});
