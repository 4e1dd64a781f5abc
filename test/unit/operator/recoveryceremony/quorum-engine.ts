import { randomBytes } from 'node:crypto';
import type { VaultApi } from '../../../../src/client/factory.ts';
import { encryptToCustodian } from '../../../../src/ceremony/pgp.ts';
import { isShareProof, proofKeyOf } from '../../../../src/ceremony/share-proof.ts';
import { possessionText } from '../../../../src/ceremony/statement.ts';
import { toBase64 } from '../../../../src/lib/bytes.ts';
import { Secret } from '../../../../src/lib/secret.ts';
import type { World } from './world.ts';

interface Plan {
  readonly type: string;
  readonly digest: string;
  readonly ceremony: { readonly namespace: string; readonly name: string };
  readonly custodians: readonly { readonly name: string; readonly pgp_key: string }[];
}

/** The engine's contract of sys/ceremony for a rotation: one set of new shares, proofs of them, and then a commit. */
export class QuorumEngine {
  /** Sets of new shares that were made. */
  sets = 0;
  state: 'none' | 'collecting' | 'proving' | 'committed' | 'cancelled' = 'none';
  generation = 1;
  nonce = 'first';
  readonly shares: Map<string, Secret> = new Map();
  #plan: Plan | undefined;
  #messages: Record<string, string> = {};
  #given = 0;
  #proven = new Set<string>();

  /** A holder of today gives a share. */
  async give(): Promise<void> {
    if (this.state !== 'collecting') return;
    this.#given += 1;
    if (this.#given < 2 || this.#plan === undefined) return;
    this.sets += 1;
    this.state = 'proving';
    for (const { name, pgp_key: key } of this.#plan.custodians) {
      const share = Secret.own(new Uint8Array(randomBytes(33)));
      this.shares.set(name, share);
      this.#messages[name] = toBase64(await encryptToCustodian(share, key));
    }
  }

  client(world: World): VaultApi {
    return {
      request: async (method: string, path: string, body?: object) => {
        const [status, answer] = await this.#answer(world, method, path, body);
        return { status, body: answer, certificateExpires: undefined };
      },
    } as unknown as VaultApi;
  }

  async #answer(
    world: World,
    method: string,
    path: string,
    body: object | undefined,
  ): Promise<[number, object | undefined]> {
    if (path === 'sys/seal-status') return [200, { sealed: false, cluster_id: 'cluster' }];
    if (path === 'sys/recovery-shares') return [200, this.#holders()];
    if (path.endsWith('/attest'))
      return [200, { public_key: 'k', signature: 's', engine_time: '2026-01-01T00:00:00Z' }];
    if (path.endsWith('/messages')) return [200, { shares: this.#messages }];
    if (path.endsWith('/prove')) return world.effect('prove', () => this.#prove(body as never));
    if (method === 'PUT') return world.effect('open', () => this.#open(body as Plan));
    if (method === 'DELETE')
      return world.effect('cancel', () => {
        this.state = 'cancelled';
        return [204, undefined] as [number, undefined];
      });
    return this.#plan === undefined ? [404, { errors: ['none'] }] : [200, this.#render(this.#plan)];
  }

  #open(plan: Plan): [number, object] {
    if (this.#plan !== undefined && JSON.stringify(this.#plan) !== JSON.stringify(plan))
      return [409, { errors: ['this ceremony was started with another plan'] }];
    if (this.#plan === undefined) this.state = 'collecting';
    this.#plan = plan;
    return [200, this.#render(plan)];
  }

  #prove({ custodian, proof }: { custodian: string; proof: string }): [number, object] {
    const share = this.shares.get(custodian);
    const plan = this.#plan;
    if (share === undefined || plan === undefined) return [400, { errors: ['no'] }];
    const text = possessionText({ ...plan.ceremony, uid: 'ceremony-uid', digest: plan.digest }, custodian);
    if (!isShareProof(proofKeyOf(share), text, proof)) return [400, { errors: ['no'] }];
    this.#proven.add(custodian);
    if (this.#proven.size === plan.custodians.length && this.state === 'proving') {
      this.state = 'committed';
      this.generation += 1;
    }
    return [200, this.#render(plan)];
  }

  #render({ digest, custodians }: Plan): object {
    return {
      id: 'ceremony-uid',
      digest,
      state: this.state,
      nonce: this.state === 'collecting' ? this.nonce : '',
      threshold: 2,
      progress: this.#given,
      submitted: ['old-1', 'old-2'].slice(0, this.#given),
      custodians: custodians.map(({ name }) => ({ name, proven: this.#proven.has(name) })),
      engine_time: '2026-01-01T00:00:00Z',
    };
  }

  #holders(): object {
    const holder = (name: string, proofKey: string): object => ({
      name,
      fingerprint: '',
      proof_key: proofKey,
    });
    return {
      generation: this.generation,
      threshold: 2,
      created_at: '2026-01-01T00:00:00Z',
      holders:
        this.generation === 1
          ? ['old-1', 'old-2'].map((name) => holder(name, ''))
          : [...this.shares].map(([name, share]) => holder(name, proofKeyOf(share))),
    };
  }
}
