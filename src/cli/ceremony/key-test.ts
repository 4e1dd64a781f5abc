import { answerTo } from '../../ceremony/key-test.ts';
import { keyTestText } from '../../ceremony/statement.ts';
import { type CeremonyContext, oneWord, required } from './context.ts';
import { CeremonyFailure, wrongUsage } from './failure.ts';
import { personsGpg } from './gpg.ts';
import type { Cluster } from './kube.ts';
import { send, sendFile } from './outbox.ts';
import { expectRole, signAfterAsking } from './sign.ts';
import { loadSource, readText, textAt } from './source.ts';

/**
 * `key-test NAME|FILE --as CUSTODIAN`: decrypts the test message of a ceremony and signs the answer, so that a key or a card
 * that cannot do it is found out before there are shares.
 */
export async function keyTest(context: CeremonyContext): Promise<number> {
  const { args, env } = context;
  const carried = args.get('in');
  if (carried !== undefined) {
    await sendFile(context, carried, 'ShareReceipt');
    return 0;
  }
  const word = oneWord(context, 'ceremony, or file with a manifest,');
  const custodian = required(context, 'as', 'your name in the plan');
  const { manifest, name, digest, cluster } = await loadSource(context, word);
  if (manifest.keyTest === undefined) throw new CeremonyFailure('This ceremony asks for no key test');
  const names = manifest.custodians.map((each) => each.name);
  const person = expectRole(manifest, custodian, names, 'custodian');
  const { ceremony } = manifest;
  const gpg = personsGpg(env);
  using opened = await gpg.decrypt(await messageFor(context, custodian, ceremony.name, cluster));
  const answer = answerTo(opened);
  if (answer === undefined)
    throw new CeremonyFailure('What was decrypted is no test message: it was not answered, shown or kept', {
      hint: 'is this the right file? If it is what the ceremony published, tell the others',
    });
  const signature = await signAfterAsking(context, gpg, {
    text: keyTestText(name, { custodian, answer }),
    person,
    question: 'The message was decrypted. Do you sign that it was you?',
  });
  await send(context, {
    kind: 'ShareReceipt',
    name: `${ceremony.name}-key-test-${custodian}`,
    namespace: ceremony.namespace,
    spec: { ceremonyRef: { name: ceremony.name }, custodian, digest, keyTest: { answer }, signature },
  });
  return 0;
}

/** @returns the armored test message of a custodian. @throws CeremonyFailure when there is none */
export async function fetchKeyTest(cluster: Cluster, ceremony: string, custodian: string): Promise<string> {
  const map = await cluster.get('configmaps', `${ceremony}-key-test`);
  const message = textAt(map, 'data', `${custodian}.asc`);
  if (message !== undefined) return message;
  throw new CeremonyFailure(`There is no test message for ${custodian}`, {
    hint: `look at ceremony status ${ceremony}: it says whether the ceremony has a key test, and where it stands`,
  });
}

async function messageFor(
  context: CeremonyContext,
  custodian: string,
  ceremony: string,
  cluster: Cluster | undefined,
): Promise<string> {
  const file = context.args.get('message');
  if (file !== undefined) return readText(context, file);
  if (cluster !== undefined) return fetchKeyTest(cluster, ceremony, custodian);
  throw wrongUsage('--message is missing', 'the file that fetch --key-test wrote');
}
