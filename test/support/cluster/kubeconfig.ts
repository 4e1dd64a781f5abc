import { writeFileSync } from 'node:fs';
import type { ApiAccess } from './api.ts';

/**
 * Writes a kubeconfig that only its owner can read.
 * @param file Where to.
 * @param access Server, authority, and a client certificate or token.
 * @param namespace Namespace of its context.
 */
export function writeKubeconfig(file: string, access: ApiAccess, namespace = 'default'): void {
  const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');
  const user = {
    ...(access.certificate === undefined ? {} : { 'client-certificate-data': base64(access.certificate) }),
    ...(access.key === undefined ? {} : { 'client-key-data': base64(access.key) }),
    ...(access.token === undefined ? {} : { token: access.token }),
  };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [
      {
        name: 'test',
        cluster: { server: access.server, 'certificate-authority-data': base64(access.authority) },
      },
    ],
    users: [{ name: 'test', user }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace } }],
  };
  // JSON is YAML, and needs no writer.
  writeFileSync(file, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
}
