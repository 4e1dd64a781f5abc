import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { acceptList } from '../../../../src/engine/http/list-method.ts';
import { createAuthority, issueCertificate } from '../../../support/cluster/certificates.ts';

let server: Server;
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const authority = createAuthority('list test');
const identity = issueCertificate(authority, {
  usage: 'server',
  commonName: 'localhost',
  dnsNames: ['localhost'],
});

async function start(secure: boolean): Promise<{ socket: Socket; read: () => string[] }> {
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
    });
    request.on('end', () => setTimeout(() => response.end(`<${request.method} ${request.url} ${size}>`), 5));
  };
  server = secure
    ? (createHttps({ cert: identity.certificate, key: identity.key }, listener) as unknown as Server)
    : createServer(listener);
  acceptList(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const socket = secure
    ? connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
    : connect(port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once(secure ? 'secureConnect' : 'connect', resolve));
  return {
    socket,
    read: () => [...text.matchAll(/<([^>]+)>|HTTP\/1.1 400/g)].map((match) => match[1] ?? '400'),
  };
}

async function until(read: () => string[], count: number): Promise<string[]> {
  for (let tries = 0; tries < 200 && read().length < count; tries += 1)
    await new Promise((resolve) => setTimeout(resolve, 10));
  return read();
}

const request = (method: string, path: string, body = ''): string =>
  `${method} ${path} HTTP/1.1\r\nHost: x\r\n${body === '' ? '' : `Content-Length: ${body.length}\r\n`}\r\n${body}`;

describe.each([false, true])('LIST (TLS: %s)', (secure) => {
  test('is served first, between and after other requests on one connection', async () => {
    const { socket, read } = await start(secure);
    const sent = [
      request('LIST', '/a'),
      request('GET', '/b'),
      request('LIST', '/c'),
      request('PUT', '/d', 'hello'),
      request('LIST', '/e'),
      request('LIST', '/f'),
    ];
    for (const [index, each] of sent.entries()) {
      socket.write(each);
      await until(read, index + 1);
    }
    expect(read()).toEqual(['LINK /a 0', 'GET /b 0', 'LINK /c 0', 'PUT /d 5', 'LINK /e 0', 'LINK /f 0']);
    socket.destroy();
  });

  test('is served when requests come in one packet', async () => {
    const { socket, read } = await start(secure);
    socket.write(request('GET', '/a') + request('LIST', '/b') + request('GET', '/c') + request('LIST', '/d'));
    expect(await until(read, 4)).toEqual(['GET /a 0', 'LINK /b 0', 'GET /c 0', 'LINK /d 0']);
    socket.destroy();
  });

  test.each([1, 2, 3, 4, 5, 9])('is served when it arrives in pieces of %d bytes', async (size) => {
    const { socket, read } = await start(secure);
    socket.setNoDelay(true);
    const sent = [request('LIST', '/a'), request('PUT', '/b', 'hello'), request('LIST', '/c')];
    for (const [index, each] of sent.entries()) {
      for (let at = 0; at < each.length; at += size) {
        socket.write(each.slice(at, at + size));
        await new Promise((resolve) => setTimeout(resolve, at < 8 ? 10 : 0));
      }
      await until(read, index + 1);
    }
    expect(read()).toEqual(['LINK /a 0', 'PUT /b 5', 'LINK /c 0']);
    socket.destroy();
  });

  test.each(['L\0ST /a', 'LIFT /a', 'LISP /a', 'LISTS /a'])('%s in pieces is no LIST', async (line) => {
    const { socket, read } = await start(secure);
    socket.setNoDelay(true);
    for (const letter of `${line} HTTP/1.1\r\n\r\n`) {
      socket.write(letter);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(await until(read, 1)).toEqual(['400']);
  });

  test('what is no HTTP gets 400', async () => {
    const { socket, read } = await start(secure);
    socket.write('NONSENSE\r\n\r\n');
    expect(await until(read, 1)).toEqual(['400']);
  });
});
