import { readFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { ErrorRequestHandler, RequestHandler } from 'express';
import { installed } from '../../lib/installed.ts';
import type { EdgeOptions } from './http.ts';

/**
 * The ceremony page below /ui/ceremony/: a few files that are read once. Express is loaded here, with the first request.
 *
 * I1  Only the files of this table are served, by their names: nothing of a request becomes part of a path.
 * I2  The page may load and ask nothing but what this server has, may not be framed, and leaves nothing in a cache.
 *     Headers of sys/config/ui/headers are added, and cannot weaken this.
 * I3  The page has no endpoints of its own: what it sends goes to the API, which does not trust it.
 */
const PAGE = installed('engine/http/ceremony-page');
const OPENPGP = join(dirname(createRequire(import.meta.url).resolve('openpgp')), '../lightweight');

const HTML = 'text/html; charset=utf-8';
const SCRIPT = 'text/javascript; charset=utf-8';

const FILES: ReadonlyMap<string, { readonly file: string; readonly type: string }> = new Map([
  ['', { file: join(PAGE, 'index.html'), type: HTML }],
  ['style.css', { file: join(PAGE, 'style.css'), type: 'text/css; charset=utf-8' }],
  ...['main.js', 'view.js', 'form.js', 'open-share.js', 'proof.js', 'spoken.js'].map(
    (name) => [name, { file: join(PAGE, name), type: SCRIPT }] as const,
  ),
  ...[
    'openpgp',
    'argon2id',
    'legacy_ciphers',
    'nacl-fast',
    'noble_curves',
    'noble_hashes',
    'sha512',
    'unbzip2-stream',
  ].map((name) => {
    const file = `${name}.min.mjs`;
    return [`openpgp/${file}`, { file: join(OPENPGP, file), type: SCRIPT }] as const;
  }),
]);

const SECURITY: Readonly<Record<string, string>> = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), display-capture=(), geolocation=(), microphone=()',
  'Cache-Control': 'no-store',
};

/** @returns what answers every request below /ui */
export async function createPages({
  settings,
  log,
}: Pick<EdgeOptions, 'settings' | 'log'>): Promise<RequestListener> {
  const { default: express } = await import('express');
  const read = new Map<string, Promise<Buffer>>();
  const pages = express();
  pages.disable('x-powered-by');
  pages.disable('etag');
  pages.enable('strict routing');
  pages.use((_request, response, next) => {
    for (const [name, values] of Object.entries(settings()?.ui ?? {})) response.setHeader(name, values);
    for (const [name, value] of Object.entries(SECURITY)) response.setHeader(name, value);
    next();
  });
  const serve: RequestHandler = async (request, response, next) => {
    const found = FILES.get(request.path.slice('/ui/ceremony/'.length));
    if (found === undefined) {
      next();
      return;
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.set('Allow', 'GET, HEAD').status(405).json({ errors: [] });
      return;
    }
    let content = read.get(found.file);
    if (content === undefined) {
      content = readFile(found.file);
      read.set(found.file, content);
    }
    response.set('Content-Type', found.type).send(await content);
  };
  pages.get(['/ui', '/ui/', '/ui/ceremony'], (_request, response) => response.redirect(307, '/ui/ceremony/'));
  pages.all(['/ui/ceremony/', '/ui/ceremony/*file'], serve);
  pages.use((_request, response) => {
    response.status(404).json({ errors: [] });
  });
  // Express would answer with the stack.
  const failed: ErrorRequestHandler = (err: unknown, _request, response, _next) => {
    const bad = err instanceof URIError;
    if (!bad) log.error({ err }, 'a page could not be served');
    if (response.headersSent) response.destroy();
    else response.status(bad ? 400 : 500).json({ errors: [] });
  };
  pages.use(failed);
  return pages as unknown as RequestListener;
}
