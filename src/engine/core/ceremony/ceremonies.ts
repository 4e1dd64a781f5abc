import { isShareProof } from '../../../ceremony/share-proof.ts';
import { possessionText } from '../../../ceremony/statement.ts';
import { equalBytes, utf8 } from '../../../lib/bytes.ts';
import { KeyedMutex } from '../../../lib/keyed-mutex.ts';
import type {
  CeremonyPlan,
  CeremonyPort,
  CeremonyRefusal,
  CeremonyStatus,
  CeremonyType,
} from '../../sys/ceremony-port.ts';
import { isShamir } from '../../seal/shamir.ts';
import type { TokenStore } from '../../token/token.ts';
import { sealConfig } from '../quorum/commit.ts';
import { ShareAttempt } from '../quorum/attempt.ts';
import { isQuorumKey, quorumSize } from '../quorum/quorum.ts';
import type { Act } from './act.ts';
import { breakGlass, type BreakGlassPorts, readBreakGlass } from './break-glass.ts';
import { signStatement } from './evidence-key.ts';
import { readHolders } from './holders.ts';
import { onRecord } from './on-record.ts';
import {
  type CeremonyRecord,
  ceremonyPut,
  findCeremony,
  isId,
  pastPut,
  type PendingKey,
  readCeremony,
} from './record.ts';
import { checkPlan, checkRecord, isSamePlan } from './plan.ts';
import { generateRootToken } from './root-token.ts';
import { rotateRecovery } from './rotate-recovery.ts';
import { sealMigration } from './seal-migration.ts';
import { holderName, recognize } from './shares-given.ts';

/**
 * Ceremonies of the operator: an act of a quorum that is bound to a plan which people agreed to.
 *
 * I1  One at a time. What it has reached is behind the barrier; shares that were given are in memory only, under a nonce
 *     that dies with the process: after a restart the quorum gives them again, to the same plan.
 * I2  A share counts when its proof key is one of the set in force, and for the digest and nonce that it was given for.
 * I3  New shares come into force when every new custodian has proved to have theirs, in one atomic write, and only if the
 *     set whose quorum made them is still the one in force. Until then the old shares are the right ones.
 * I4  No plaintext of a share or a token is ever stored; messages are PGP-encrypted before they are.
 * I5  Those before it are kept, so that what they made can still be asked for and revoked; none is started again.
 * I6  Evidence is signed for ceremonies on record only, with what the engine knows of them: plan, type and state are never
 *     what the caller says.
 */
export interface CeremonyOptions extends BreakGlassPorts {
  readonly tokens: TokenStore;
  /** The common name of the operator's certificate; undefined: there is no operator, and so no ceremony. */
  readonly operatorName: string | undefined;
}

const words = {
  operation: 'ceremony',
  duplicate: 'this share has already been given in this ceremony',
};
const ofPeopleAlone: Act = {
  begin: () => Promise.reject(new TypeError('a ceremony on record takes no shares')),
};
const notFound: CeremonyRefusal = { status: 404, refused: 'there is no such ceremony' };
const bad = (refused: string): CeremonyRefusal => ({ status: 400, refused });

export class Ceremonies implements CeremonyPort {
  readonly #options: CeremonyOptions;
  readonly #acts: Readonly<Record<CeremonyType, Act>>;
  readonly #turns = new KeyedMutex();
  #attempt: ShareAttempt;
  #submitted: string[] = [];

  constructor(options: CeremonyOptions) {
    this.#options = options;
    this.#acts = {
      'rotate-recovery': rotateRecovery(options),
      'generate-root': generateRootToken(options),
      'break-glass': breakGlass(options),
      'seal-migration': sealMigration(options),
      record: ofPeopleAlone,
    };
    this.#attempt = new ShareAttempt(options.random.uuid(), words);
  }

  isOperator(clientName: string | undefined): boolean {
    return this.#options.operatorName !== undefined && clientName === this.#options.operatorName;
  }

  start(plan: CeremonyPlan, signal: AbortSignal): Promise<CeremonyStatus | CeremonyRefusal> {
    return this.#turns.run('', () => this.#start(plan, signal));
  }

  async status(id: string | undefined): Promise<CeremonyStatus | CeremonyRefusal> {
    const record = await (id === undefined ? readCeremony(this.#options.barrier) : this.#find(id));
    return record === undefined ? notFound : this.#render(record);
  }

  submit(id: string, share: Parameters<CeremonyPort['submit']>[1]): ReturnType<CeremonyPort['submit']> {
    return this.#turns.run('', () => this.#submit(id, share));
  }

  prove(id: string, proof: Parameters<CeremonyPort['prove']>[1]): ReturnType<CeremonyPort['prove']> {
    return this.#turns.run('', () => this.#prove(id, proof));
  }

  async messages(id: string): ReturnType<CeremonyPort['messages']> {
    const record = await this.#find(id);
    if (record === undefined) return notFound;
    if (record.messages === undefined && record.token === undefined)
      return bad('this ceremony has made no messages');
    return { shares: record.messages ?? {}, rootToken: record.token?.message };
  }

  async revokeToken(id: string): Promise<CeremonyRefusal | undefined> {
    const { tokens, log } = this.#options;
    const record = await this.#find(id);
    if (record?.token === undefined) return notFound;
    const entry = await tokens.byAccessor(record.token.accessor);
    if (entry !== undefined) await tokens.revoke(entry.hash);
    log.info({ ceremony: id }, 'the root token of a ceremony was revoked');
    return undefined;
  }

  cancel(id: string): Promise<CeremonyRefusal | undefined> {
    return this.#turns.run('', async () => {
      const record = await this.#find(id);
      if (record === undefined) return notFound;
      if (record.state === 'committed' || record.state === 'recorded')
        return bad('this ceremony is over: what it did cannot be cancelled');
      if (record.state === 'cancelled') return undefined;
      const { pending: _pending, messages: _messages, ...rest } = record;
      await this.#options.barrier.write([ceremonyPut({ ...rest, state: 'cancelled' })]);
      this.#forgetShares();
      this.#options.log.info({ ceremony: id }, 'a ceremony was cancelled');
      return undefined;
    });
  }

  holders(): ReturnType<CeremonyPort['holders']> {
    return readHolders(this.#options.barrier);
  }

  breakGlass(): ReturnType<CeremonyPort['breakGlass']> {
    return readBreakGlass(this.#options.barrier);
  }

  attest(id: string, head: string): ReturnType<CeremonyPort['attest']> {
    return this.#turns.run('', async () => {
      const { barrier, physical, clock, log } = this.#options;
      const known = await onRecord(barrier, id, this.#submitted.length);
      if (known === undefined) return notFound;
      const { clusterId: cluster } = await sealConfig(physical);
      const time = new Date(clock.now()).toISOString();
      const signed = await signStatement(barrier, { cluster, uid: id, ...known, evidence: head, time });
      log.info({ ceremony: id, head }, 'the evidence of a ceremony was signed');
      return { ...signed, engineTime: time };
    });
  }

  /** When the vault is sealed: shares in memory are wiped. */
  close(): void {
    this.#forgetShares();
  }

  async #start(plan: CeremonyPlan, signal: AbortSignal): Promise<CeremonyStatus | CeremonyRefusal> {
    const { barrier, clock, seal, log } = this.#options;
    if (!isId(plan.id)) return bad('the id of a ceremony is the UID of its object');
    const known = await this.#find(plan.id);
    if (known !== undefined) {
      if (isSamePlan(known.plan, plan)) return this.#render(known);
      return { status: 409, refused: 'this ceremony was started with another plan' };
    }
    const { type } = plan;
    if (type === 'record') {
      const refused = checkRecord(plan);
      return refused === undefined ? this.#keepOnRecord(plan) : bad(refused);
    }
    const current = await readCeremony(barrier);
    if (current?.state === 'collecting' || current?.state === 'proving') {
      const { namespace, name } = current.plan;
      return { status: 409, refused: `another ceremony is in progress: ${namespace}/${name}` };
    }
    if (isShamir(seal)) return bad('ceremonies need a vault whose root key is sealed by an HSM');
    if ((await quorumSize(this.#options)).threshold === 0)
      return bad('this vault has no recovery key: make one by sys/rotate/recovery/init');
    const now = new Date(clock.now());
    const people = await checkPlan(plan, now);
    if ('refused' in people) return bad(people.refused);
    const planned: CeremonyRecord = {
      plan,
      ...people,
      state: 'collecting',
      startedAt: now.toISOString(),
      proven: [],
    };
    const record = (await this.#acts[type].prepare?.(planned, signal)) ?? planned;
    if ('refused' in record) return record;
    const past =
      current === undefined ? [] : await pastPut(barrier, current, (accessor) => this.#isAlive(accessor));
    await barrier.write([ceremonyPut(record), ...past]);
    this.#forgetShares();
    log.info({ ceremony: plan.id, type: plan.type, digest: plan.digest }, 'a ceremony began');
    return this.#render(record);
  }

  async #submit(
    id: string,
    { nonce, digest, key, signal }: Parameters<CeremonyPort['submit']>[1],
  ): Promise<CeremonyStatus | CeremonyRefusal> {
    const { barrier, log } = this.#options;
    const record = await this.#find(id);
    if (record === undefined) return notFound;
    if (record.state !== 'collecting') return bad('this ceremony takes no shares (any more)');
    const given = utf8(`${nonce}\n${digest}`.padEnd(160));
    if (!equalBytes(given, utf8(`${this.#attempt.nonce}\n${record.plan.digest}`.padEnd(160))))
      return bad(
        'nonce and digest are not those of this ceremony: look at its status, and compare with the others',
      );
    const whose = recognize(key, await readHolders(barrier));
    if ('refused' in whose) return bad(whose.refused);
    const { threshold } = await quorumSize(this.#options);
    const combined = await this.#attempt.submit({ key, nonce, signal }, threshold);
    if (combined !== undefined && 'refused' in combined) {
      if (this.#attempt.shares.size < this.#submitted.length) this.#forgetShares();
      return bad(combined.refused);
    }
    this.#submitted.push(whose.holder);
    log.info({ ceremony: id, holder: whose.holder }, 'a share was given');
    if (combined === undefined) return this.#render(record);
    // A new nonce is told when it is clear what came of these shares: before that it would look like a restart.
    try {
      using owned = combined;
      if (!(await isQuorumKey(this.#options, owned, signal)))
        return bad('these shares are not the right ones: all of them have to be given again');
      return await this.#begin(record, signal);
    } finally {
      this.#forgetShares();
    }
  }

  async #begin(record: CeremonyRecord, signal: AbortSignal): Promise<CeremonyStatus | CeremonyRefusal> {
    const { barrier, log } = this.#options;
    const submitted = this.#submitted;
    const begun = await barrier.exclusively(async () => {
      const outcome = await this.#acts[record.plan.type].begin(record, signal);
      if ('refused' in outcome) return outcome;
      const { behind = [], outside = [], afterwards } = outcome;
      const done: CeremonyRecord = { ...outcome.record, submitted };
      await barrier.write([ceremonyPut(done), ...behind], outside);
      afterwards?.();
      return done;
    });
    if ('refused' in begun) return begun;
    log.info({ ceremony: record.plan.id, state: begun.state }, 'a quorum gave its shares');
    return this.#render(begun);
  }

  async #prove(
    id: string,
    { custodian, proof, signal }: Parameters<CeremonyPort['prove']>[1],
  ): Promise<CeremonyStatus | CeremonyRefusal> {
    const record = await this.#find(id);
    if (record === undefined) return notFound;
    const { plan, pending } = record;
    const position = plan.custodians.findIndex(({ name }) => name === custodian);
    if (position === -1) return bad('nobody of this name gets a share in this ceremony');
    if (record.state === 'committed' && record.proven.includes(custodian)) return this.#render(record);
    if (record.state !== 'proving' || pending === undefined)
      return bad('this ceremony takes no proofs (any more)');
    const text = possessionText(
      { namespace: plan.namespace, name: plan.name, uid: plan.id, digest: plan.digest },
      custodian,
    );
    if (!isShareProof(pending.proofKeys[position] ?? '', text, proof))
      return bad('this proof was not made with the new share of this custodian, or not for this ceremony');
    const proven = [...new Set([...record.proven, custodian])];
    const next: CeremonyRecord = { ...record, proven };
    if (proven.length === plan.custodians.length) return this.#commit(next, pending, signal);
    await this.#options.barrier.write([ceremonyPut(next)]);
    return this.#render(next);
  }

  async #commit(
    record: CeremonyRecord,
    pending: PendingKey,
    signal: AbortSignal,
  ): Promise<CeremonyStatus | CeremonyRefusal> {
    const { barrier, log } = this.#options;
    const { plan } = record;
    const { pending: _pending, ...rest } = record;
    const committed: CeremonyRecord = { ...rest, state: 'committed' };
    const outcome = await barrier.exclusively(async () => {
      const commit = await this.#acts[plan.type].commit?.(record, pending, signal);
      if (commit === undefined) throw new TypeError('a ceremony without new shares takes no proofs');
      if (!('refused' in commit))
        await barrier.write([ceremonyPut(committed), ...commit.behind], commit.outside);
      return commit;
    });
    if ('refused' in outcome) return outcome;
    outcome.afterwards?.();
    log.info(
      { ceremony: plan.id, type: plan.type, shares: plan.custodians.length },
      'new shares are in force',
    );
    return this.#render(committed);
  }

  #find(id: string): Promise<CeremonyRecord | undefined> {
    return findCeremony(this.#options.barrier, id);
  }

  // Of people alone: nobody gives a share, and what the vault itself is about to do is not disturbed.
  async #keepOnRecord(plan: CeremonyPlan): Promise<CeremonyStatus | CeremonyRefusal> {
    const { barrier, clock, log } = this.#options;
    const record: CeremonyRecord = {
      plan,
      fingerprints: [],
      requesterFingerprint: undefined,
      state: 'recorded',
      startedAt: new Date(clock.now()).toISOString(),
      proven: [],
    };
    await barrier.write(await pastPut(barrier, record, (accessor) => this.#isAlive(accessor)));
    log.info({ ceremony: plan.id, digest: plan.digest }, 'a ceremony was put on record');
    return this.#render(record);
  }

  async #isAlive(accessor: string): Promise<boolean> {
    return (await this.#options.tokens.byAccessor(accessor)) !== undefined;
  }

  #forgetShares(): void {
    this.#attempt.shares.clear();
    this.#attempt = new ShareAttempt(this.#options.random.uuid(), words);
    this.#submitted = [];
  }

  async #render(record: CeremonyRecord): Promise<CeremonyStatus> {
    const { clock, tokens, barrier } = this.#options;
    const { plan, state, token } = record;
    const known = await readHolders(barrier);
    const collecting = state === 'collecting';
    const alive = token === undefined ? undefined : await tokens.byAccessor(token.accessor);
    return {
      id: plan.id,
      namespace: plan.namespace,
      name: plan.name,
      type: plan.type,
      digest: plan.digest,
      state,
      nonce: collecting ? this.#attempt.nonce : '',
      threshold: (await quorumSize(this.#options)).threshold,
      progress: collecting ? this.#submitted.length : (record.submitted?.length ?? 0),
      submitted: collecting ? [...this.#submitted] : (record.submitted ?? []),
      holders: known?.holders.map(holderName) ?? [],
      custodians: plan.custodians.map(({ name }, index) => ({
        name,
        fingerprint: record.fingerprints[index] ?? '',
        proven: record.proven.includes(name),
      })),
      requester:
        plan.requester === undefined
          ? undefined
          : { name: plan.requester.name, fingerprint: record.requesterFingerprint ?? '' },
      token:
        token === undefined
          ? undefined
          : {
              expiresAt: token.expiresAt,
              state:
                alive !== undefined
                  ? 'active'
                  : clock.now() >= Date.parse(token.expiresAt)
                    ? 'expired'
                    : 'revoked',
            },
      dryRun: plan.dryRun === true,
      seals: record.seals,
      startedAt: record.startedAt,
      engineTime: new Date(clock.now()).toISOString(),
    };
  }
}
