import type { KubeObject, ResourceType } from '../runtime/runtime.ts';
import type { SealedVault } from './kind.ts';
import type { Observed } from './sealedvault.ts';
import { podLabels } from './pods.ts';
import { configMap, configRevision, trustMap } from './resources/config.ts';
import { disruptionBudget, networkPolicy, serviceAccount, services } from './resources/network.ts';
import { revisionsOf, statefulSet } from './resources/statefulset.ts';
import { statusOf } from './status.ts';
import type { SealedVaultStatus } from './status-schema.ts';
import {
  CONFIG_MAP,
  NETWORK_POLICY,
  POD_DISRUPTION_BUDGET,
  SERVICE,
  SERVICE_ACCOUNT,
  STATEFUL_SET,
} from './types.ts';

/** What should be, for what was seen. */
export interface Plan {
  /** To be applied in this order: what pods need comes before them. */
  readonly objects: readonly (readonly [ResourceType, KubeObject])[];
  /** Labels that pods lack or have wrong. */
  readonly labels: readonly { readonly pod: KubeObject; readonly labels: Readonly<Record<string, string>> }[];
  readonly status: SealedVaultStatus;
}

// What cannot be seen now is no reason to replace pods, nor is a PIN that an agent of its own can read (renewal.ts).
function pinRevision({ credentials, statefulSet: live, seal }: Observed, config: string): string | undefined {
  const { pin, config: before } = revisionsOf(live);
  const stays = seal.inForce.placement === 'Sidecar' && pin !== undefined && before === config;
  return credentials.state === 'found' && !stays ? credentials.revision : pin;
}

/** Pure: the same vault, observation and time give the same plan; the plan of a planned world is empty of change. */
export function plan(
  vault: SealedVault,
  observed: Observed,
  now: number,
  settings: { readonly image: string; readonly operatorNamespace: string },
): Plan {
  const { credentials, tls, seal } = observed;
  const inUse = { ...vault, spec: { ...vault.spec, hsm: seal.inForce } };
  // Pods that wait for a Secret of the other HSM would not serve.
  const next = credentials.state === 'missing' ? undefined : seal.next?.hsm;
  const config = configMap(inUse, next);
  const trusted = tls.ok ? tls.serverAuthority : undefined;
  const client = tls.clientAuthority;
  const inputs = {
    image: settings.image,
    configRevision: configRevision(config),
    pinRevision: pinRevision(observed, configRevision(config)),
    next,
  };
  return {
    objects: [
      [SERVICE_ACCOUNT, serviceAccount(vault)],
      [CONFIG_MAP, config],
      ...(client === undefined ? [] : [[CONFIG_MAP, trustMap(vault, { server: trusted, client })] as const]),
      ...services(vault).map((service) => [SERVICE, service] as const),
      [NETWORK_POLICY, networkPolicy(inUse, next)],
      [POD_DISRUPTION_BUDGET, disruptionBudget(vault)],
      // Pods that were made before the revision of their Secrets is known would be replaced a moment later.
      ...(credentials.state === 'unknown' && observed.statefulSet === undefined
        ? []
        : [[STATEFUL_SET, statefulSet(inUse, inputs)] as const]),
    ],
    labels: observed.pods.flatMap(({ pod, engine }) => {
      if (engine === undefined) return [];
      const labels = podLabels(engine);
      const same = Object.entries(labels).every(([name, value]) => pod.metadata.labels?.[name] === value);
      return same ? [] : [{ pod, labels }];
    }),
    status: statusOf(vault, observed, now, settings.operatorNamespace),
  };
}
