import { createHash } from 'node:crypto';
import { fromBase64, fromHex, text } from '../../lib/bytes.ts';
import { Secret } from '../../lib/secret.ts';
import type { CeremonyContext } from './context.ts';
import { CeremonyFailure, wrongUsage } from './failure.ts';
import type { Gpg } from './gpg.ts';
import type { Cluster } from './kube.ts';
import { clusterOf, isFile, readText, textAt } from './source.ts';

const ARMOR = '-----BEGIN PGP MESSAGE-----';

/**
 * The encrypted share that a person means: --share FILE (or - for standard input), --from CEREMONY whose Secret holds it,
 * or the Secret of the ceremony that runs.
 * @param ceremony undefined when this ceremony gives out no shares: then the person must say which
 * @throws CeremonyFailure when there is none
 */
export async function encryptedShare(
  context: CeremonyContext,
  options: {
    readonly custodian: string;
    readonly ceremony: string | undefined;
    readonly cluster: Cluster | undefined;
  },
): Promise<string> {
  const { args } = context;
  const file = args.get('share');
  if (file !== undefined) return readText(context, file);
  const ceremony = args.get('from') ?? options.ceremony;
  if (ceremony === undefined || isFile(ceremony))
    throw wrongUsage(
      'Which share is meant?',
      'name the file with your encrypted share with --share FILE, or the ceremony that made it with --from NAME',
    );
  return fetchMessage(options.cluster ?? clusterOf(context), ceremony, `share-${options.custodian}`);
}

/** @returns the armored message in a Secret that the operator made. @throws CeremonyFailure when it is not there */
export async function fetchMessage(
  cluster: Cluster,
  ceremony: string,
  what: `share-${string}` | 'root-token',
): Promise<string> {
  const name = `${ceremony}-${what}`;
  const secret = await cluster.get('secrets', name);
  const encoded = textAt(secret, 'data', what === 'root-token' ? 'root-token.asc' : 'share.asc');
  const bytes = encoded === undefined ? undefined : fromBase64(encoded);
  if (bytes === undefined)
    throw new CeremonyFailure(`There is no Secret ${name} in the namespace ${cluster.namespace}`, {
      hint: `look at ceremony status ${ceremony}: it says what was delivered`,
    });
  const message = text(bytes);
  if (!message.includes(ARMOR))
    throw new CeremonyFailure(`The Secret ${name} does not hold an OpenPGP message`, {
      hint: 'somebody may have changed it: tell the others',
    });
  return message;
}

/**
 * Opens a share: gpg decrypts it, or it came on standard input decrypted already.
 * @returns the bytes of the share; the caller disposes it
 */
export async function openShare(gpg: Gpg, given: string, fromStandardInput: boolean): Promise<Secret> {
  if (given.includes(ARMOR)) {
    using plain = await gpg.decrypt(given);
    return plain.borrow((bytes) => shareBytes(text(bytes)));
  }
  if (fromStandardInput) return shareBytes(given);
  throw new CeremonyFailure('The file does not hold an encrypted share', {
    hint: 'a share in plaintext belongs into no file: pipe it in with --share -',
  });
}

/** @returns the hash by which receipts name a share: SHA-256 of the binary message, hex */
export function messageHash(armored: string): string {
  const lines = armored.split(/\r?\n/);
  const begin = lines.indexOf('', lines.indexOf(ARMOR));
  const body = lines.slice(begin + 1).filter((line) => /^[A-Za-z0-9+/]+={0,2}$/.test(line));
  const binary = fromBase64(body.join(''));
  if (binary === undefined || binary.length === 0)
    throw new CeremonyFailure('The encrypted share is damaged: it is not one whole armored message');
  return createHash('sha256').update(binary).digest('hex');
}

function shareBytes(plain: string): Secret {
  const trimmed = plain.trim();
  const bytes = fromHex(trimmed) ?? fromBase64(trimmed);
  if (bytes === undefined || bytes.length < 16 || bytes.length > 1024)
    throw new CeremonyFailure('What was decrypted is no share', {
      hint: 'a share is hex or base64: is this the message with your root token, or another one?',
    });
  return Secret.own(bytes);
}
