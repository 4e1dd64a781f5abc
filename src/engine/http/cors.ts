import type { IncomingMessage, ServerResponse } from 'node:http';
import { CORS_HEADERS } from '../logical/cors-headers.ts';

/** What `sys/config/cors` says. */
export interface CorsSource {
  readonly cors: {
    readonly enabled: boolean;
    readonly allowedOrigins: readonly string[];
    readonly allowedHeaders: readonly string[];
  };
}

const METHODS = 'DELETE, GET, OPTIONS, POST, PUT, LIST, PATCH';

/**
 * Treats a request that a browser sends from a page of some origin.
 * @returns whether it has been answered: preflights are, and origins that are not allowed
 */
export function answerCors(
  message: IncomingMessage,
  out: ServerResponse,
  settings: CorsSource | undefined,
): boolean {
  const origin = message.headers.origin ?? '';
  if (settings?.cors.enabled !== true) return false;
  const { allowedOrigins, allowedHeaders } = settings.cors;
  if (!allowedOrigins.includes('*') && !allowedOrigins.includes(origin)) {
    out.writeHead(403, { 'Content-Type': 'application/json' });
    out.end('{"errors":["origin not allowed"]}\n');
    return true;
  }
  out.setHeader('Access-Control-Allow-Origin', origin);
  out.setHeader('Vary', 'Origin');
  if (message.method !== 'OPTIONS') return false;
  const preflight = message.headers['access-control-request-method'];
  if (preflight === undefined || !METHODS.split(', ').includes(preflight)) {
    out.writeHead(405);
    out.end();
    return true;
  }
  out.writeHead(204, {
    'Access-Control-Allow-Methods': METHODS,
    'Access-Control-Allow-Headers': [...CORS_HEADERS, ...allowedHeaders].join(','),
    'Access-Control-Max-Age': '300',
  });
  out.end();
  return true;
}
