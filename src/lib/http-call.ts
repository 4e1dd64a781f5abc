import { type IncomingMessage, request as requestHttp, type RequestOptions } from 'node:http';
import { request as requestHttps } from 'node:https';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { text } from './bytes.ts';
import { isJsonObject, type JsonObject, parseJson } from './json.ts';

/** A call on another service. */
export interface HttpCall {
  readonly url: string;
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** PEM of the authorities to trust; the system's when left out or empty. */
  readonly ca?: string;
  /** Names of which the server's certificate must have one, instead of the URL's host. */
  readonly serverNames?: readonly string[];
  readonly signal?: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Uint8Array;
}

/** Why there is no answer. The message names no secret: neither URL, header nor body. */
export class HttpFailure {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

const TIMEOUT_MS = 20_000;
const MAX_BYTES = 8 * 1024 * 1024;

/** Sends one request on a connection of its own, follows no redirect, and reads the whole answer (up to 8 MiB, 20 s). */
export async function httpCall(call: HttpCall): Promise<HttpAnswer | HttpFailure> {
  let url: URL;
  try {
    url = new URL(call.url);
  } catch {
    return new HttpFailure('the URL is not valid');
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    return new HttpFailure('the URL is neither https nor http');
  const deadline = AbortSignal.timeout(TIMEOUT_MS);
  const options: RequestOptions & { ca?: string } = {
    method: call.method ?? 'GET',
    headers: {
      ...call.headers,
      ...(call.body === undefined ? {} : { 'Content-Length': Buffer.byteLength(call.body) }),
    },
    agent: false,
    signal: call.signal === undefined ? deadline : AbortSignal.any([call.signal, deadline]),
  };
  try {
    return url.protocol === 'https:'
      ? await exchange(call, (done) => requestHttps(url, { ...options, ...trust(call) }, done))
      : await exchange(call, (done) => requestHttp(url, options, done));
  } catch (error) {
    return new HttpFailure(describe(error, deadline.aborted));
  }
}

/** The JSON object that an answer is, or undefined. */
export function jsonOf(answer: HttpAnswer): JsonObject | undefined {
  try {
    const value = parseJson(text(answer.body));
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function trust({ ca, serverNames }: HttpCall): object {
  return {
    minVersion: 'TLSv1.2',
    ...(ca === undefined || ca.trim() === '' ? {} : { ca }),
    ...(serverNames === undefined || serverNames.length === 0
      ? {}
      : {
          checkServerIdentity: (host: string, certificate: PeerCertificate) =>
            serverNames.some((name) => checkServerIdentity(name, certificate) === undefined)
              ? undefined
              : checkServerIdentity(host, certificate),
        }),
  };
}

function exchange(
  call: HttpCall,
  open: (done: (message: IncomingMessage) => void) => ReturnType<typeof requestHttp>,
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = open((message) => {
      const chunks: Buffer[] = [];
      let size = 0;
      message.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_BYTES) outgoing.destroy(new Error('the answer is too large'));
        else chunks.push(chunk);
      });
      message.once('error', reject);
      message.once('end', () =>
        resolve({
          status: message.statusCode ?? 0,
          headers: message.headers,
          body: new Uint8Array(Buffer.concat(chunks)),
        }),
      );
    });
    outgoing.once('error', reject);
    outgoing.end(call.body);
  });
}

function describe(error: unknown, late: boolean): string {
  if (late) return 'no answer in time';
  if (!(error instanceof Error)) return 'the call failed';
  const code: unknown = 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? `the call failed: ${code}` : `the call failed: ${error.message}`;
}
