import type { IncomingMessage } from 'node:http';
import { KubeApiError } from '../errors.ts';

const MAX_BODY = 64 * 1024 * 1024;

interface Status {
  readonly kind?: unknown;
  readonly code?: unknown;
  readonly reason?: unknown;
  readonly details?: { readonly retryAfterSeconds?: unknown };
}

/** Reads and decodes a whole answer. @throws Error with a code, never with a part of the body */
export async function readBody(response: IncomingMessage): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > MAX_BODY) {
      response.destroy();
      throw Object.assign(new Error('the answer is too large'), { code: 'TooLarge' });
    }
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  return text === '' ? undefined : parseObject(text);
}

/** The error for an answer of 400 or more; reads and forgets its body. */
export async function statusError(
  call: { readonly verb: string; readonly resource: string },
  response: IncomingMessage,
): Promise<KubeApiError> {
  let body: unknown;
  try {
    body = await readBody(response);
  } catch {
    body = undefined;
  }
  const header = Number(response.headers['retry-after'] ?? Number.NaN);
  const failure = statusFailure(body);
  return new KubeApiError({
    ...call,
    status: response.statusCode ?? 0,
    reason: failure.reason,
    retryAfterMs: Number.isFinite(header) && header >= 0 ? header * 1000 : failure.retryAfterMs,
  });
}

/** What a `Status` object says, without its prose. */
export function statusFailure(body: unknown): {
  readonly code: number;
  readonly reason: string;
  readonly retryAfterMs: number | undefined;
} {
  const status: Status = typeof body === 'object' && body !== null ? body : {};
  const { code, reason, details } = status;
  const seconds = details?.retryAfterSeconds;
  return {
    code: typeof code === 'number' ? code : 0,
    reason: typeof reason === 'string' && /^[A-Za-z]{1,64}$/.test(reason) ? reason : '',
    retryAfterMs: typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : undefined,
  };
}

/** JSON.parse whose error does not quote the text. */
export function parseObject(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw Object.assign(new Error('the answer is not JSON'), { code: 'NotJson' });
  }
}
