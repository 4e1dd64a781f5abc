import { KubeConfig } from '@kubernetes/client-node';
import type { RequestOptions } from 'node:https';
import { KubeApiError } from '../errors.ts';

/** What a connection needs of a kubeconfig, or of the pod's service account. */
export interface Credentials {
  readonly server: URL;
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly servername: string | undefined;
  readonly insecure: boolean;
  /** Holds the bearer token; never logged. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Reads credentials again, so that a rotated token or certificate is seen. */
export type CredentialSource = (fresh: boolean) => Promise<Credentials>;

/**
 * Credentials from a kubeconfig file, or from the pod's service account when there is none.
 * Tokens from files are read anew once a minute by the client library; `fresh` starts from nothing.
 */
export function credentialSource(kubeconfig: string | undefined): CredentialSource {
  let config = load(kubeconfig);
  return async (fresh) => {
    try {
      if (fresh) config = load(kubeconfig);
      return await read(config);
    } catch (error: unknown) {
      if (error instanceof KubeApiError) throw error;
      throw unreadable(error);
    }
  };
}

function load(kubeconfig: string | undefined): KubeConfig {
  const config = new KubeConfig();
  try {
    if (kubeconfig === undefined || kubeconfig === '') config.loadFromCluster();
    else config.loadFromFile(kubeconfig);
  } catch (error: unknown) {
    throw unreadable(error);
  }
  return config;
}

async function read(config: KubeConfig): Promise<Credentials> {
  const cluster = config.getCurrentCluster();
  if (cluster === null || !URL.canParse(cluster.server)) throw unreadable(undefined);
  const options: RequestOptions = { headers: {} };
  await config.applyToHTTPSOptions(options);
  return {
    server: new URL(cluster.server),
    ca: pem(options.ca),
    cert: pem(options.cert),
    key: pem(options.key),
    servername: options.servername,
    insecure: cluster.skipTLSVerify,
    headers: headers(options),
  };
}

function headers(options: RequestOptions): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    if (typeof value === 'string') out[name.toLowerCase()] = value.trim();
  }
  if (typeof options.auth === 'string')
    out['authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  return out;
}

function pem(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : undefined;
}

// The library's messages may quote the file, so only the kind of failure is kept.
function unreadable(error: unknown): KubeApiError {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  const reason = typeof code === 'string' ? code : 'Credentials';
  return new KubeApiError(
    { verb: 'connect', resource: 'kubeconfig', status: 0, reason },
    { hint: 'the kubeconfig or the service account cannot be read' },
  );
}
