import { createHash } from 'node:crypto';
import type { KubeObject } from '../../runtime/runtime.ts';
import { agentConfig, engineConfig } from '../engine-config.ts';
import type { SealedVault } from '../kind.ts';
import { namesOf, ownedMeta } from '../names.ts';
import type { HsmSpec } from '../spec.ts';

export interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
  /** Base64: what kubectl makes of a file that is not text. */
  readonly binaryData?: Readonly<Record<string, string>>;
}

/**
 * Configuration of the engine and of the HSM agents. It holds no credential.
 * @param next the HSM that a ceremony moves the vault to
 */
export function configMap(vault: SealedVault, next?: HsmSpec): ConfigMap {
  const names = namesOf({ namespace: vault.metadata.namespace ?? '', name: vault.metadata.name });
  const { hsm } = vault.spec;
  const text = (config: object): string => `${JSON.stringify(config, null, 2)}\n`;
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: ownedMeta(vault, names.config),
    data: {
      'engine.json': text(engineConfig(vault.spec, names, next !== undefined)),
      ...(hsm.placement === 'Sidecar' ? { 'agent.json': text(agentConfig(hsm)) } : {}),
      ...(next === undefined ? {} : { 'agent-next.json': text(agentConfig(next)) }),
    },
  };
}

/** What a changed configuration changes, so that pods are replaced: the engine reads its file once. */
export function configRevision(map: ConfigMap): string {
  return createHash('sha256')
    .update(JSON.stringify(map.data ?? {}))
    .digest('hex')
    .slice(0, 16);
}

/** The certificates to trust: `ca.crt` for clients of the vault, `client-ca.crt` for the vault's own clients. */
export function trustMap(
  vault: SealedVault,
  trust: { readonly server: string | undefined; readonly client: string },
): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: ownedMeta(vault, `${vault.metadata.name}-ca`),
    data: {
      ...(trust.server === undefined ? {} : { 'ca.crt': trust.server }),
      'client-ca.crt': trust.client,
    },
  };
}
