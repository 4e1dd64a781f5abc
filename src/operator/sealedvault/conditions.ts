import { grantCommand } from './credentials.ts';
import type { SealedVault } from './kind.ts';
import type { Observed } from './sealedvault.ts';
import type { Finding, Reason } from './finding.ts';
import { type EngineState, waitingReason } from './pods.ts';
import { asSpecified, sealFindings, sentence } from './seal-conditions.ts';

/** @param wasInitialized whether that was ever seen: it cannot be undone */
export function findings(
  vault: SealedVault,
  observed: Observed,
  wasInitialized: boolean,
  now: number,
  operatorNamespace: string,
): readonly Finding[] {
  const engine = bestEngine(observed);
  return [
    ready(vault, observed, engine, wasInitialized),
    initialized(engine, wasInitialized),
    unsealed(engine),
    ...sealFindings(engine),
    asSpecified(vault, observed.seal),
    tls(vault, observed, now, operatorNamespace),
    credentials(vault, observed, operatorNamespace),
    progressing(vault, observed),
  ];
}

/** The engine that says most about the vault: an active one, else an unsealed, else an initialized, else any. */
export function bestEngine({ pods }: Observed): EngineState | undefined {
  const rank = (engine: EngineState): number =>
    (engine.initialized ? 4 : 0) + (engine.sealed ? 0 : 2) + (engine.standby ? 0 : 1);
  return pods
    .map(({ engine }) => engine)
    .filter((engine) => engine !== undefined)
    .sort((a, b) => rank(b) - rank(a))[0];
}

/** @returns the pod that serves, by what it says itself. */
export function activePod({ pods }: Observed): string | undefined {
  return pods.find(
    ({ engine }) => engine !== undefined && engine.initialized && !engine.sealed && !engine.standby,
  )?.pod.metadata.name;
}

function ready(
  { spec }: SealedVault,
  observed: Observed,
  engine: EngineState | undefined,
  wasInitialized: boolean,
): Finding {
  const no = (reason: Reason, message: string): Finding => ({
    type: 'Ready',
    status: 'False',
    reason,
    message,
  });
  if (spec.replicas === 0) return no('ScaledToZero', 'The vault has no pods because spec.replicas is 0.');
  if (engine === undefined) {
    const stuck = observed.pods.map(({ pod }) => waitingReason(pod)).find((reason) => reason !== undefined);
    if (stuck !== undefined) return no('PodsPending', `A container does not start: ${stuck}.`);
    const reachable = observed.pods.some(({ pod }) => pod.status?.podIP !== undefined);
    if (!reachable) return no('PodsPending', 'No pod of the vault runs yet.');
    return no('Unreachable', 'No engine of the vault answers.');
  }
  if (!engine.initialized && !wasInitialized)
    return no('NotInitialized', 'The vault waits for a RecoveryCeremony that initializes it.');
  if (engine.sealed) return no('Sealed', sentence(engine.warnings[0]) ?? 'The vault is sealed.');
  return {
    type: 'Ready',
    status: 'True',
    reason: 'Serving',
    message: `The vault is unsealed; ${activePod(observed) ?? 'no pod'} is active.`,
  };
}

function initialized(engine: EngineState | undefined, before: boolean): Finding {
  const type = 'Initialized';
  if (before || engine?.initialized === true)
    return { type, status: 'True', reason: 'Initialized', message: 'The vault has a root key.' };
  if (engine === undefined)
    return { type, status: 'Unknown', reason: 'NotObserved', message: 'No engine of the vault answers.' };
  return { type, status: 'False', reason: 'NotInitialized', message: 'The vault has no root key yet.' };
}

function unsealed(engine: EngineState | undefined): Finding {
  const type = 'Unsealed';
  if (engine === undefined)
    return { type, status: 'Unknown', reason: 'NotObserved', message: 'No engine of the vault answers.' };
  if (!engine.initialized)
    return { type, status: 'False', reason: 'NotInitialized', message: 'The vault has no root key yet.' };
  if (engine.sealed) return { type, status: 'False', reason: 'Sealed', message: 'The vault is sealed.' };
  return { type, status: 'True', reason: 'Unsealed', message: 'The vault is unsealed.' };
}

function tls(vault: SealedVault, { tls: state }: Observed, now: number, operatorNamespace: string): Finding {
  const type = 'TLSReady';
  if (state.ok) {
    const expires = state.certificateExpires;
    if (expires !== undefined && expires.getTime() <= now)
      return {
        type,
        status: 'False',
        reason: 'CertificateExpired',
        message: 'The certificate of the vault has expired.',
      };
    return {
      type,
      status: 'True',
      reason: 'CertificatesValid',
      message: 'The certificates of the vault are valid.',
    };
  }
  const messages: Record<typeof state.reason, string> = {
    SecretNotFound: `There is no Secret ${state.subject}.`,
    SecretInvalid: `The Secret ${state.subject} must have tls.crt, tls.key and ca.crt in PEM.`,
    NameTaken: `The Secret ${state.subject} belongs to something else: rename or delete it.`,
    SecretsNotReadable: notReadable(vault, operatorNamespace),
  };
  return { type, status: 'False', reason: state.reason, message: messages[state.reason] };
}

function credentials(
  vault: SealedVault,
  { credentials: found }: Observed,
  operatorNamespace: string,
): Finding {
  const type = 'CredentialsAvailable';
  switch (found.state) {
    case 'found':
      return {
        type,
        status: 'True',
        reason: 'SecretsFound',
        message: 'The Secrets with slot and PIN are there.',
      };
    case 'missing':
      return {
        type,
        status: 'False',
        reason: 'SecretNotFound',
        message: `There is no Secret ${found.names.join(' and none ')}; the pod starts when it is made.`,
      };
    case 'unknown':
      return { type, status: 'Unknown', reason: 'NotObserved', message: 'The Secrets are being looked for.' };
    case 'unreadable':
      return {
        type,
        status: 'False',
        reason: 'SecretsNotReadable',
        message: notReadable(vault, operatorNamespace),
      };
  }
}

function progressing({ spec }: SealedVault, { statefulSet, pods }: Observed): Finding {
  const status = statefulSet?.status;
  const behind =
    status === undefined ||
    (status.updatedReplicas ?? 0) < spec.replicas ||
    (status.replicas ?? 0) !== spec.replicas ||
    pods.some(({ pod }) => pod.metadata.deletionTimestamp !== undefined);
  return behind
    ? { type: 'Progressing', status: 'True', reason: 'Rolling', message: 'Pods are being made or replaced.' }
    : {
        type: 'Progressing',
        status: 'False',
        reason: 'Settled',
        message: 'All pods are of the newest revision.',
      };
}

function notReadable(vault: SealedVault, operatorNamespace: string): string {
  const namespace = vault.metadata.namespace ?? '';
  return `The operator may not see Secrets in ${namespace}. Add it to the chart's secretNamespaces, or run: ${grantCommand(namespace, operatorNamespace)}`;
}
