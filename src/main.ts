#!/usr/bin/env node
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Arguments } from './cli/arguments.ts';
import { type CommandLine, parseCommandLine } from './cli/parse.ts';
import type { EngineConfig } from './engine/config.ts';
import type { Core } from './engine/core/core.ts';
import type { Engine } from './engine/server.ts';
import type { EarlyProcess } from './engine/seal/pkcs11/early.ts';
import { systemClock } from './lib/clock.ts';
import { describeError, errorCode, SealedVaultError } from './lib/errors.ts';
import { createLogger, type Logger, type LogLevel } from './lib/log.ts';
import { LogSink } from './lib/log-sink.ts';
import { systemRandom } from './lib/random.ts';

class PidFileUnusable extends SealedVaultError {
  override readonly code = 'ERR_CONFIG_INVALID';
}

/**
 * With plugin.ts the only file that reads arguments and the environment, handles signals and ends the process.
 * Exit codes: 0 as asked; 1 failed; 2 wrong usage (and `status` of a sealed vault, as Vault's own command).
 */

// Without a handler of its own, this signal opens a debugger on a TCP port.
process.on('SIGUSR1', () => undefined);

try {
  process.exitCode = await run(parseCommandLine(process.argv.slice(2)));
} catch (err) {
  process.stderr.write(`${describeError(err)}\n`);
  process.exitCode = 1;
}

async function run(line: CommandLine): Promise<number> {
  if (line.kind === 'version') return printVersion();
  if (line.kind === 'help') {
    process.stdout.write(line.text);
    return 0;
  }
  if (line.kind === 'fault') {
    process.stderr.write(`${line.sentence}\n\n${line.help}`);
    // Of status, 2 says that the vault is sealed.
    return line.words[0] === 'status' ? 1 : 2;
  }
  const { args, words } = line;
  switch (words[0] ?? '') {
    case 'server':
      return server(args);
    case 'controller':
      return controller();
    case 'hsm-agent':
      return hsmAgent(args);
    case 'hsm':
      return initToken(args);
    case 'operator':
      return decodeRootToken(args);
    case 'status':
      return status(args);
    case 'ceremony':
      return ceremony(args, words[1] ?? '', line.operands);
    case 'version':
      return printVersion();
    default:
      throw new TypeError(`nothing runs ${words.join(' ')}`);
  }
}

async function server(options: Arguments): Promise<number> {
  const dev = options.on('dev') || options.on('dev-tls');
  const paths = configPaths(options);
  if (paths.length === 0 && !dev) {
    process.stderr.write('A configuration is needed: -config=FILE (server --help lists the options).\n');
    return 2;
  }
  const { loadEngineConfig } = await import('./engine/config-file.ts');
  const sink = new LogSink(systemClock);
  const log = createLogger({ level: 'info', destination: sink });
  const ports = { clock: systemClock, random: systemRandom };
  let earlyAgent: EarlyProcess | undefined;
  try {
    await hardenProcess(dev, log);
    const devText = dev ? await prepareDev(options, paths) : undefined;
    const load = (): ReturnType<typeof loadEngineConfig> => {
      const loaded = loadEngineConfig(paths, process.env, devText, logFlags(options));
      log.setLevel(loaded.config.logLevel);
      sink.configure(loaded.config.log.format, loaded.config.log.file);
      return loaded;
    };
    const { config, warnings } = load();
    for (const warning of warnings) log.warn({}, warning);
    const env = { ...process.env };
    earlyAgent = await startAgentEarly(config, env, log);
    const { startEngine } = await import('./engine/server.ts');
    const engine = await startEngine({
      config,
      env,
      ...(earlyAgent === undefined ? {} : { earlyAgent }),
      ...ports,
      log,
      commandLine: process.argv,
      configPaths: paths,
      recovery: options.on('recovery'),
    });
    forgetCredentials();
    process.on('SIGHUP', () => {
      let next: EngineConfig | undefined;
      try {
        next = load().config;
      } catch (err) {
        log.error({ err }, 'the configuration could not be read again: what was in force stays');
      }
      engine.reload(next).catch((err: unknown) => log.error({ err }, 'the reload failed'));
    });
    if (config.pidFile !== undefined) await writePid(config.pidFile, engine);
    if (dev) await announceDev(engine.core, config.apiAddress, options);
    process.stdout.write('==> Vault server started! Log data will stream in below:\n\n');
    await terminated();
    await engine.stop();
    if (config.pidFile !== undefined) rmSync(config.pidFile, { force: true });
    return 0;
  } catch (err) {
    await earlyAgent?.close();
    log.error({ err, code: errorCode(err) }, describeError(err));
    return 1;
  }
}

function configPaths(options: Arguments): readonly string[] {
  const given = options.all('config');
  if (given.length > 0) return given;
  const said = process.env['BAO_CONFIG_PATH'] || process.env['VAULT_CONFIG_PATH'] || '';
  return said.split(',').flatMap((path) => path.trim() || []);
}

/** The flags of the log, by the names of the keys that they are used instead of. */
function logFlags(options: Arguments): Record<string, string> {
  return Object.fromEntries(
    options.names
      .filter((name) => name.startsWith('log-'))
      .map((name) => [name.replaceAll('-', '_'), options.get(name) ?? '']),
  );
}

// Once the engine listens: the file of an engine that is running already is not touched.
async function writePid(path: string, engine: Engine): Promise<void> {
  try {
    writeFileSync(path, `${process.pid}\n`, { mode: 0o644 });
  } catch (cause) {
    await engine.stop();
    throw new PidFileUnusable('pid_file cannot be written', {
      cause,
      hint: 'check its folder and permissions',
    });
  }
}

// While the rest of the engine is being loaded. Several seals have environments that have to be told apart first.
async function startAgentEarly(
  { seal, moreSeals, migrateFrom }: EngineConfig,
  env: Readonly<Record<string, string | undefined>>,
  log: Logger,
): Promise<EarlyProcess | undefined> {
  if (seal.type !== 'pkcs11' || migrateFrom !== undefined || moreSeals.length > 0) return undefined;
  const { startEarly } = await import('./engine/seal/pkcs11/early.ts');
  return startEarly(seal.stanza, env, log);
}

function devSetting(options: Arguments, flag: string): string {
  const name = flag.toUpperCase().replaceAll('-', '_');
  return options.get(flag) ?? process.env[`BAO_${name}`] ?? process.env[`VAULT_${name}`] ?? '';
}

async function prepareDev(options: Arguments, paths: readonly string[]): Promise<string> {
  const { devConfig } = await import('./engine/dev.ts');
  return devConfig(
    {
      listenAddress: devSetting(options, 'dev-listen-address') || '127.0.0.1:8200',
      tlsDir: options.on('dev-tls') ? devTlsDir(options) : undefined,
      configPaths: paths,
    },
    { clock: systemClock, random: systemRandom },
  );
}

function devTlsDir(options: Arguments): string {
  return devSetting(options, 'dev-tls-cert-dir') || join(tmpdir(), `sealedvault-dev-${process.pid}`);
}

async function announceDev(core: Core, address: string, options: Arguments): Promise<void> {
  const { DEV_CA, devBanner, initializeDev } = await import('./engine/dev.ts');
  const vault = await initializeDev(core, devSetting(options, 'dev-root-token-id'));
  const ca = options.on('dev-tls') ? join(devTlsDir(options), DEV_CA) : undefined;
  process.stdout.write(devBanner(address, vault, ca));
  // Where Vault's and OpenBao's commands look for a token.
  if (!options.on('dev-no-store-token'))
    writeFileSync(join(homedir(), '.vault-token'), vault.rootToken, { mode: 0o600 });
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
  }).catch((err: unknown) => {
    log.error({ err, code: errorCode(err) }, describeError(err));
    return 1;
  });
  // A leader that lost its lease must not do anything more.
  process.exit(code);
}

async function hsmAgent(options: Arguments): Promise<number> {
  const listenPath = options.get('listen') ?? '';
  const { runHsmAgent } = await import('./engine/seal/pkcs11/sidecar.ts');
  const log = createLogger({ level: logLevel(process.env['VAULT_LOG_LEVEL']) });
  const config = options.get('config');
  const env = { ...process.env };
  forgetCredentials();
  try {
    await hardenProcess(false, log);
    const configText = config === undefined ? '' : readFileSync(config, 'utf8');
    const allowGroup = options.on('allow-group');
    return await runHsmAgent({ configText, listenPath, allowGroup, env, log, signal: terminationSignal() });
  } catch (err) {
    log.error({ err, code: errorCode(err) }, describeError(err));
    return 1;
  }
}

// Before the configuration is read: no key and no PIN is in memory yet but what the environment holds.
async function hardenProcess(dev: boolean, log: Logger): Promise<void> {
  const { harden } = await import('./engine/process/harden.ts');
  for (const warning of harden({ execArgv: process.execArgv, env: process.env, dev })) log.warn({}, warning);
}

async function initToken(options: Arguments): Promise<number> {
  const lib = options.get('lib') ?? '';
  const label = options.get('label') ?? '';
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

async function decodeRootToken(options: Arguments): Promise<number> {
  const { decodeToken } = await import('./lib/encoded-token.ts');
  const token = decodeToken(options.get('decode') ?? '', options.get('otp') ?? '');
  if (token === undefined) {
    process.stderr.write('The encoded token and the one-time password do not belong together.\n');
    return 1;
  }
  process.stdout.write(`${token}\n`);
  return 0;
}

async function status(options: Arguments): Promise<number> {
  const { printStatus } = await import('./cli/status.ts');
  const address =
    options.get('address') ??
    process.env['BAO_ADDR'] ??
    process.env['VAULT_ADDR'] ??
    'https://127.0.0.1:8200';
  const caFile = process.env['BAO_CACERT'] ?? process.env['VAULT_CACERT'];
  let ca: string | undefined;
  try {
    ca = caFile === undefined ? undefined : readFileSync(caFile, 'utf8');
  } catch {
    process.stderr.write(`The file ${caFile}, which BAO_CACERT or VAULT_CACERT names, cannot be read.\n`);
    return 1;
  }
  return printStatus({ address, ca, json: options.get('format') === 'json' });
}

async function ceremony(args: Arguments, verb: string, words: readonly string[]): Promise<number> {
  const { runCeremony } = await import('./cli/ceremony/ceremony.ts');
  const { Terminal } = await import('./cli/ceremony/terminal.ts');
  const { stdin: input, stdout: output, stderr: errors } = process;
  const terminal = new Terminal({ input, output, errors });
  return runCeremony(verb, { args, words, env: process.env, terminal, clock: systemClock });
}

async function printVersion(): Promise<number> {
  const { version } = await import('./engine/version.ts');
  process.stdout.write(`SealedVault v${version}\n`);
  return 0;
}

function logLevel(text: string | undefined): LogLevel {
  const level = text?.toLowerCase();
  return level === 'trace' || level === 'debug' || level === 'warn' || level === 'error' ? level : 'info';
}

// Children must not inherit what only the HSM agent needs.
function forgetCredentials(): void {
  for (const name of Object.keys(process.env))
    if (/^(?:VAULT|BAO)_HSM_(?:\w+_)?PIN(?:_.+)?$/.test(name)) delete process.env[name];
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
