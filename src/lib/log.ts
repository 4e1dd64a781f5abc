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

/** `json`: one object a line; `standard`: Vault's text. */
export type LogFormat = 'json' | 'standard';

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

/** The log of a process: parts with names and levels of their own, and readers that listen for a while. */
export interface RootLogger extends Logger {
  /** Of everything; parts that were set by themselves are set too. */
  setLevel(level: LogLevel): void;
  /** A part, such as `core`; its lines carry its name. The same name gives the same part. */
  part(name: string): Logger;
  /** The levels of the parts, by name. */
  levels(): Readonly<Record<string, LogLevel>>;
  /** @param level undefined for the level of everything @returns false when there is no such part */
  setPartLevel(name: string, level: LogLevel | undefined): boolean;
  /** Hands every line of a level and above to a reader, whatever the log's own level. @returns how to end it */
  listen(level: LogLevel, write: (line: string) => void): () => void;
}

const ORDER: Readonly<Record<LogLevel, number>> = { trace: 10, debug: 20, info: 30, warn: 40, error: 50 };

type Severity = 'debug' | 'info' | 'warn' | 'error';

interface Listener {
  readonly level: number;
  readonly logger: PinoLogger;
}

/** JSON lines on standard error (or the given destination). */
export function createLogger(options: LogOptions): RootLogger {
  const logger = makePino(options.destination ?? pino.destination({ fd: 2, sync: true }));
  const listeners = new Set<Listener>();
  const parts = new Map<string, { readonly log: Logger; level: LogLevel | undefined }>();
  let { level } = options;

  const wrap = (bindings: object, target: PinoLogger, own: () => LogLevel): Logger => {
    const write = (severity: Severity) => (fields: object, message: string) => {
      if (ORDER[severity] >= ORDER[own()]) target[severity](fields, message);
      for (const listener of listeners)
        if (ORDER[severity] >= listener.level) listener.logger[severity]({ ...bindings, ...fields }, message);
    };
    return {
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
      child: (more) => wrap({ ...bindings, ...more }, target.child(more), own),
    };
  };
  const part = (name: string): Logger => {
    const known = parts.get(name);
    if (known !== undefined) return known.log;
    const state: { level: LogLevel | undefined } = { level: undefined };
    const log = wrap({ module: name }, logger.child({ module: name }), () => state.level ?? level);
    parts.set(name, Object.assign(state, { log }));
    return log;
  };
  return {
    ...wrap({}, logger, () => level),
    part,
    levels: () => Object.fromEntries([...parts].map(([name, each]) => [name, each.level ?? level])),
    setLevel: (next) => {
      level = next;
      for (const each of parts.values()) each.level = undefined;
    },
    setPartLevel: (name, next) => {
      const found = parts.get(name);
      if (found !== undefined) found.level = next;
      return found !== undefined;
    },
    listen: (from, write) => {
      const listener = { level: ORDER[from], logger: makePino({ write }) };
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function makePino(destination: DestinationStream): PinoLogger {
  return pino(
    {
      level: 'trace',
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: logError },
    },
    destination,
  );
}

// What a person set is wrong: where this program noticed says nothing.
const OF_SETTINGS = ['ERR_CONFIG_INVALID', 'ERR_CONFIG_PERMISSIONS', 'ERR_HCL_SYNTAX', 'ERR_HSM_PIN_MISSING'];

// An allow-list: the stock serializer prints own properties, and foreign errors carry requests and headers in them.
function logError(error: unknown, depth = 0): LoggedError {
  if (!(error instanceof Error))
    return { type: typeof error, message: 'a value that is not an error was thrown' };
  const code = error instanceof SealedVaultError ? error.code : systemCode(error);
  return {
    type: error.name,
    ...(code === undefined ? {} : { code }),
    message: error.message,
    ...(error.stack === undefined || depth > 0 || OF_SETTINGS.includes(code ?? '')
      ? {}
      : { stack: error.stack }),
    ...(error.cause === undefined || depth >= 4 ? {} : { cause: logError(error.cause, depth + 1) }),
  };
}

function systemCode(error: Error): string | undefined {
  const code: unknown = Reflect.get(error, 'code');
  return typeof code === 'string' ? code : undefined;
}
