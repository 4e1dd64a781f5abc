import { existsSync, readFileSync } from 'node:fs';
import { isJsonObject, type Json, type JsonObject } from '../../lib/json.ts';
import type { CeremonyContext } from './context.ts';
import { CeremonyFailure } from './failure.ts';
import { type Cluster, connectCluster } from './kube.ts';
import { parsePlan, type Plan } from './manifest.ts';

/** A plan, and where it came from. */
export interface Source extends Plan {
  /** Undefined when it came from a file. */
  readonly cluster: Cluster | undefined;
  /** Status of the RecoveryCeremony; empty when it came from a file. */
  readonly status: JsonObject;
}

/** The cluster that the person's flags mean. */
export function clusterOf({ args }: CeremonyContext): Cluster {
  return connectCluster({
    kubeconfig: args.get('kubeconfig'),
    context: args.get('context'),
    namespace: args.get('namespace'),
  });
}

/** Whether a word means a file rather than a ceremony in the cluster. */
export function isFile(word: string): boolean {
  return word === '-' || word.includes('/') || word.endsWith('.json') || existsSync(word);
}

/** @throws CeremonyFailure when it cannot be read */
export async function readText({ terminal }: CeremonyContext, file: string): Promise<string> {
  if (file === '-') return terminal.readAll();
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CeremonyFailure(`The file ${file} cannot be read`, { cause });
  }
}

/**
 * The plan of a ceremony, from a file or by its name from the cluster, with the digest computed here.
 * @throws CeremonyFailure when it is not there, or when cluster and manifest contradict each other: then nobody may sign
 */
export async function loadSource(context: CeremonyContext, word: string): Promise<Source> {
  if (isFile(word)) return { ...parsePlan(await readText(context, word)), cluster: undefined, status: {} };
  const cluster = clusterOf(context);
  const ceremony = await findCeremony(cluster, word);
  const map = await cluster.get('configmaps', `${word}-manifest`);
  const text = textAt(map, 'data', 'manifest.json');
  if (text === undefined)
    throw new CeremonyFailure(`The plan of ${word} is not frozen yet`, {
      hint: `its keys are being checked: look at ceremony status ${word}`,
    });
  const plan = parsePlan(text);
  const status = objectAt(ceremony, 'status');
  agree(word, cluster.namespace, plan, ceremony);
  return { ...plan, cluster, status };
}

/** @throws CeremonyFailure when there is none of this name */
export async function findCeremony(cluster: Cluster, name: string): Promise<JsonObject> {
  const ceremony = await cluster.get('recoveryceremonies', name);
  if (ceremony !== undefined) return ceremony;
  throw new CeremonyFailure(`There is no RecoveryCeremony ${name} in the namespace ${cluster.namespace}`, {
    hint: 'look with kubectl get recoveryceremonies --all-namespaces, and name the namespace with --namespace',
  });
}

function agree(word: string, namespace: string, { manifest, digest }: Plan, ceremony: JsonObject): void {
  const { ceremony: named } = manifest;
  const uid = textAt(ceremony, 'metadata', 'uid');
  if (named.name !== word || named.namespace !== namespace || named.uid !== uid)
    throw new CeremonyFailure('The manifest is that of another ceremony', {
      hint: 'somebody may have put it there: sign nothing, and tell the others',
    });
  const published = textAt(ceremony, 'status', 'manifestDigest');
  if (published !== undefined && published !== digest)
    throw new CeremonyFailure('The manifest was changed after it was frozen', {
      hint: `its digest is ${digest}, the ceremony says ${published}: sign nothing, and tell the others`,
    });
}

/** A member that is an object; empty when it is none. */
export function objectAt(value: Json | undefined, ...path: readonly string[]): JsonObject {
  let found = value;
  for (const step of path) found = found !== undefined && isJsonObject(found) ? found[step] : undefined;
  return found !== undefined && isJsonObject(found) ? found : {};
}

/** A member that is a text. */
export function textAt(value: Json | undefined, ...path: readonly string[]): string | undefined {
  const found = objectAt(value, ...path.slice(0, -1))[path.at(-1) ?? ''];
  return typeof found === 'string' ? found : undefined;
}

/** A member that is a list of objects. */
export function listAt(value: Json | undefined, ...path: readonly string[]): readonly JsonObject[] {
  const found = objectAt(value, ...path.slice(0, -1))[path.at(-1) ?? ''];
  return Array.isArray(found) ? found.filter(isJsonObject) : [];
}
