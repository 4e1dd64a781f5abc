import { type CustodianKey, inspectCustodianKey } from '../../../ceremony/pgp.ts';
import { toBase64, utf8 } from '../../../lib/bytes.ts';
import type { Clock } from '../../../lib/clock.ts';
import { KeyedMutex } from '../../../lib/keyed-mutex.ts';
import type { GenerateRootPort, QuorumRefusal, RootGeneration } from '../../sys/quorum-port.ts';
import type { Secret } from '../../../lib/secret.ts';
import type { TokenStore } from '../../token/token.ts';
import { ShareAttempt } from './attempt.ts';
import { handOutToken } from './hand-out.ts';
import { isQuorumKey, type QuorumPorts, quorumSize } from './quorum.ts';

/**
 * Makes the token that a quorum asked for.
 * @param ttl seconds; 0 is for ever
 * @param key what the quorum's shares made; the caller keeps it
 */
export type IssueToken = (
  ttl: number,
  key: Secret,
) => Promise<{ readonly text: string; revoke(): Promise<void> | void }>;

/**
 * A root token by a quorum (Vault: `sys/generate-root`). One attempt at a time, in memory: sealing forgets it.
 *
 * I1  Shares are kept until the quorum is complete, then wiped, whatever the outcome.
 * I2  The token leaves once, XORed with a one-time password or PGP-encrypted; a token that cannot be encrypted is
 *     revoked before the call fails.
 */
export interface GenerateRootOptions extends QuorumPorts {
  readonly issue: IssueToken;
  readonly clock: Clock;
  /** Refuse one-time passwords: the token leaves PGP-encrypted only. */
  readonly requirePgp: boolean;
}

/** Makes a root token. @param ttl seconds; 0 is for ever */
export async function createRootToken(
  tokens: TokenStore,
  ttl: number,
  meta: Readonly<Record<string, string>> | null,
): Promise<NonNullable<Awaited<ReturnType<TokenStore['create']>>>> {
  const issued = await tokens.create({
    parent: '',
    policies: ['root'],
    path: 'auth/token/root',
    displayName: 'root',
    meta,
    numUses: 0,
    ttl,
    explicitMaxTtl: ttl,
    period: 0,
    renewable: false,
    orphan: true,
    entityId: '',
  });
  if (issued === undefined) throw new TypeError('a token with a random text cannot be taken');
  return issued;
}

/** Issues root tokens. */
export function rootTokensOf(tokens: TokenStore): (ttl: number) => ReturnType<IssueToken> {
  return async (ttl) => {
    const issued = await createRootToken(tokens, ttl, null);
    return { text: issued.text, revoke: () => tokens.revoke(issued.entry.hash) };
  };
}

interface Running {
  readonly attempt: ShareAttempt;
  readonly otp: string;
  readonly to: CustodianKey | undefined;
  readonly ttl: number;
}

const TOKEN_LENGTH = 28;
const words = {
  operation: 'root generation',
  duplicate: 'given key has already been provided during this generation operation',
};

export function createGenerateRoot(options: GenerateRootOptions): GenerateRootPort {
  const { random, issue, clock, seal } = options;
  const turns = new KeyedMutex();
  let running: Running | undefined;

  const status = async (more: Partial<RootGeneration> = {}): Promise<RootGeneration> => ({
    nonce: running?.attempt.nonce ?? '',
    started: running !== undefined,
    progress: running?.attempt.shares.size ?? 0,
    required: (await quorumSize(options)).threshold,
    complete: false,
    encodedToken: '',
    pgpFingerprint: running?.to?.fingerprint ?? '',
    otp: '',
    otpLength: TOKEN_LENGTH,
    ...more,
  });

  const start: GenerateRootPort['start'] = async ({ otp, pgpKey, ttl }) => {
    if (running !== undefined) return { refused: 'root generation already in progress' };
    if ((await quorumSize(options)).threshold === 0)
      return { refused: 'this vault has no recovery key: make one by sys/rotate/recovery/init' };
    let to: CustodianKey | undefined;
    if (pgpKey !== '' && otp === '') {
      const inspected = await inspectCustodianKey(pgpKey, new Date(clock.now()));
      if (!inspected.ok) return { refused: `error parsing PGP key: ${inspected.message}` };
      to = inspected.key;
    }
    if (to === undefined && options.requirePgp)
      return { refused: 'this vault only hands out a PGP-encrypted root token: give pgp_key' };
    if (otp !== '' && utf8(otp).length !== TOKEN_LENGTH)
      return { refused: 'OTP string has incorrect length' };
    const password = otp !== '' || to !== undefined ? otp : random.base62(TOKEN_LENGTH);
    running = { attempt: new ShareAttempt(random.uuid(), words), otp: password, to, ttl };
    return status({ otp: otp === '' ? password : '' });
  };

  const generate = async ({ to, otp, ttl }: Running, key: Secret): Promise<string> => {
    const issued = await issue(ttl, key);
    if (to === undefined) return xor(issued.text, otp);
    try {
      return await handOutToken(issued.text, to);
    } catch (error) {
      await issued.revoke();
      throw error;
    }
  };

  const update: GenerateRootPort['update'] = async (submission) => {
    if (running === undefined) return { refused: 'no root generation in progress' };
    const { threshold } = await quorumSize(options);
    const { attempt, to } = running;
    const key = await attempt.submit(submission, threshold);
    if (key === undefined) return status({ otpLength: 0 });
    if ('refused' in key) return key;
    using owned = key;
    if (!(await isQuorumKey(options, owned, submission.signal))) return wrongKey(seal.type);
    const current = running;
    if (current?.attempt !== attempt) return { refused: 'the root generation was cancelled meanwhile' };
    const encodedToken = await generate(current, owned);
    running = undefined;
    return status({
      nonce: attempt.nonce,
      started: true,
      progress: threshold,
      complete: true,
      encodedToken,
      pgpFingerprint: to?.fingerprint ?? '',
      otpLength: 0,
    });
  };

  return {
    status: () => status(),
    start: (request) => turns.run('', () => start(request)),
    update: (submission) => turns.run('', () => update(submission)),
    cancel: () => {
      running?.attempt.shares.clear();
      running = undefined;
    },
  };
}

function wrongKey(type: string): QuorumRefusal {
  return {
    refused:
      type === 'shamir'
        ? 'root generation aborted: unable to authenticate: the unseal key shares are not the right ones'
        : 'root generation aborted: recovery key verification failed: the recovery key shares are not the right ones',
  };
}

function xor(token: string, otp: string): string {
  const pad = utf8(otp);
  return toBase64(utf8(token).map((byte, index) => byte ^ (pad[index] ?? 0))).replaceAll('=', '');
}
