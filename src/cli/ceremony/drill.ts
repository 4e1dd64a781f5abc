import { possessionText } from '../../ceremony/statement.ts';
import { type CeremonyContext, oneWord, required } from './context.ts';
import { send, sendFile } from './outbox.ts';
import { proofOf } from './receipt.ts';
import { encryptedShare } from './share.ts';
import { askUnlessYes } from './sign.ts';
import { loadSource } from './source.ts';
import { spokenBlock } from './spoken.ts';

/** `drill NAME|FILE --as CUSTODIAN`: proves that the share can be used. Only a signature made with it leaves this machine. */
export async function drill(context: CeremonyContext): Promise<number> {
  const { args, terminal } = context;
  const carried = args.get('in');
  if (carried !== undefined) {
    await sendFile(context, carried, 'ShareReceipt');
    return 0;
  }
  const word = oneWord(context, 'ceremony, or file with a manifest,');
  const custodian = required(context, 'as', 'your name as a custodian');
  const { name, digest, manifest, cluster } = await loadSource(context, word);
  const { ceremony, type } = manifest;
  const makesShares = type !== 'Drill' && manifest.custodians.length > 0;
  const message = await encryptedShare(context, {
    custodian,
    ceremony: makesShares && cluster !== undefined ? ceremony.name : undefined,
    cluster,
  });
  const text = possessionText(name, custodian);
  terminal.note(
    ...spokenBlock('Digest, the same for everybody', digest),
    '',
    'This will be signed with the key that your share makes:',
    ...text
      .trimEnd()
      .split('\n')
      .map((line) => `  ${line}`),
    '',
  );
  await askUnlessYes({ args, terminal }, 'Do you prove that you have your share?');
  const proof = await proofOf(context, message, text);
  terminal.note('Your share was decrypted and a proof was made. It was not shown or kept.');
  await send(context, {
    kind: 'ShareReceipt',
    name: `${ceremony.name}-proof-${custodian}`,
    namespace: ceremony.namespace,
    spec: { ceremonyRef: { name: ceremony.name }, custodian, digest, proof },
  });
  return 0;
}
