import { pino, type DestinationStream, type Logger as PinoLogger } from 'pino';
import { SealedVaultError } from './errors.ts';

/** Structured log: a constant message, variables as fields. Never given a secret; what slips through is not printed. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(bindings: object): Logger;
}

/** Vault's level names. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

export interface LogOptions {
  readonly level: LogLevel;
  readonly destination?: DestinationStream;
}

interface LoggedError {
  type: string;
  code?: string;
  message: string;
  stack?: string;
  cause?: LoggedError;
}

/** JSON lines on standard error (or the given destination). */
export function createLogger(options: LogOptions): Logger & { setLevel(level: LogLevel): void } {
  const logger: PinoLogger = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: logError },
    },
    options.destination ?? pino.destination({ fd: 2, sync: true }),
  );
  return Object.assign(wrap(logger), {
    setLevel: (level: LogLevel): void => {
      logger.level = level;
    },
  });
}

function wrap(logger: PinoLogger): Logger {
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    child: (bindings) => wrap(logger.child(bindings)),
  };
}

// An allow-list: the stock serializer prints own properties, and foreign errors carry requests and headers in them.
function logError(error: unknown, depth = 0): LoggedError {
  if (!(error instanceof Error))
    return { type: typeof error, message: 'a value that is not an error was thrown' };
  const code = error instanceof SealedVaultError ? error.code : systemCode(error);
  return {
    type: error.name,
    ...(code === undefined ? {} : { code }),
    message: error.message,
    ...(error.stack === undefined || depth > 0 ? {} : { stack: error.stack }),
    ...(error.cause === undefined || depth >= 4 ? {} : { cause: logError(error.cause, depth + 1) }),
  };
}

function systemCode(error: Error): string | undefined {
  const code: unknown = Reflect.get(error, 'code');
  return typeof code === 'string' ? code : undefined;
}
