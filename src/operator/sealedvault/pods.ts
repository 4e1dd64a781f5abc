import { CeremonyCalls, type RecoveryShares } from '../../client/ceremony.ts';
import type { VaultApi, VaultClientFactory } from '../../client/factory.ts';
import type { SealBackends } from '../../client/messages.ts';
import type { KubeObject, ReconcileContext } from '../runtime/runtime.ts';
import type { TlsState } from './certificates.ts';
import type { SealedVault } from './kind.ts';
import { PORT, podServerName, selectorLabels } from './names.ts';
import { POD } from './types.ts';

export interface Pod extends KubeObject {
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
  };
}

interface ContainerStatus {
  readonly name: string;
  readonly state?: { readonly waiting?: { readonly reason?: string } };
}

/** What an engine says of itself. */
export interface EngineState {
  readonly initialized: boolean;
  readonly sealed: boolean;
  readonly standby: boolean;
  readonly version: string;
  readonly sealType: string;
  /** What is wrong with the seal; sentences without secrets. */
  readonly warnings: readonly string[];
  /** Undefined when the engine does not tell. */
  readonly seal: SealBackends | undefined;
  /** Who has the recovery shares, `shares` undefined when nobody knows; undefined when the engine was not asked. */
  readonly recovery?: { readonly shares: RecoveryShares | undefined } | undefined;
}

/** A pod, and what its engine says; undefined when it could not be asked: that is not knowing, not bad news. */
export interface PodState {
  readonly pod: Pod;
  readonly engine: EngineState | undefined;
}

const TIMEOUT_MS = 3_000;

/** @returns a vault's pods, also those that are going away, from the cache. */
export function podsOf(vault: SealedVault, cache: ReconcileContext['cache']): readonly Pod[] {
  const namespace = vault.metadata.namespace ?? '';
  const wanted = Object.entries(selectorLabels({ namespace, name: vault.metadata.name }));
  return cache
    .list<Pod>(POD, namespace)
    .filter(({ metadata }) => wanted.every(([name, value]) => metadata.labels?.[name] === value));
}

/** Asks every pod that has an address, all at once. */
export async function observePods(
  vault: SealedVault,
  pods: readonly Pod[],
  tls: TlsState,
  factory: VaultClientFactory,
  signal: AbortSignal,
): Promise<readonly PodState[]> {
  return Promise.all(
    pods.map(async (pod) => ({
      pod,
      engine: tls.ok ? await ask(vault, pod, tls, factory, signal) : undefined,
    })),
  );
}

/** A client of one pod, with the operator's identity; undefined while the pod has no address or goes away. */
export function clientOf(
  vault: SealedVault,
  { metadata, status }: Pod,
  tls: Extract<TlsState, { ok: true }>,
  factory: VaultClientFactory,
): VaultApi | undefined {
  if (status?.podIP === undefined || metadata.deletionTimestamp !== undefined) return undefined;
  const key = { namespace: vault.metadata.namespace ?? '', name: vault.metadata.name };
  return factory({
    host: status.podIP,
    port: PORT,
    servername: podServerName(metadata.name, key),
    authority: tls.serverAuthority,
    identity: tls.client,
    timeoutMs: TIMEOUT_MS,
  });
}

async function ask(
  vault: SealedVault,
  pod: Pod,
  tls: Extract<TlsState, { ok: true }>,
  factory: VaultClientFactory,
  signal: AbortSignal,
): Promise<EngineState | undefined> {
  const client = clientOf(vault, pod, tls, factory);
  if (client === undefined) return undefined;
  try {
    const [health, seal, backends] = await Promise.all([
      client.health({ signal }),
      client.sealStatus({ signal }),
      client.sealBackends({ signal }),
    ]);
    const { initialized, sealed, standby, version } = health.body;
    const { type: sealType, warnings } = seal.body;
    const recovery = initialized && !sealed ? await recoveryOf(client, signal) : undefined;
    return { initialized, sealed, standby, version, sealType, warnings, seal: backends.body, recovery };
  } catch {
    return undefined;
  }
}

async function recoveryOf(client: VaultApi, signal: AbortSignal): Promise<EngineState['recovery']> {
  const reply = await new CeremonyCalls(client).recoveryShares({ signal });
  if (reply.ok) return { shares: reply.body };
  return reply.status === 404 ? { shares: undefined } : undefined;
}

/** The labels that a pod should have by what its engine says. */
export function podLabels(engine: EngineState): Record<string, string> {
  const active = !engine.sealed && engine.initialized && !engine.standby;
  const state = { active, initialized: engine.initialized, sealed: engine.sealed };
  const labels: Record<string, string> = {};
  for (const [name, value] of Object.entries(state)) {
    labels[`sealedvault.io/${name}`] = String(value);
    // The names of Vault's own service registration.
    labels[`vault-${name}`] = String(value);
  }
  if (/^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(engine.version))
    labels['vault-version'] = engine.version;
  return labels;
}

/** @returns the reason for which a container of a pod does not start, such as `ImagePullBackOff`. */
export function waitingReason({ status }: Pod): string | undefined {
  const containers = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  const waiting = containers.find(({ state }) => {
    const reason = state?.waiting?.reason;
    return reason !== undefined && reason !== 'ContainerCreating' && reason !== 'PodInitializing';
  });
  return waiting === undefined ? undefined : `${waiting.name}: ${waiting.state?.waiting?.reason}`;
}
