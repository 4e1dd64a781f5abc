import { type Path, path } from '../logical/logical.ts';
import { badRequest, data, empty, notFound } from '../logical/response.ts';
import type { LogLevel } from '../../lib/log.ts';
import type { ProcessPort } from './process-port.ts';

const LEVELS: Readonly<Record<string, LogLevel>> = {
  trace: 'trace',
  debug: 'debug',
  notice: 'info',
  info: 'info',
  warn: 'warn',
  warning: 'warn',
  err: 'error',
  error: 'error',
};

const level = {
  type: 'string',
  description: 'trace, debug, info, warn or error.',
  default: '',
} as const;

/** loggers and monitor: how much the log says, and the log itself. */
export function loggerPaths({ log }: ProcessPort): Path[] {
  const noLevel = badRequest('level is required');
  const badLevel = (given: string): ReturnType<typeof badRequest> =>
    badRequest(`invalid level provided: ${JSON.stringify(given)}`);
  return [
    path({
      pattern: 'loggers',
      synopsis: 'Reads or sets the level of all loggers.',
      fields: { level },
      operations: {
        read: { summary: 'Read the log level of all loggers.', handler: () => data(log.levels()) },
        update: {
          summary: 'Modify the log level of all loggers.',
          handler: (_request, values) => {
            const wanted = LEVELS[values.level.toLowerCase()];
            if (values.level === '') return noLevel;
            if (wanted === undefined) return badLevel(values.level);
            log.setLevel(wanted);
            return empty;
          },
        },
        delete: {
          summary: 'Revert all loggers to the configured level.',
          handler: () => {
            log.reset();
            return empty;
          },
        },
      },
    }),
    path({
      pattern: 'loggers/:name',
      names: { name: 'any' },
      synopsis: 'Reads or sets the level of one logger.',
      fields: { name: { type: 'string', description: 'The name of the logger.', required: true }, level },
      operations: {
        read: {
          summary: 'Read the log level of a single logger.',
          handler: (_request, { name }) => {
            const found = log.levels()[name];
            return found === undefined ? notFound : data({ [name]: found });
          },
        },
        update: {
          summary: 'Modify the log level of a single logger.',
          handler: (_request, values) => {
            const wanted = LEVELS[values.level.toLowerCase()];
            if (values.level === '') return noLevel;
            if (wanted === undefined) return badLevel(values.level);
            return log.setPartLevel(values.name, wanted)
              ? empty
              : badRequest(`logger ${JSON.stringify(values.name)} not found`);
          },
        },
        delete: {
          summary: 'Revert a single logger to the configured level.',
          handler: (_request, { name }) =>
            log.setPartLevel(name, undefined)
              ? empty
              : badRequest(`logger ${JSON.stringify(name)} not found`),
        },
      },
    }),
    path({
      pattern: 'monitor',
      synopsis: 'Streams the log of this node, as long as the client listens.',
      fields: {
        log_level: {
          type: 'string',
          description: 'The level to stream; info by default.',
          default: 'info',
          query: true,
        },
        log_format: { type: 'string', description: 'standard or json.', default: 'standard', query: true },
      },
      operations: {
        read: {
          summary: 'Stream the log.',
          handler: (_request, values) => {
            const from = LEVELS[values.log_level.toLowerCase()];
            if (from === undefined) return badRequest(`unknown log level`);
            if (!['standard', 'json'].includes(values.log_format)) return badRequest(`unknown log format`);
            const json = values.log_format === 'json';
            return {
              kind: 'stream',
              contentType: json ? 'application/json' : 'text/plain; charset=utf-8',
              start: (write) => log.listen(from, (line) => write(json ? line : readable(line))),
            };
          },
        },
      },
    }),
  ];
}

interface LogLine {
  readonly level: string;
  readonly time: string;
  readonly msg: string;
  readonly module?: string;
}

// `2026-01-01T00:00:00.000Z [INFO]  core: the vault is unsealed: clusterId=…`
function readable(line: string): string {
  const { level: severity, time, msg, module, ...fields } = JSON.parse(line) as LogLine;
  const rest = Object.entries(fields).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  const label = `[${severity.toUpperCase()}]`.padEnd(7);
  const where = module === undefined ? '' : `${module}: `;
  return `${time} ${label} ${where}${msg}${rest.length === 0 ? '' : `: ${rest.join(' ')}`}\n`;
}
