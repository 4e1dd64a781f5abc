import { dirname } from 'node:path';
import { PATHS } from '../engine-config.ts';
import type { SealedVault } from '../kind.ts';
import { CONFIG_REVISION, labelsOf, namesOf, PIN_REVISION, PORT } from '../names.ts';
import type { HsmSpec } from '../spec.ts';
import { CONTAINER_SECURITY, type HsmParts, hsmParts } from './hsm.ts';
import { sideBySide } from './side-by-side.ts';

/** What a pod depends on besides the spec. */
export interface PodInputs {
  /** The image when the spec names none. */
  readonly image: string;
  readonly configRevision: string;
  /** Of the Secrets with slot and PIN; undefined while unknown. */
  readonly pinRevision: string | undefined;
  /** The HSM that a ceremony moves the vault to. */
  readonly next?: HsmSpec | undefined;
}

const USER = 10_001;
const scratch = (sizeLimit: string): object => ({ emptyDir: { medium: 'Memory', sizeLimit } });

/** The pod of a vault: restricted, without a service account's token, the PIN in one container only. */
export function podTemplate(vault: SealedVault, inputs: PodInputs): object {
  const { spec } = vault;
  const names = namesOf({ namespace: vault.metadata.namespace ?? '', name: vault.metadata.name });
  const image = spec.image ?? inputs.image;
  const sidecar = spec.hsm.placement === 'Sidecar';
  const alone = hsmParts(spec.hsm, image);
  const [hsm, next] =
    inputs.next === undefined ? [alone] : sideBySide(alone, hsmParts(inputs.next, image, 'next-'));
  const engineMounts = [
    { name: 'config', mountPath: PATHS.config, readOnly: true },
    { name: 'data', mountPath: PATHS.volume },
    { name: 'tmp', mountPath: '/tmp' },
    ...(sidecar ? [{ name: 'run', mountPath: PATHS.run }] : hsm.mounts),
    ...(next === undefined ? [] : [{ name: 'next-run', mountPath: PATHS.nextRun }]),
  ];
  const engine = {
    name: 'engine',
    image,
    args: ['server', `-config=${PATHS.engine}`],
    ...(sidecar ? {} : { env: hsm.env }),
    ports: [{ name: 'https', containerPort: PORT, protocol: 'TCP' }],
    resources: spec.resources ?? { requests: { cpu: '100m', memory: '256Mi' } },
    ...probes(),
    securityContext: CONTAINER_SECURITY,
    volumeMounts: engineMounts,
  };
  return {
    metadata: {
      labels: labelsOf(names.key),
      annotations: {
        'kubectl.kubernetes.io/default-container': 'engine',
        [CONFIG_REVISION]: inputs.configRevision,
        ...(inputs.pinRevision === undefined ? {} : { [PIN_REVISION]: inputs.pinRevision }),
      },
    },
    spec: {
      serviceAccountName: vault.metadata.name,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: 30,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: USER,
        runAsGroup: USER,
        fsGroup: USER,
        fsGroupChangePolicy: 'OnRootMismatch',
        seccompProfile: { type: 'RuntimeDefault' },
      },
      initContainers: [
        ...hsm.before,
        ...(sidecar ? [agent(image, hsm, PATHS.socket)] : []),
        ...(next === undefined ? [] : [...next.before, agent(image, next, PATHS.nextSocket, 'next-')]),
      ],
      containers: [engine],
      volumes: [
        configVolume(names, spec.tls?.secretName ?? names.tls),
        { name: 'tmp', ...scratch('64Mi') },
        ...(sidecar ? agentVolumes(names.config, 'agent.json') : []),
        ...hsm.volumes,
        ...(next === undefined
          ? []
          : [...agentVolumes(names.config, 'agent-next.json', 'next-'), ...next.volumes]),
      ],
      ...(spec.nodeSelector === undefined ? {} : { nodeSelector: spec.nodeSelector }),
      ...(spec.tolerations === undefined ? {} : { tolerations: spec.tolerations }),
    },
  };
}

// No probe: the agent must outlive an HSM that is away, and the engine asks again for as long as there is no socket.
function agent(image: string, hsm: HsmParts, socket: string, mark = ''): object {
  const run = dirname(dirname(socket));
  return {
    name: `${mark}hsm-agent`,
    image,
    restartPolicy: 'Always',
    args: ['hsm-agent', `-config=${PATHS.agent}`, `-listen=${socket}`],
    env: hsm.env,
    resources: { requests: { cpu: '10m', memory: '64Mi' } },
    securityContext: CONTAINER_SECURITY,
    volumeMounts: [
      { name: `${mark}agent-config`, mountPath: PATHS.config, readOnly: true },
      { name: `${mark}agent-tmp`, mountPath: '/tmp' },
      { name: `${mark}run`, mountPath: run },
      ...hsm.mounts,
    ],
  };
}

function agentVolumes(config: string, key: string, mark = ''): readonly object[] {
  return [
    { name: `${mark}agent-config`, configMap: { name: config, items: [{ key, path: 'agent.json' }] } },
    { name: `${mark}agent-tmp`, ...scratch('64Mi') },
    { name: `${mark}run`, ...scratch('1Mi') },
  ];
}

/** A sealed vault is alive: killing it would help nobody. It is ready when it can be used. */
function probes(): object {
  const get = (query: string): object => ({
    httpGet: { path: `/v1/sys/health?standbyok=true${query}`, port: PORT, scheme: 'HTTPS' },
  });
  const alive = get('&sealedcode=200&uninitcode=200');
  return {
    startupProbe: { ...alive, periodSeconds: 1, timeoutSeconds: 3, failureThreshold: 120 },
    livenessProbe: { ...alive, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
    readinessProbe: { ...get(''), periodSeconds: 3, timeoutSeconds: 3, failureThreshold: 2 },
  };
}

/** Configuration, certificate and client authority in one folder; certificates are replaced in place, without a roll. */
function configVolume(names: ReturnType<typeof namesOf>, certificate: string): object {
  return {
    name: 'config',
    projected: {
      defaultMode: 0o440,
      sources: [
        { configMap: { name: names.config, items: [{ key: 'engine.json', path: 'engine.json' }] } },
        {
          secret: {
            name: certificate,
            items: [
              { key: 'tls.crt', path: 'tls/tls.crt' },
              { key: 'tls.key', path: 'tls/tls.key' },
            ],
          },
        },
        { configMap: { name: names.trust, items: [{ key: 'client-ca.crt', path: 'tls/ca.crt' }] } },
      ],
    },
  };
}
