import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Metrics } from './metrics.ts';

/** What the probes are asked for. */
export interface HealthOptions {
  /** 0 for any free port. */
  readonly healthPort: number;
  readonly metricsPort: number;
  readonly host?: string;
  /** Whether the process does its work; false gets it restarted. */
  readonly alive: () => boolean;
  /** Whether the caches are complete; leadership is no matter. */
  readonly ready: () => boolean;
  readonly metrics: Metrics;
}

/** Two running servers. */
export interface HealthServers {
  readonly healthPort: number;
  readonly metricsPort: number;
  close(): Promise<void>;
}

/** Starts /healthz and /readyz on one port and /metrics on another. @throws Error when a port is taken */
export async function startHealth(options: HealthOptions): Promise<HealthServers> {
  const health = serve((path) => {
    if (path === '/healthz') return options.alive() ? ok('ok\n') : { status: 503, body: 'not alive\n' };
    if (path === '/readyz') return options.ready() ? ok('ok\n') : { status: 503, body: 'not ready\n' };
    return undefined;
  });
  const metrics = serve((path) => (path === '/metrics' ? ok(options.metrics.render()) : undefined));
  const healthPort = await listen(health, options.healthPort, options.host);
  try {
    const metricsPort = await listen(metrics, options.metricsPort, options.host);
    return {
      healthPort,
      metricsPort,
      close: async () => {
        await Promise.all([close(health), close(metrics)]);
      },
    };
  } catch (error: unknown) {
    await close(health);
    throw error;
  }
}

interface Page {
  readonly status: number;
  readonly body: string;
}

function ok(body: string): Page {
  return { status: 200, body };
}

function serve(answer: (path: string) => Page | undefined): Server {
  return createServer(
    { requestTimeout: 5_000, headersTimeout: 5_000, maxHeaderSize: 8_192 },
    (request, response) => {
      const get = request.method === 'GET' || request.method === 'HEAD';
      const page = get ? answer((request.url ?? '').split('?')[0] ?? '') : undefined;
      const { status, body } = page ?? { status: 404, body: 'not found\n' };
      response.writeHead(status, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
      response.end(request.method === 'HEAD' ? undefined : body);
    },
  );
}

function listen(server: Server, port: number, host: string | undefined): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, ...(host === undefined ? {} : { host }) }, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
