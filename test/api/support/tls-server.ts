import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createAuthority, issueCertificate } from '../../support/cluster/certificates.ts';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly authorization: string;
  readonly body: string;
}

export interface Told {
  readonly status?: number;
  readonly body: unknown;
}

/** An HTTPS server on a port of its own that answers as a test says and remembers what it was asked. */
export class TlsServer {
  readonly asked: Asked[] = [];
  readonly caPem: string;
  answer: (asked: Asked) => Told;
  readonly #server: Server;

  private constructor(answer: (asked: Asked) => Told, dnsNames: string[]) {
    const authority = createAuthority('test authority');
    const { certificate, key } = issueCertificate(authority, {
      commonName: 'server',
      usage: 'server',
      dnsNames,
      addresses: dnsNames.includes('localhost') ? ['127.0.0.1'] : [],
    });
    this.caPem = authority.certificate;
    this.answer = answer;
    this.#server = createServer({ cert: certificate, key }, (message, out) => {
      let body = '';
      message.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      message.on('end', () => {
        const { authorization = '' } = message.headers;
        const asked = { method: message.method ?? '', path: message.url ?? '', authorization, body };
        this.asked.push(asked);
        const told = this.answer(asked);
        out.writeHead(told.status ?? 200, { 'Content-Type': 'application/json' });
        out.end(JSON.stringify(told.body));
      });
    });
  }

  static async start(answer: (asked: Asked) => Told, dnsNames: string[] = ['localhost']): Promise<TlsServer> {
    const server = new TlsServer(answer, dnsNames);
    await new Promise<void>((resolve) => void server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
