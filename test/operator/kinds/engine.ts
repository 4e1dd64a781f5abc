import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { encryptToCustodian } from '../../../src/ceremony/pgp.ts';
import { toBase64, toHex } from '../../../src/lib/bytes.ts';
import { Secret } from '../../../src/lib/secret.ts';

interface InitBody {
  readonly recovery_shares: number;
  readonly recovery_pgp_keys: readonly string[];
  readonly root_token_pgp_key?: string;
  readonly omit_root_token?: boolean;
  readonly ceremony_id: string;
}

/** What the engine's pod has in files. */
export interface EngineFiles {
  readonly cert: string;
  readonly key: string;
  readonly clientAuthority: string;
}

/** An engine's API as far as the operator uses it, over mutual TLS, with the contract of sys/init. */
export class FakeEngine {
  initialized = false;
  sealed = true;
  warnings: string[] = [];
  /** Sets of shares that were made. */
  sets = 0;
  /** How often the HSM agents were started anew. */
  restarts = 0;
  /** How many calls to sys/init there were. */
  calls = 0;
  /** Ends the connection in place of an answer, that many times, after the work was done. */
  dropAnswers = 0;
  #kept: { readonly question: string; readonly answer: object } | undefined;
  #making = false;
  #server: Server | undefined;

  /** @param address on which port 8200 is taken; the pod's IP */
  async start(address: string, files: EngineFiles): Promise<void> {
    const { cert, key, clientAuthority: ca } = files;
    const server = createServer(
      { cert, key, ca, requestCert: true, rejectUnauthorized: false },
      (request, response) => void this.#answer(request, response),
    );
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(8200, address, resolve);
    });
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const send = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    const { initialized, sealed, warnings } = this;
    switch (`${request.method} ${request.url}`) {
      case 'GET /v1/sys/health':
        return send(!initialized ? 501 : sealed ? 503 : 200, {
          initialized,
          sealed,
          standby: false,
          version: '0.1.0',
        });
      case 'GET /v1/sys/seal-status':
        return send(200, {
          type: 'pkcs11',
          initialized,
          sealed,
          version: '0.1.0',
          ...(warnings.length > 0 ? { warnings } : {}),
        });
      case 'GET /v1/sys/seal-backend-status':
        return send(200, { healthy: warnings.length === 0, fully_wrapped: true, backends: [] });
      case 'PUT /v1/sys/hsm-agent/restart':
        this.restarts += 1;
        response.writeHead(204).end();
        return;
      case 'GET /v1/sys/init':
        return send(200, { initialized });
      case 'PUT /v1/sys/init':
        return this.#init(request, response, send);
      default:
        return send(404, { errors: [] });
    }
  }

  async #init(
    request: IncomingMessage,
    response: ServerResponse,
    send: (status: number, body: object) => void,
  ): Promise<void> {
    this.calls += 1;
    const socket = request.socket as TLSSocket;
    const { subject } = socket.getPeerCertificate();
    if (!socket.authorized || subject?.CN !== 'sealedvault-operator')
      return send(403, { errors: ['permission denied'] });
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const question = Buffer.concat(chunks).toString();
    if (this.#making) return send(400, { errors: ['an initialization is in progress'] });
    if (this.#kept === undefined) {
      this.#making = true;
      this.#kept = { question, answer: await this.#make(JSON.parse(question) as InitBody) };
      this.#making = false;
      this.initialized = true;
      this.sealed = false;
    }
    if (this.#kept.question !== question) return send(400, { errors: ['Vault is already initialized'] });
    if (this.dropAnswers > 0) {
      this.dropAnswers -= 1;
      response.destroy();
      return;
    }
    send(200, this.#kept.answer);
  }

  async #make(body: InitBody): Promise<object> {
    this.sets += 1;
    const encrypt = async (text: string, key: string): Promise<Uint8Array> => {
      using secret = Secret.fromText(text);
      return await encryptToCustodian(secret, key);
    };
    const shares = await Promise.all(
      body.recovery_pgp_keys.map((key, index) => encrypt(`share ${index} of set ${this.sets}`, key)),
    );
    const { root_token_pgp_key: holder } = body;
    return {
      keys: [],
      keys_base64: [],
      recovery_keys: shares.map(toHex),
      recovery_keys_base64: shares.map(toBase64),
      root_token: holder === undefined ? '' : toBase64(await encrypt('hvs.root', holder)),
    };
  }
}
