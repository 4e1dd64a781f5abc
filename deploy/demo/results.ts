import type { KubernetesObject } from '../../test/support/cluster/api.ts';
import type { Kubectl } from '../../test/support/cluster/kubectl.ts';
import { names, namespaces, rootTokenKey, shareKey } from './names.ts';

/** Prints the encrypted root token. */
export const rootTokenCommand: string = `kubectl get secret ${names.ceremony}-root-token --output go-template='{{index .data "${rootTokenKey}" | base64decode}}'`;

/**
 * Reads one value of a Secret.
 * @param kubectl The cluster.
 * @param name The Secret.
 * @param key The key in it.
 * @returns The decoded value.
 * @throws {Error} When there is no such Secret or key.
 */
export async function readSecret(kubectl: Kubectl, name: string, key: string): Promise<string> {
  const found = await kubectl.get<KubernetesObject & { data?: Record<string, string> }>(
    namespaces.vault,
    `secret/${name}`,
  );
  const value = found?.data?.[key];
  if (value === undefined)
    throw new Error(
      `Secret ${name} has no key ${key}; it has ${Object.keys(found?.data ?? {}).join(', ') || 'none'}`,
    );
  return Buffer.from(value, 'base64').toString('utf8');
}

/**
 * The root token as a ceremony left it: an OpenPGP message to one person.
 * @param kubectl The cluster.
 * @param ceremony The ceremony; the first by default.
 * @returns The message.
 * @throws {Error} When there is none.
 */
export function rootToken(kubectl: Kubectl, ceremony: string = names.ceremony): Promise<string> {
  return readSecret(kubectl, `${ceremony}-root-token`, rootTokenKey);
}

/**
 * A custodian's recovery share as a ceremony left it: an OpenPGP message.
 * @param kubectl The cluster.
 * @param custodian The custodian.
 * @param ceremony The ceremony; the first by default.
 * @returns The message.
 * @throws {Error} When there is none.
 */
export function share(
  kubectl: Kubectl,
  custodian: string,
  ceremony: string = names.ceremony,
): Promise<string> {
  return readSecret(kubectl, `${ceremony}-share-${custodian}`, shareKey);
}

/**
 * Everything in the demo's namespaces that people other than the vault's own may read:
 * all objects but Secrets, all events, all logs.
 * @param kubectl The cluster.
 * @returns Text by where it was found.
 * @throws {CommandFailed} When something cannot be read.
 */
export async function everythingVisible(kubectl: Kubectl): Promise<Map<string, string>> {
  const types = (await kubectl.run(['api-resources', '--namespaced', '--verbs=list', '--output=name']))
    .trim()
    .split('\n');
  const texts = new Map<string, string>();
  for (const namespace of Object.values(namespaces)) {
    for (const type of types.filter((name) => name !== 'secrets')) {
      texts.set(
        `${namespace}: ${type}`,
        await kubectl.run(['--namespace', namespace, 'get', type, '--output', 'json']),
      );
    }
    for (const pod of await kubectl.list<KubernetesObject>(namespace, 'pods')) {
      const log = [
        '--namespace',
        namespace,
        'logs',
        `pod/${pod.metadata?.name}`,
        '--all-containers',
        '--prefix',
      ];
      texts.set(`${namespace}: log of ${pod.metadata?.name}`, await kubectl.run(log));
      // Only a container that was started again has an earlier log.
      const earlier = await kubectl.attempt([...log, '--previous', '--ignore-errors']);
      if (earlier.stdout !== '')
        texts.set(`${namespace}: earlier log of ${pod.metadata?.name}`, earlier.stdout);
    }
  }
  return texts;
}
