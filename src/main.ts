#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { systemClock } from './lib/clock.ts';
import { describeError, errorCode } from './lib/errors.ts';
import { createLogger, type LogLevel } from './lib/log.ts';
import { systemRandom } from './lib/random.ts';

/**
 * The only file that reads arguments and the environment, handles signals and ends the process.
 * Exit codes: 0 as asked; 1 failed; 2 wrong usage (and `status` of a sealed vault, as Vault's own command).
 */
const USAGE = `Usage: sealedvault <command> [options]

  server -config=FILE                     run an engine
  controller                              run the operator
  hsm-agent -config=FILE -listen=SOCKET   run the HSM agent beside an engine
  hsm init-token --lib=FILE --label=NAME  make a SoftHSM token (HSM_PIN and HSM_SO_PIN in the environment)
  status [-address=URL]                   show the seal status of a vault
  version                                 print the version
`;

type Flags = ReadonlyMap<string, string>;

// Without a handler of its own, this signal opens a debugger on a TCP port.
process.on('SIGUSR1', () => undefined);

const { words, flags } = readArguments(process.argv.slice(2));
process.exitCode = await run(words, flags);

async function run([verb = '', ...rest]: readonly string[], options: Flags): Promise<number> {
  if (options.has('version') || options.has('v')) return printVersion();
  switch (verb) {
    case 'server':
      return server(options);
    case 'controller':
      return controller();
    case 'hsm-agent':
      return hsmAgent(options);
    case 'hsm':
      return rest[0] === 'init-token' ? initToken(options) : usage();
    case 'status':
      return status(options);
    case 'version':
      return printVersion();
    default:
      return usage();
  }
}

async function server(options: Flags): Promise<number> {
  const path = options.get('config');
  if (path === undefined) return usage();
  const { loadEngineConfig } = await import('./engine/config-file.ts');
  const { startEngine } = await import('./engine/server.ts');
  const log = createLogger({ level: 'info' });
  try {
    const { config, warnings } = loadEngineConfig(path, process.env);
    log.setLevel(options.has('log-level') ? logLevel(options.get('log-level')) : config.logLevel);
    for (const warning of warnings) log.warn({}, warning);
    const engine = await startEngine({
      config,
      env: { ...process.env },
      clock: systemClock,
      random: systemRandom,
      log,
    });
    forgetCredentials();
    process.on('SIGHUP', () => {
      engine.reload().catch((err: unknown) => log.error({ err }, 'the reload failed'));
    });
    await terminated();
    await engine.stop();
    return 0;
  } catch (err) {
    log.error({ err, code: errorCode(err) }, describeError(err));
    return 1;
  }
}

async function controller(): Promise<number> {
  const { runController } = await import('./operator/manager.ts');
  const log = createLogger({ level: logLevel(process.env['LOG_LEVEL']) });
  const code = await runController({
    env: process.env,
    log,
    clock: systemClock,
    random: systemRandom,
    signal: terminationSignal(),
  });
  // A leader that lost its lease must not do anything more.
  process.exit(code);
}

async function hsmAgent(options: Flags): Promise<number> {
  const listenPath = options.get('listen');
  if (listenPath === undefined) return usage();
  const { runHsmAgent } = await import('./engine/seal/pkcs11/sidecar.ts');
  const log = createLogger({ level: logLevel(process.env['VAULT_LOG_LEVEL']) });
  const config = options.get('config');
  const env = { ...process.env };
  forgetCredentials();
  try {
    const configText = config === undefined ? '' : readFileSync(config, 'utf8');
    return await runHsmAgent({ configText, listenPath, env, log, signal: terminationSignal() });
  } catch (err) {
    log.error({ err, code: errorCode(err) }, describeError(err));
    return 1;
  }
}

async function initToken(options: Flags): Promise<number> {
  const lib = options.get('lib');
  const label = options.get('label');
  if (lib === undefined || label === undefined) return usage();
  const { runHsmInitToken } = await import('./engine/seal/pkcs11/init-token.ts');
  try {
    const token = await runHsmInitToken({ lib, label, env: process.env });
    process.stdout.write(`${JSON.stringify(token)}\n`);
    return 0;
  } catch (err) {
    process.stderr.write(`${describeError(err)}\n`);
    return 1;
  }
}

async function status(options: Flags): Promise<number> {
  const { printStatus } = await import('./cli/status.ts');
  const address =
    options.get('address') ??
    process.env['BAO_ADDR'] ??
    process.env['VAULT_ADDR'] ??
    'https://127.0.0.1:8200';
  const caFile = process.env['BAO_CACERT'] ?? process.env['VAULT_CACERT'];
  return printStatus({
    address,
    ca: caFile === undefined ? undefined : readFileSync(caFile, 'utf8'),
    json: options.get('format') === 'json',
  });
}

async function printVersion(): Promise<number> {
  const { version } = await import('./engine/version.ts');
  process.stdout.write(`SealedVault v${version}\n`);
  return 0;
}

function usage(): number {
  process.stderr.write(USAGE);
  return 2;
}

/** `-name=value`, `--name=value`, `-name value`, and flags without a value. */
function readArguments(args: readonly string[]): { words: string[]; flags: Flags } {
  const words: string[] = [];
  const flags = new Map<string, string>();
  for (let index = 0; index < args.length; index += 1) {
    const argument = args[index] ?? '';
    const match = /^--?([a-z][a-z0-9-]*)(?:=(.*))?$/s.exec(argument);
    if (match === null) {
      words.push(argument);
      continue;
    }
    const [, name = '', value] = match;
    const next = args[index + 1];
    if (
      value === undefined &&
      next !== undefined &&
      !next.startsWith('-') &&
      !['version', 'v'].includes(name)
    ) {
      flags.set(name, next);
      index += 1;
    } else flags.set(name, value ?? '');
  }
  return { words, flags };
}

function logLevel(text: string | undefined): LogLevel {
  const level = text?.toLowerCase();
  return level === 'trace' || level === 'debug' || level === 'warn' || level === 'error' ? level : 'info';
}

// Children must not inherit what only the HSM agent needs.
function forgetCredentials(): void {
  for (const name of Object.keys(process.env))
    if (/^(?:VAULT|BAO)_HSM_(?:\w+_)?PIN$/.test(name)) delete process.env[name];
}

function terminationSignal(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => controller.abort());
  return controller.signal;
}

function terminated(): Promise<void> {
  const signal = terminationSignal();
  return new Promise((resolve) => {
    // An engine whose sockets are all idle must stay.
    const keepAlive = setInterval(() => undefined, 2 ** 30);
    signal.addEventListener('abort', () => {
      clearInterval(keepAlive);
      resolve();
    });
  });
}
