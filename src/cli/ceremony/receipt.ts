import { proveShare } from '../../ceremony/share-proof.ts';
import { LOST, possessionText, receiptText } from '../../ceremony/statement.ts';
import type { JsonObject } from '../../lib/json.ts';
import { type CeremonyContext, oneWord, required } from './context.ts';
import { personsGpg } from './gpg.ts';
import { send, sendFile } from './outbox.ts';
import { encryptedShare, messageHash, openShare } from './share.ts';
import { expectRole, signAfterAsking } from './sign.ts';
import { loadSource } from './source.ts';

/**
 * `receipt NAME|FILE --as CUSTODIAN --storage TEXT`: says that the share came, can be decrypted, and where it is kept; the
 * proof is made with the share, which stays where it is.
 */
export async function receipt(context: CeremonyContext): Promise<number> {
  const { args, env, terminal } = context;
  const carried = args.get('in');
  if (carried !== undefined) {
    await sendFile(context, carried, 'ShareReceipt');
    return 0;
  }
  const word = oneWord(context, 'ceremony, or file with a manifest,');
  const custodian = required(context, 'as', 'your name in the plan');
  const storage = required(context, 'storage', 'where the share is kept, such as "safe 3, bag A-17"');
  const { manifest, name, digest, cluster } = await loadSource(context, word);
  const names = manifest.custodians.map((each) => each.name);
  const person = expectRole(manifest, custodian, names, 'custodian');
  const { ceremony } = manifest;
  const gpg = personsGpg(env);
  // Of a share that is lost there is nothing to hash and nothing to prove with.
  const message =
    storage === LOST
      ? undefined
      : await encryptedShare(context, {
          custodian,
          ceremony: cluster === undefined ? undefined : ceremony.name,
          cluster,
        });
  const sha256 = message === undefined ? '' : messageHash(message);
  const proof =
    args.on('no-proof') || message === undefined
      ? undefined
      : await proofOf(context, message, possessionText(name, custodian));
  if (proof !== undefined)
    terminal.note('Your share was decrypted and a proof was made. It was not shown or kept.');
  const signature = await signAfterAsking(context, gpg, {
    text: receiptText(name, { custodian, sha256, storage }),
    person,
    question: 'Is this so?',
  });
  const spec: JsonObject = {
    ceremonyRef: { name: ceremony.name },
    custodian,
    digest,
    ...(sha256 === '' ? {} : { sha256 }),
    storage,
    signature,
    ...(proof === undefined ? {} : { proof }),
  };
  await send(context, {
    kind: 'ShareReceipt',
    name: `${ceremony.name}-receipt-${custodian}`,
    namespace: ceremony.namespace,
    spec,
  });
  return 0;
}

/** Decrypts a share and signs a text with it. */
export async function proofOf(
  { args, env }: CeremonyContext,
  message: string,
  text: string,
): Promise<string> {
  using share = await openShare(personsGpg(env), message, args.get('share') === '-');
  return proveShare(share, text);
}
