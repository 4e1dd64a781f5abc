import type { KubernetesObject } from '../../test/support/cluster/api.ts';
import { until } from '../../test/support/cluster/command.ts';
import type { Kubectl } from '../../test/support/cluster/kubectl.ts';
import { names, namespaces, type Progressing } from './names.ts';

/**
 * Waits until a custom resource is in a phase, and says where it is whenever that changes.
 * @param kubectl The cluster.
 * @param what `type/name`.
 * @param phase The phase.
 * @param timeoutMs Limit.
 * @param onChange Told the phase and what the conditions say that are not true.
 * @returns The resource.
 * @throws {Error} With the last status, when the time is over or the resource has failed.
 */
export async function waitForPhase(
  kubectl: Kubectl,
  what: string,
  phase: string,
  timeoutMs: number,
  onChange: (line: string) => void = () => undefined,
): Promise<Progressing> {
  let last = '';
  const found = await until(
    `${what} ${phase}`,
    timeoutMs,
    async () => {
      const now = await kubectl.get<Progressing>(namespaces.vault, what);
      const line = describe(now);
      if (line !== last) onChange(line);
      last = line;
      return now?.status?.phase === phase || now?.status?.phase === 'Failed' ? now : undefined;
    },
    500,
  ).catch((error: unknown) => {
    throw new Error(`${what} is not ${phase}; last: ${last}`, { cause: error });
  });
  if (found.status?.phase !== phase) throw new Error(`${what} has failed: ${last}`);
  return found;
}

/**
 * Waits until the status of a custom resource is as wanted.
 * @param kubectl The cluster.
 * @param what `type/name`.
 * @param wanted Whether it is.
 * @returns The status.
 * @throws {Error} When it is not within a minute.
 */
export async function waitForStatus<S extends object>(
  kubectl: Kubectl,
  what: string,
  wanted: (status: S) => boolean,
): Promise<S> {
  return until(`the status of ${what}`, 60_000, async () => {
    const status = (await kubectl.get<{ status?: S }>(namespaces.vault, what))?.status;
    return status !== undefined && wanted(status) ? status : undefined;
  });
}

function describe(object: Progressing | undefined): string {
  const { phase = 'not seen by the operator yet', conditions = [] } = object?.status ?? {};
  // Of these, false is the good state.
  const good = ['Progressing', 'Degraded', 'NextRestartWouldFail', 'OpensWithoutHSM'];
  const open = conditions
    .filter(({ type, status }) => status !== 'True' && !good.includes(type))
    .map(({ message, reason }) => message ?? reason);
  return [phase, ...new Set(open)].join(' · ');
}

/**
 * Deletes the active pod and waits until the vault is unsealed and active again in a new one.
 * @param kubectl The cluster.
 * @returns Time from the deletion to being active, in milliseconds.
 * @throws {Error} When that takes more than three minutes.
 */
export async function replacePod(kubectl: Kubectl): Promise<number> {
  const pod = `pod/${names.vault}-0`;
  const before = (await kubectl.get<KubernetesObject>(namespaces.vault, pod))?.metadata?.uid;
  const started = performance.now();
  await kubectl.run(['--namespace', namespaces.vault, 'delete', pod, '--wait=false']);
  await waitForPod(kubectl, pod, before);
  return performance.now() - started;
}

/**
 * Waits until a pod is there under a new identity and ready.
 * @param kubectl The cluster.
 * @param pod `pod/name`.
 * @param before The former pod's uid.
 * @throws {Error} When that takes more than three minutes.
 */
export async function waitForPod(kubectl: Kubectl, pod: string, before: string | undefined): Promise<void> {
  await until(`a new ${pod}`, 180_000, async () => {
    const found = await kubectl.get<Progressing>(namespaces.vault, pod);
    if (found?.metadata?.uid === before || found?.metadata === undefined) return undefined;
    return found.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ===
      true
      ? true
      : undefined;
  });
}
