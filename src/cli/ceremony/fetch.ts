import { type CeremonyContext, oneWord, required } from './context.ts';
import { CeremonyFailure } from './failure.ts';
import { fetchKeyTest } from './key-test.ts';
import { writeNew } from './outbox.ts';
import { fetchMessage, messageHash } from './share.ts';
import { clusterOf } from './source.ts';
import { spokenBlock } from './spoken.ts';

/** Bytes of the largest code, at the lowest level of correction (ISO/IEC 18004 table 7). */
const MAX_CODE = 2953;

/** `fetch NAME --as CUSTODIAN`: the encrypted share, root token or test message as it is; for paper and cameras as a QR code. */
export async function fetchShare(context: CeremonyContext): Promise<number> {
  const ceremony = oneWord(context, 'ceremony');
  const { args, terminal } = context;
  const cluster = clusterOf(context);
  const me = (): string => required(context, 'as', 'your name in the plan');
  const message = args.on('root-token')
    ? await fetchMessage(cluster, ceremony, 'root-token')
    : args.on('key-test')
      ? await fetchKeyTest(cluster, ceremony, me())
      : await fetchMessage(cluster, ceremony, `share-${me()}`);
  terminal.note(...spokenBlock('SHA-256 of the encrypted message', messageHash(message)));
  const svg = args.get('svg');
  const file = args.get('out');
  if (svg !== undefined) {
    writeNew(svg, `${await code(message, 'svg')}\n`);
    terminal.note(`The QR code was written to ${svg}. What it shows is encrypted.`);
  }
  if (file !== undefined) {
    writeNew(file, message);
    terminal.note(`The encrypted message was written to ${file}.`);
  }
  if (args.on('qr')) terminal.draw((await code(message, 'ascii')).split('\n').map(onBlack));
  else if (svg === undefined && file === undefined) terminal.print(...message.trimEnd().split('\n'));
  return 0;
}

async function code(message: string, form: 'svg' | 'ascii'): Promise<string> {
  const content = message.trim();
  const { length } = new TextEncoder().encode(content);
  if (length > MAX_CODE)
    throw new CeremonyFailure(`The message is too long for a QR code: ${length} bytes, ${MAX_CODE} fit`, {
      hint: 'take the file instead (--out FILE); messages to elliptic keys are short enough',
    });
  const { default: encodeQR } = await import('qr');
  const options = { ecc: length > 2331 ? 'low' : 'medium', encoding: 'byte', border: 4 } as const;
  return encodeQR(content, form, options).trimEnd();
}

// The light modules are drawn: their colours must not be those of the terminal's theme.
function onBlack(line: string): string {
  return `\u001b[40;97m${line}\u001b[0m`;
}
