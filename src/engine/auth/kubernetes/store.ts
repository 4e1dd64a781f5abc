import { join } from 'node:path';
import { readSmallFile } from '../../../lib/small-file.ts';
import { getJson, jsonPut, type Storage } from '../../logical/storage.ts';
import type { TokenParameters } from '../token-fields.ts';

/** How to reach the API server of a cluster. */
export interface KubernetesConfig {
  readonly host: string;
  /** PEM; empty for the pod's own. */
  readonly caCert: string;
  /** A secret; empty for the pod's own, or else the token of whoever logs in. */
  readonly tokenReviewerJwt: string;
  /** PEM of public keys or certificates that sign tokens; without any, the API server's word is enough. */
  readonly pemKeys: readonly string[];
  readonly issuer: string;
  readonly disableIssValidation: boolean;
  readonly disableLocalCaJwt: boolean;
  readonly annotationsAsMetadata: boolean;
}

export interface KubernetesRole {
  readonly names: readonly string[];
  readonly namespaces: readonly string[];
  /** A label selector of namespaces, as JSON or YAML; empty for none. */
  readonly namespaceSelector: string;
  readonly audience: string;
  readonly aliasNameSource: AliasNameSource;
  readonly token: TokenParameters;
}

export const ALIAS_NAME_SOURCES = ['serviceaccount_uid', 'serviceaccount_name'] as const;
export type AliasNameSource = (typeof ALIAS_NAME_SOURCES)[number];

export class KubernetesStore {
  readonly #storage: Storage;
  readonly #podFolder: string;

  constructor(storage: Storage, podFolder: string) {
    this.#storage = storage;
    this.#podFolder = podFolder;
  }

  config(): Promise<KubernetesConfig | undefined> {
    return getJson<KubernetesConfig>(this.#storage, 'config');
  }

  putConfig(config: KubernetesConfig): Promise<void> {
    return this.#storage.write([jsonPut('config', config)]);
  }

  /** The configuration with what the engine's own pod adds; read each time, for the kubelet replaces the files. */
  async effectiveConfig(): Promise<KubernetesConfig | undefined> {
    const config = await this.config();
    if (config === undefined || config.disableLocalCaJwt) return config;
    return {
      ...config,
      caCert: config.caCert === '' ? await this.#local('ca.crt') : config.caCert,
      tokenReviewerJwt: config.tokenReviewerJwt === '' ? await this.#local('token') : config.tokenReviewerJwt,
    };
  }

  role(name: string): Promise<KubernetesRole | undefined> {
    return getJson<KubernetesRole>(this.#storage, `role/${name.toLowerCase()}`);
  }

  roleNames(): Promise<string[]> {
    return this.#storage.list('role/');
  }

  putRole(name: string, role: KubernetesRole): Promise<void> {
    return this.#storage.write([jsonPut(`role/${name.toLowerCase()}`, role)]);
  }

  deleteRole(name: string): Promise<void> {
    return this.#storage.delete(`role/${name.toLowerCase()}`);
  }

  // Nothing is there when the engine runs elsewhere.
  async #local(name: string): Promise<string> {
    return (await readSmallFile(join(this.#podFolder, name)).catch(() => '')).trim();
  }
}
