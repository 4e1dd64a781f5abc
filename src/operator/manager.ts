import { hostname } from 'node:os';
import { createVaultClient } from '../client/factory.ts';
import type { Clock } from '../lib/clock.ts';
import { SealedVaultError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import { createControllers } from './controllers.ts';
import { Runtime } from './runtime/start.ts';

/** What the operator is started with. */
export interface ManagerOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: Random;
  /** Fires when the process is asked to end. */
  readonly signal: AbortSignal;
}

/**
 * Runs the operator until its signal fires or its lease is lost.
 * @returns the exit code; the process must end with it at once, because after a lost lease another one leads
 */
export async function runController(options: ManagerOptions): Promise<number> {
  const { env, log, clock, random, signal } = options;
  const namespace = required(env, 'POD_NAMESPACE');
  const controllers = createControllers({
    operatorNamespace: namespace,
    image: required(env, 'SEALEDVAULT_IMAGE'),
    vaultClient: createVaultClient,
    clock,
    random,
    log,
  });
  const runtime = new Runtime({
    controllers,
    kubeconfig: env['KUBECONFIG'],
    namespace,
    leaseName: 'sealedvault-operator',
    instance: env['POD_NAME'] ?? hostname(),
    watchNamespaces: list(env['WATCH_NAMESPACES']),
    leaderElection: flag(env, 'LEADER_ELECTION', true),
    healthPort: port(env, 'HEALTH_PORT', 8081),
    metricsPort: port(env, 'METRICS_PORT', 8080),
    log,
    clock,
    random,
  });
  return await runtime.run(signal);
}

/** A variable of the environment that is missing or makes no sense. */
export class SettingInvalid extends SealedVaultError {
  override readonly code = 'ERR_CONFIG_INVALID';
  readonly variable: string;

  constructor(variable: string, hint: string) {
    super('a setting of the operator is not valid', { hint: `${variable} ${hint}` });
    this.variable = variable;
  }
}

type Env = ManagerOptions['env'];

function required(env: Env, name: string): string {
  const value = env[name] ?? '';
  if (value === '') throw new SettingInvalid(name, 'must be set');
  return value;
}

function list(value: string | undefined): readonly string[] {
  const names = (value ?? '').split(',').map((name) => name.trim());
  return [...new Set(names.filter((name) => name !== ''))];
}

function flag(env: Env, name: string, otherwise: boolean): boolean {
  const value = env[name] ?? '';
  if (value === '') return otherwise;
  if (value !== 'true' && value !== 'false') throw new SettingInvalid(name, 'must be true or false');
  return value === 'true';
}

function port(env: Env, name: string, otherwise: number): number {
  const value = env[name] ?? '';
  if (value === '') return otherwise;
  const number = Number(value);
  if (!/^\d+$/.test(value) || number > 65_535) throw new SettingInvalid(name, 'must be a port');
  return number;
}
