import { writeFileSync } from 'node:fs';
import { isJsonObject, type Json, type JsonObject, parseJson } from '../../lib/json.ts';
import type { CeremonyContext } from './context.ts';
import { CeremonyFailure } from './failure.ts';
import type { Plural } from './kube.ts';
import { clusterOf, objectAt, readText, textAt } from './source.ts';

/** What a person says in a ceremony, as the object that carries it. */
export interface Message {
  readonly kind: 'CeremonyApproval' | 'ShareReceipt';
  /** Of the object. */
  readonly name: string;
  readonly namespace: string;
  readonly spec: JsonObject;
}

const PLURAL: Readonly<Record<Message['kind'], Plural>> = {
  CeremonyApproval: 'ceremonyapprovals',
  ShareReceipt: 'sharereceipts',
};

/** Sends what was signed into the cluster, or writes it to the file of --out for somebody else to carry. */
export async function send(context: CeremonyContext, message: Message): Promise<void> {
  const { args, terminal } = context;
  const object: JsonObject = {
    apiVersion: 'sealedvault.io/v1alpha1',
    kind: message.kind,
    metadata: { name: message.name, namespace: message.namespace },
    spec: message.spec,
  };
  const file = args.get('out');
  if (file === undefined) return create(context, message.kind, object);
  writeNew(file, `${JSON.stringify(object, null, 2)}\n`);
  terminal.print(
    `Written to ${file}. It holds no secret.`,
    `Carry it to a machine that reaches the cluster, and send it with --in ${file}.`,
  );
}

/**
 * Sends what an earlier --out wrote, as it is: the signature in it is by whoever signed, not by whoever sends.
 * @throws CeremonyFailure for a file that holds anything else
 */
export async function sendFile(context: CeremonyContext, file: string, kind: Message['kind']): Promise<void> {
  let object: Json;
  try {
    object = parseJson(await readText(context, file));
  } catch (cause) {
    if (cause instanceof CeremonyFailure) throw cause;
    object = null;
  }
  if (!isJsonObject(object) || object['kind'] !== kind)
    throw new CeremonyFailure(`${file} does not hold a ${kind}`, {
      hint: 'it is what --out of this verb wrote',
    });
  await create(context, kind, object);
}

async function create(context: CeremonyContext, kind: Message['kind'], object: JsonObject): Promise<void> {
  const { terminal } = context;
  const namespace = textAt(object, 'metadata', 'namespace');
  const cluster = clusterOf(context);
  if (namespace !== undefined && namespace !== cluster.namespace)
    throw new CeremonyFailure(`The ceremony is in the namespace ${namespace}, not ${cluster.namespace}`, {
      hint: `add --namespace ${namespace}`,
    });
  const username = await cluster.username();
  const spec = objectAt(object, 'spec');
  await cluster.create(PLURAL[kind], {
    ...object,
    spec: { ...spec, ...(username === undefined ? {} : { username }) },
  });
  const name = textAt(object, 'metadata', 'name') ?? '';
  terminal.print(`Sent: ${PLURAL[kind]}/${name} in ${cluster.namespace}.`);
  terminal.note(`Whether it was accepted is in its status: kubectl get ${PLURAL[kind]} ${name} -o yaml`);
}

/** Writes a file of which there must be none yet. */
export function writeNew(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: 'wx', mode: 0o644 });
  } catch (cause) {
    throw new CeremonyFailure(`The file ${file} cannot be written`, {
      cause,
      hint: 'it must not be there yet, and its folder must be',
    });
  }
}
