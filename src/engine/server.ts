import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Server } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import type { Clock } from '../lib/clock.ts';
import type { Logger, RootLogger } from '../lib/log.ts';
import { augmentedKeyRandom, plainKeyRandom } from '../lib/key-random.ts';
import type { Random } from '../lib/random.ts';
import { type AuditRules, openAudit } from './audit/audit.ts';
import { checkOptions, parseDevice } from './audit/config.ts';
import {
  ConfigInvalid,
  type EngineConfig,
  type Environment,
  type SealStanza,
  type TlsConfig,
} from './config.ts';
import { listen } from './listen.ts';
import type { KmsLibraryPlace } from './config-kms-library.ts';
import { parseSealHealth } from './config-seal-health.ts';
import { Core } from './core/core.ts';
import { sealMeter } from './core/seal-meter.ts';
import { createPipeline } from './core/pipeline.ts';
import { createRecoveryPipeline } from './core/recovery-pipeline.ts';
import { RecoveryMode, type RecoveryModeOptions } from './core/recovery-mode.ts';
import { createEdge, type EdgeSettings, type TlsMaterial, tlsOptions } from './http/http.ts';
import { createInmem } from './physical/inmem.ts';
import type { Metrics } from './metrics/metrics.ts';
import { openLmdb } from './physical/lmdb.ts';
import { createProcessServices } from './process/process.ts';
import { factories } from './registry.ts';
import { sanitized } from './sanitized-config.ts';
import { createSealGroup, type Member } from './seal/group/group.ts';
import { HandoverSeal } from './seal/handover.ts';
import { isHsmSeal, type Seal } from './seal/seal.ts';
import { BREAK_GLASS, createBreakGlassSeal } from './seal/break-glass.ts';
import { createShamirSeal } from './seal/shamir.ts';
import type { EarlyProcess } from './seal/pkcs11/early.ts';
import { createPkcs11Seal } from './seal/pkcs11/pkcs11.ts';
import { environmentOfOne, parsePkcs11Config, type Pkcs11Config } from './seal/pkcs11/config.ts';
import { DEFAULT_TIMING } from './seal/pkcs11/agent.ts';
import { HeldLibrary } from './seal/pkcs11/held-library.ts';
import { type HeldKeyPort, KeyLibrary } from './seal/pkcs11/key-library.ts';
import { sealKeyNames } from './seal/pkcs11/seal-key-names.ts';
import { RemoteHeldKeys } from './seal/pkcs11/remote-held-keys.ts';
import { libraryEnvironment } from './seal/pkcs11/library-env.ts';
import { buildDate, version } from './version.ts';

/**
 * The composition root of an engine: storage, seal, core and edge, wired in the order in which they start and
 * taken down in reverse. It listens before it talks to the HSM.
 */
export interface Engine {
  readonly core: Core;
  /** host:port of each listener, with the port that was really bound. */
  readonly addresses: readonly string[];
  /**
   * Re-reads certificates and reopens audit files.
   * @param next a configuration whose response headers come into force
   */
  reload(next?: EngineConfig): Promise<void>;
  /** Stops taking requests, lets the running ones end, seals and closes. */
  stop(): Promise<void>;
}

export interface EngineOptions {
  readonly config: EngineConfig;
  readonly env: Environment;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: RootLogger;
  /** Where the configuration was read from. */
  readonly configPaths?: readonly string[];
  /** `server -recovery`: whatever the configuration says. */
  readonly recovery?: boolean;
  /** The PKCS#11 process of the seal, started before. */
  readonly earlyAgent?: EarlyProcess;
  /** As it is shown by sys/pprof/cmdline. */
  readonly commandLine?: readonly string[];
}

const CERTIFICATE_POLL_MS = 30_000;
const DRAIN_MS = 10_000;

/** @throws ERR_CONFIG_INVALID, ERR_PHYSICAL, and a system error for an address that cannot be bound */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  const { config, clock, random, log } = options;
  const materials = config.listeners.map((listener) =>
    listener.tls === undefined ? undefined : readMaterial(listener.tls),
  );

  for (const device of config.audit) {
    checkOptions(device);
    parseDevice(device);
  }
  const sealHealth = parseSealHealth(config.seal.stanza);
  const physical = config.storage.type === 'inmem' ? createInmem() : await openLmdb(config.storage);
  const ended = new AbortController();
  let responseHeaders = config.listeners.map((each) => each.responseHeaders);
  const servers: Server[] = [];
  const reloadCertificates = (): void => {
    for (const [index, server] of servers.entries()) refresh(server, config.listeners[index]?.tls, log);
  };
  const services = createProcessServices({
    log,
    clock,
    logLevel: config.logLevel,
    metricsRetentionMs: config.metricsRetentionMs,
    sanitizedConfig: sanitized(config),
    commandLine: options.commandLine ?? [],
    reload: () => Promise.resolve(reloadCertificates()),
  });
  const recovery = config.recoveryMode || options.recovery === true;
  const seals: Pkcs11Config[] = [];
  const { seal, migrateFrom } = createSeals(options, services.metrics, recovery, seals);
  const keyRandom = config.augmentEntropy
    ? augmentedKeyRandom(random, (length) => seal.random(length, { signal: ended.signal }))
    : plainKeyRandom(random);
  const keyLibraries = new Map(
    config.kmsLibraries.map(({ name, where }) => [name, new KeyLibrary(heldKeysOf(where, options, seals))]),
  );
  const core = new Core({
    sealName: config.seal.stanza['name'] || config.seal.type,
    sealHealth,
    process: services,
    rawStorage: config.rawStorage,
    disableSealWrap: config.disableSealWrap,
    physical,
    seal,
    migrateFrom,
    factories,
    keyLibraries,
    openAudit: (salt) =>
      openAudit({ devices: config.audit, rules: auditRules(options), salt, clock, log: log.part('audit') }),
    clock,
    random,
    keyRandom,
    log: log.part('core'),
    version,
    buildDate,
    // A port that the system chooses is not known yet, and nothing that anyone should write down.
    apiAddress: config.apiAddress.endsWith(':0') ? '' : config.apiAddress,
    defaultLeaseTtl: config.defaultLeaseTtl,
    maxLeaseTtl: config.maxLeaseTtl,
    userLockout: config.userLockout,
    requirePgpShares: config.requirePgpShares,
    initClientName: config.initClientName,
    clusterName: config.clusterName,
    configuredHeaders: () =>
      responseHeaders.flatMap((table) => Object.values(table).flatMap((each) => Object.keys(each))),
  });
  // In recovery mode core is never started: it only closes what it was given.
  const handle = recovery ? recoveryHandler(options, { physical, seal, migrateFrom }) : createPipeline(core);
  const isGood = async (token: string): Promise<boolean | undefined> =>
    core.vault === undefined ? undefined : (await core.vault.tokens.lookup(token)) !== undefined;
  const settings = (): EdgeSettings | undefined => core.vault?.http;
  for (const [index, listener] of config.listeners.entries()) {
    servers.push(
      createEdge(
        {
          limits: listener,
          isGood,
          maxRequestDurationMs: listener.maxRequestDurationMs,
          timeouts: listener.timeouts,
          open: listener.open,
          forwardedFor: listener.forwardedFor,
          proxyProtocol: listener.proxyProtocol,
          responseHeaders: () => responseHeaders[index] ?? listener.responseHeaders,
          handle,
          settings,
          ui: config.ui,
          log: log.part('http'),
          random,
          hostname: config.hostnameHeader ? hostname() : undefined,
          requestsLevel: config.log.requestsLevel,
        },
        materials[index],
      ),
    );
  }
  try {
    const addresses = await Promise.all(
      config.listeners.flatMap((listener, index) => {
        const server = servers[index];
        return server === undefined ? [] : [listen(server, listener)];
      }),
    );
    for (const address of addresses) log.info({ address }, 'listening');
    if (!recovery) await core.start();
    const polling = poll(clock, ended.signal, reloadCertificates);
    return {
      core,
      addresses,
      reload: async (next) => {
        if (next !== undefined) responseHeaders = next.listeners.map((each) => each.responseHeaders);
        reloadCertificates();
        await core.vault?.audit.reload();
      },
      stop: async () => {
        ended.abort();
        await polling;
        await Promise.all(servers.map((server) => drain(server, clock)));
        await core.stop();
        await Promise.all([...keyLibraries.values()].map((library) => library.close()));
      },
    };
  } catch (error) {
    for (const server of servers) server.close();
    await core.stop();
    throw error;
  }
}

// No audit device writes to what the engine itself is made of.
function auditRules({ config, configPaths = [] }: EngineOptions): AuditRules {
  const listeners = config.listeners.flatMap(({ tls }) =>
    tls === undefined
      ? []
      : [tls.certFile, tls.keyFile, ...(tls.clientCaFile === undefined ? [] : [tls.clientCaFile])],
  );
  const storage = config.storage.type === 'inmem' ? [] : [config.storage.path];
  return { ...config.auditRules, reserved: [...storage, ...configPaths, ...listeners] };
}

function recoveryHandler(
  { config, clock, random, log }: EngineOptions,
  storage: Pick<RecoveryModeOptions, 'physical' | 'seal' | 'migrateFrom'>,
): ReturnType<typeof createPipeline> {
  const mode = new RecoveryMode({
    ...storage,
    clock,
    random,
    log: log.part('core'),
    version,
    buildDate,
    requirePgp: config.requirePgpShares,
  });
  return createRecoveryPipeline(mode);
}

function heldKeysOf(
  where: KmsLibraryPlace,
  { env, log, clock, random }: EngineOptions,
  seals: readonly Pkcs11Config[],
): HeldKeyPort {
  if (where.kind === 'agent') return new RemoteHeldKeys({ ...where, clock, random, timing: DEFAULT_TIMING });
  const libraryEnv = libraryEnvironment(env, where.libraryEnv);
  const lib = where.library;
  const sealKeys = sealKeyNames(lib, seals);
  return new HeldLibrary({ lib, libraryEnv, sealKeys, log: log.part('seals'), clock, random });
}

/** The seal of the vault, and one that it may migrate away from; or both in one, when a ceremony changes it. */
function createSeals(
  options: EngineOptions,
  metrics: Metrics,
  recovery: boolean,
  configs: Pkcs11Config[],
): { readonly seal: Seal; readonly migrateFrom: Seal | undefined } {
  const { config } = options;
  const seal = createSeal([config.seal, ...config.moreSeals], options, metrics, configs);
  if (config.migrateFrom === undefined) return { seal, migrateFrom: undefined };
  const from = createSeal([config.migrateFrom], options, metrics, configs);
  if (config.migrateByCeremony && !recovery && isHsmSeal(from) && isHsmSeal(seal))
    return { seal: new HandoverSeal({ from, to: seal }), migrateFrom: undefined };
  return { seal, migrateFrom: from };
}

/** @param configs told of each seal's configuration */
function createSeal(
  stanzas: readonly SealStanza[],
  { config: whole, env, log, clock, random, earlyAgent }: EngineOptions,
  metrics: Metrics,
  configs: Pkcs11Config[],
): Seal {
  if (stanzas.some(({ type }) => type === 'shamir')) return createShamirSeal(random);
  if (stanzas.some(({ type }) => type === BREAK_GLASS)) return createBreakGlassSeal();
  const alone = whole.moreSeals.length === 0 && whole.migrateFrom?.type !== whole.seal.type;
  const members = stanzas.map((each): Member => {
    const { stanza, name, type } = each;
    const { config, warnings } = parsePkcs11Config(stanza, alone ? env : environmentOfOne(stanza, name, env));
    for (const warning of warnings) log.warn({}, warning);
    configs.push(config);
    const ports = { log: log.part('seals'), clock, random, meter: sealMeter(metrics, type) };
    const early = earlyAgent === undefined || each !== whole.seal ? {} : { early: earlyAgent };
    return { name, seal: createPkcs11Seal({ config, ...ports, ...early }) };
  });
  return createSealGroup(members, { random, log: log.part('seals') });
}

function readMaterial(tls: TlsConfig): TlsMaterial {
  try {
    return {
      cert: readFileSync(tls.certFile),
      key: readFileSync(tls.keyFile),
      ca: tls.clientCaFile === undefined ? undefined : readFileSync(tls.clientCaFile),
      requireClientCert: tls.requireClientCert,
      askClientCert: tls.askClientCert,
      minVersion: tls.minVersion,
      maxVersion: tls.maxVersion,
      ciphers: tls.ciphers,
      preferServerCiphers: tls.preferServerCiphers,
    };
  } catch (cause) {
    throw new ConfigInvalid('a TLS file of a listener cannot be read', {
      cause,
      hint: 'check tls_cert_file, tls_key_file and tls_client_ca_file',
    });
  }
}

const current = new WeakMap<Server, string>();

// A renewed certificate serves new connections without a restart; a broken one is logged and the old one stays.
function refresh(server: Server, tls: TlsConfig | undefined, log: Logger): void {
  if (tls === undefined || !(server instanceof HttpsServer)) return;
  try {
    const material = readMaterial(tls);
    const { cert, key, ca } = material;
    const digest = createHash('sha256')
      .update(cert)
      .update(key)
      .update(ca ?? '')
      .digest('hex');
    if (current.get(server) === digest) return;
    server.setSecureContext(tlsOptions(material));
    if (current.has(server)) log.info({}, 'certificates were reloaded');
    current.set(server, digest);
  } catch (err) {
    log.error({ err }, 'certificates could not be reloaded: the old ones stay in use');
  }
}

async function poll(clock: Clock, signal: AbortSignal, work: () => void): Promise<void> {
  while (!signal.aborted) {
    work();
    await clock.sleep(CERTIFICATE_POLL_MS, { signal }).catch(() => undefined);
  }
}

async function drain(server: Server, clock: Clock): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  server.closeIdleConnections();
  const late = new AbortController();
  await Promise.race([closed, clock.sleep(DRAIN_MS, { signal: late.signal }).catch(() => undefined)]);
  late.abort();
  server.closeAllConnections();
}
