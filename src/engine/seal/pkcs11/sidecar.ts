import { chmodSync, lstatSync, mkdirSync, statSync, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket, connect } from 'node:net';
import { dirname } from 'node:path';
import { type Clock, systemClock } from '../../../lib/clock.ts';
import { describeError, errorCode } from '../../../lib/errors.ts';
import { attribute, blocks, names, parseHcl, scalarText } from '../../../lib/hcl/hcl.ts';
import type { HclBody } from '../../../lib/hcl/tree.ts';
import type { Logger } from '../../../lib/log.ts';
import { type Random, systemRandom } from '../../../lib/random.ts';
import { type AgentTiming, DEFAULT_TIMING } from './agent.ts';
import { type ModuleConfig, parsePkcs11Config, Pkcs11ConfigInvalid } from './config.ts';
import { HeldLibrary } from './held-library.ts';
import { servePeer } from './peer.ts';
import { sealKeyNames } from './seal-key-names.ts';
import { ownUid } from './socket-trust.ts';
import { ModulePool } from './pool.ts';

/**
 * The HSM agent as a program of its own, beside the engine in one pod: slot, PIN and vendor library exist in its
 * container only, and the engine gets the operations of protocol.ts over a unix socket, with `managed_keys = true` also those
 * of managed keys, by the same library in a process apart (held-library.ts).
 *
 * I1  The socket is 0600 in a folder of its own that nobody else can enter (0660 and the group's, when that is
 *     asked for): whoever may open it may use the key, and the kernel sees to who may (socket-trust.ts).
 * I2  No peer can end or block the agent for others: sizes, numbers and times are limited (peer.ts).
 * I3  The library runs in a child of this process (supervisor.ts), which is replaced when it hangs.
 */
export interface HsmAgentOptions {
  /** A configuration file with a `seal "pkcs11"` stanza; may be empty when the environment says everything. */
  readonly configText: string;
  readonly listenPath: string;
  /** Let the group of socket and folder in as well: for an engine of another user. */
  readonly allowGroup?: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  /** Ends the agent. */
  readonly signal: AbortSignal;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly timing?: AgentTiming;
}

const MAX_CONNECTIONS = 16;

/** Serves until the signal fires, or the engine wants the credentials of today. @returns the exit code: 0, or 1 when it could not start (the log says why) */
export async function runHsmAgent(options: HsmAgentOptions): Promise<number> {
  const { log, listenPath, allowGroup = false, signal, clock = systemClock, random = systemRandom } = options;
  let config: ModuleConfig;
  let servesKeys: boolean;
  try {
    const body = parseHcl(options.configText);
    config = readConfig(body, options);
    servesKeys = readServesKeys(body);
    await claim(listenPath, allowGroup);
  } catch (error) {
    log.error({ code: errorCode(error), reason: describeError(error) }, 'hsm agent: cannot start');
    return 1;
  }
  const timing = options.timing ?? { ...DEFAULT_TIMING, ...config.timing };
  const supervisor = new ModulePool({ config, log, clock, random, timing });
  const sealKeys = sealKeyNames(config.lib, [config]);
  const held = servesKeys ? new HeldLibrary({ ...config, sealKeys, log, clock, random, timing }) : undefined;
  const peers = new Set<Socket>();
  const renewal = new AbortController();
  const server = createServer((socket) => {
    peers.add(socket);
    socket.once('close', () => peers.delete(socket));
    servePeer(socket, supervisor, log, {
      held,
      renew: () => {
        log.info({}, 'hsm agent: ends, to be started with the credentials of today');
        renewal.abort();
      },
    });
  });
  server.maxConnections = MAX_CONNECTIONS;
  try {
    await listen(server, listenPath, allowGroup);
    log.info({ socket: listenPath }, 'hsm agent: listening');
    supervisor.warm();
    await ended(AbortSignal.any([signal, renewal.signal]));
    return 0;
  } catch (error) {
    log.error({ reason: describeError(error) }, 'hsm agent: cannot listen');
    return 1;
  } finally {
    server.close();
    for (const peer of peers) peer.destroy();
    await Promise.all([supervisor.close(), held?.close()]);
  }
}

function readServesKeys(body: HclBody): boolean {
  const item = attribute(body, 'managed_keys');
  const value = item === undefined ? 'false' : scalarText(item.value);
  if (value !== 'true' && value !== 'false')
    throw new Pkcs11ConfigInvalid('managed_keys must be true or false');
  return value === 'true';
}

function readConfig(config: HclBody, { env, log }: HsmAgentOptions): ModuleConfig {
  const stanzas = blocks(config, 'seal').filter(({ labels }) => labels[0] === 'pkcs11');
  if (stanzas.length > 1) throw new Pkcs11ConfigInvalid('there is more than one seal "pkcs11" stanza');
  const stanza: Record<string, string> = Object.create(null);
  const body = stanzas[0]?.body ?? { items: [] };
  for (const name of names(body)) {
    const item = attribute(body, name);
    const value = item === undefined ? undefined : scalarText(item.value);
    if (value === undefined) throw new Pkcs11ConfigInvalid(`seal "pkcs11": ${name} must be one plain value`);
    stanza[name] = value;
  }
  const { config: parsed, warnings } = parsePkcs11Config(stanza, env);
  for (const warning of warnings) log.warn({ warning }, 'hsm agent: configuration');
  if (parsed.kind === 'agent')
    throw new Pkcs11ConfigInvalid('an HSM agent cannot use another agent: remove agent_address');
  return parsed;
}

/** Makes the folder when it is missing, refuses an open one, and takes a dead agent's socket away. */
async function claim(path: string, allowGroup: boolean): Promise<void> {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: allowGroup ? 0o750 : 0o700 });
  const { mode, uid } = statSync(folder);
  if ((mode & (allowGroup ? 0o027 : 0o077)) !== 0) {
    throw new Pkcs11ConfigInvalid('the folder of the socket is open to others on this machine', {
      hint: `chmod ${allowGroup ? 'g-w,o-rwx' : 'go-rwx'} ${folder}, or listen in a folder below it, which the agent makes${allowGroup ? '' : '; -allow-group lets its group in'}`,
    });
  }
  if (uid !== ownUid() && uid !== 0)
    throw new Pkcs11ConfigInvalid('the folder of the socket belongs to another user', { hint: folder });
  const old = lstatSync(path, { throwIfNoEntry: false });
  if (old === undefined) return;
  if (!old.isSocket())
    throw new Pkcs11ConfigInvalid('the path of the socket is taken by another file', { hint: path });
  if (await answers(path)) throw new Pkcs11ConfigInvalid('another agent listens already', { hint: path });
  unlinkSync(path);
}

async function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

async function listen(server: Server, path: string, allowGroup: boolean): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      server.on('error', () => {});
      resolve();
    });
  });
  chmodSync(path, allowGroup ? 0o660 : 0o600);
}

async function ended(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
