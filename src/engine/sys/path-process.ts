import { utf8 } from '../../lib/bytes.ts';
import type { JsonObject } from '../../lib/json.ts';
import { type Path, path } from '../logical/logical.ts';
import { badRequest, data, type Response } from '../logical/response.ts';
import type { ProcessPort } from './process-port.ts';

/** metrics, in-flight-req, config/state/sanitized, config/reload and pprof: what the process is doing. */
export function processPaths(port: ProcessPort): Path[] {
  const read = (pattern: string, synopsis: string, handler: () => Promise<Response> | Response): Path =>
    path({ pattern, synopsis, fields: {}, operations: { read: { summary: synopsis, handler } } });
  const raw = (body: JsonObject): Response => ({ kind: 'raw', status: 200, body });
  return [
    path({
      pattern: 'metrics',
      synopsis: 'Export the metrics aggregated for telemetry purpose.',
      access: 'metrics',
      fields: {
        format: { type: 'string', description: 'prometheus, or JSON by default.', default: '', query: true },
      },
      operations: {
        read: {
          summary: 'Export the metrics aggregated for telemetry purpose.',
          handler: async (_request, { format }) => {
            if (format === '') return raw(await port.metrics.snapshot());
            if (format !== 'prometheus')
              return badRequest(`metric response format ${JSON.stringify(format)} unknown`);
            const text = await port.metrics.prometheus();
            if (text === undefined) return badRequest('prometheus is not enabled');
            return {
              kind: 'bytes',
              status: 200,
              contentType: 'text/plain; version=0.0.4; charset=utf-8',
              body: utf8(text),
            };
          },
        },
      },
    }),
    read('in-flight-req', 'Reports the requests that are being served.', () => raw(port.inFlight())),
    read('config/state/sanitized', 'Return the configuration of this node, without secrets.', () =>
      data(port.sanitizedConfig),
    ),
    path({
      pattern: 'config/reload/:subsystem',
      names: { subsystem: 'any' },
      synopsis: 'Reload the given subsystem.',
      access: 'sudo',
      fields: { subsystem: { type: 'string', description: 'The subsystem: tls.', required: true } },
      operations: {
        update: {
          summary: 'Reload the given subsystem.',
          handler: async (_request, { subsystem }) => {
            if (subsystem !== 'tls')
              return { kind: 'refusal', status: 404, errors: [`unknown subsystem; certificates are "tls"`] };
            await port.reload();
            return { kind: 'empty' };
          },
        },
      },
    }),
    read('pprof', 'What can be looked at, each for a JSON answer.', () =>
      data({ keys: ['allocs', 'cmdline', 'goroutine', 'heap', 'profile'] }),
    ),
    read('pprof/cmdline', 'The command line of this process.', () =>
      data({ cmdline: [...port.commandLine] }),
    ),
    read('pprof/goroutine', 'What the event loop waits for: resources by kind.', () =>
      data({ resources: port.profiler.resources() }),
    ),
    read('pprof/heap', 'Sizes of the heap. Never a snapshot: it would hold keys.', () =>
      data(port.profiler.heap()),
    ),
    ...(['profile', 'allocs'] as const).map((kind) =>
      path({
        pattern: `pprof/${kind}`,
        synopsis:
          kind === 'profile'
            ? 'A CPU profile in the .cpuprofile format of Chromium.'
            : 'A sampling profile of allocations: sizes and functions, no values.',
        access: 'sudo',
        fields: {
          seconds: { type: 'int', description: 'How long to look: 1 to 60.', default: 10, query: true },
        },
        operations: {
          read: {
            summary: 'Look for some seconds.',
            handler: async ({ signal }, { seconds }) => {
              if (seconds < 1 || seconds > 60) return badRequest('seconds must be between 1 and 60');
              return raw(await port.profiler.sample(kind, seconds, signal));
            },
          },
        },
      }),
    ),
  ];
}
