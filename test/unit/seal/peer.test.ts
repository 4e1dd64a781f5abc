import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AgentPort } from '../../../src/engine/seal/pkcs11/agent.ts';
import { frame } from '../../../src/engine/seal/pkcs11/frames.ts';
import { encodeMessage } from '../../../src/engine/seal/pkcs11/message.ts';
import { servePeer } from '../../../src/engine/seal/pkcs11/peer.ts';
import type { Logger } from '../../../src/lib/log.ts';

const silent: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silent,
};
let dir: string;
let server: Server;
let socket: Socket;
let aborted: boolean;

/** An agent whose every answer waits until its caller is gone. */
const stuck: AgentPort = {
  call: (_op, _body, { signal }) =>
    new Promise((_resolve, reject) => {
      signal?.addEventListener('abort', () => {
        aborted = true;
        reject(new Error('gone'));
      });
    }),
  close: () => Promise.resolve(),
};

beforeEach(async () => {
  aborted = false;
  dir = mkdtempSync(join(tmpdir(), 'peer-'));
  const path = join(dir, 's');
  server = createServer((each) => servePeer(each, stuck, silent, { renew: () => {}, messageMs: 300 }));
  server.listen(path);
  await once(server, 'listening');
  socket = connect(path);
  socket.on('error', () => {});
  await once(socket, 'connect');
});
afterEach(() => {
  socket.destroy();
  server.close();
  rmSync(dir, { recursive: true });
});

test('a request that drips in byte by byte is dropped at its deadline, however steadily it drips', async () => {
  const bytes = frame(encodeMessage({ id: 1, op: 'random', length: 8, pad: 'x'.repeat(4000) }));
  let sent = 0;
  const drip = setInterval(() => {
    if (!socket.destroyed) socket.write(bytes.subarray(sent, ++sent));
  }, 5);
  const from = performance.now();
  // Writing to a peer that has just hung up is an error that comes before the end.
  await new Promise((resolve) => socket.once('close', resolve));
  clearInterval(drip);
  expect(performance.now() - from).toBeLessThan(2_000);
  expect(sent).toBeLessThan(bytes.length);
});

test('a request whose peer leaves is given up', async () => {
  socket.write(frame(encodeMessage({ id: 1, op: 'random', length: 8 })));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(aborted).toBe(false);
  socket.destroy();
  await expect.poll(() => aborted).toBe(true);
});

test('a complete request is not dropped while its answer takes long', async () => {
  socket.write(frame(encodeMessage({ id: 1, op: 'random', length: 8 })));
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(socket.destroyed).toBe(false);
});
