import { isJsonObject, type Json, type JsonObject } from '../lib/json.ts';
import type { Answer, VaultClient } from './client.ts';
import { VaultClientError } from './errors.ts';

/** Body of PUT sys/ceremony/{id}, by the names of the API. */
export interface CeremonyRequest {
  readonly type: 'rotate-recovery' | 'generate-root' | 'break-glass' | 'seal-migration' | 'record';
  readonly digest: string;
  readonly ceremony: { readonly namespace: string; readonly name: string };
  readonly threshold?: number;
  readonly custodians?: readonly { readonly name: string; readonly pgp_key: string }[];
  readonly requester?: { readonly name: string; readonly pgp_key: string };
  /** Of the token. */
  readonly ttl?: string;
  /** seal-migration: prove both seals, and nothing else. */
  readonly dry_run?: true;
}

/** What an engine says of a ceremony. */
export interface CeremonyState {
  readonly id: string;
  readonly digest: string;
  readonly state: 'collecting' | 'proving' | 'committed' | 'cancelled' | 'recorded';
  readonly nonce: string;
  /** Shares that are needed. */
  readonly threshold: number;
  readonly progress: number;
  /** Who gave a share. */
  readonly submitted: readonly string[];
  readonly custodians: readonly { readonly name: string; readonly proven: boolean }[];
  readonly token: { readonly expiresAt: string; readonly state: string } | undefined;
  /** seal-migration: how both seals proved themselves. */
  readonly seals: { readonly ready: boolean; readonly from: ProvenSeal; readonly to: ProvenSeal } | undefined;
  readonly engineTime: string;
}

export interface ProvenSeal {
  readonly proven: boolean;
  readonly key: { readonly label: string; readonly id: string } | undefined;
}

/** Who has the shares in force. */
export interface RecoveryShares {
  readonly generation: number;
  readonly threshold: number;
  readonly createdAt: string;
  readonly holders: readonly ShareHolder[];
  /** Who can open the vault without its HSM; empty while the break-glass seal is off. */
  readonly breakGlass: readonly ShareHolder[];
}

export interface ShareHolder {
  readonly name: string;
  readonly fingerprint: string;
  readonly proofKey: string;
}

/** OpenPGP messages, base64 of the binary. */
export interface CeremonyMessages {
  readonly shares: Readonly<Record<string, string>>;
  readonly rootToken: string;
}

/** An answer, or the status and words of a refusal. */
export type Reply<T> =
  | { readonly ok: true; readonly body: T }
  | { readonly ok: false; readonly status: number; readonly message: string };

interface EngineSignature {
  /** engine-statement.ts; an engine before it signs the head alone. */
  readonly statement?: string;
  readonly publicKey: string;
  readonly signature: string;
  readonly engineTime: string;
}

interface Options {
  readonly signal?: AbortSignal;
}

/** The calls of sys/ceremony and what belongs to it. @throws ERR_VAULT_CLIENT as VaultClient does */
export class CeremonyCalls {
  readonly #client: Pick<VaultClient, 'request'>;

  constructor(client: Pick<VaultClient, 'request'>) {
    this.#client = client;
  }

  /** Begins a ceremony, or finds it begun: the same request again changes nothing. */
  open(id: string, request: CeremonyRequest, options: Options): Promise<Reply<CeremonyState>> {
    return this.#call('PUT', `sys/ceremony/${id}`, request, options, readState);
  }

  state(id: string, options: Options): Promise<Reply<CeremonyState>> {
    return this.#call('GET', `sys/ceremony/${id}`, undefined, options, readState);
  }

  /** Gives a new custodian's proof to the engine. */
  prove(id: string, custodian: string, proof: string, options: Options): Promise<Reply<CeremonyState>> {
    return this.#call('POST', `sys/ceremony/${id}/prove`, { custodian, proof }, options, readState);
  }

  messages(id: string, options: Options): Promise<Reply<CeremonyMessages>> {
    return this.#call('GET', `sys/ceremony/${id}/messages`, undefined, options, (body) => ({
      shares: isJsonObject(body['shares'])
        ? Object.fromEntries(Object.entries(body['shares']).map(([name, value]) => [name, textOf(value)]))
        : {},
      rootToken: textOf(body['root_token']),
    }));
  }

  revokeToken(id: string, options: Options): Promise<Reply<undefined>> {
    return this.#call('POST', `sys/ceremony/${id}/revoke-token`, {}, options, () => undefined);
  }

  cancel(id: string, options: Options): Promise<Reply<undefined>> {
    return this.#call('DELETE', `sys/ceremony/${id}`, undefined, options, () => undefined);
  }

  recoveryShares(options: Options): Promise<Reply<RecoveryShares>> {
    return this.#call('GET', 'sys/recovery-shares', undefined, options, (body) => ({
      generation: numberOf(body['generation']),
      threshold: numberOf(body['threshold']),
      createdAt: textOf(body['created_at']),
      holders: objects(body['holders']).map(readHolder),
      breakGlass: isJsonObject(body['break_glass'])
        ? objects(body['break_glass']['holders']).map(readHolder)
        : [],
    }));
  }

  /** The engine's signature over the head of the evidence, and what it knows of the ceremony; 404: not on record. */
  attest(id: string, head: string, options: Options): Promise<Reply<EngineSignature>> {
    return this.#call('POST', `sys/ceremony/${id}/attest`, { head }, options, (body) => ({
      ...(body['statement'] === undefined ? {} : { statement: textOf(body['statement']) }),
      publicKey: textOf(body['public_key']),
      signature: textOf(body['signature']),
      engineTime: textOf(body['engine_time']),
    }));
  }

  async #call<T>(
    method: string,
    path: string,
    body: object | undefined,
    options: Options,
    read: (body: JsonObject) => T,
  ): Promise<Reply<T>> {
    const answer: Answer<JsonObject | undefined> = await this.#client.request(method, path, body, options);
    if (answer.status >= 200 && answer.status < 300) return { ok: true, body: read(answer.body ?? {}) };
    const errors = answer.body?.['errors'];
    const [first] = Array.isArray(errors) ? errors : [];
    return { ok: false, status: answer.status, message: textOf(first).slice(0, 500) };
  }
}

const STATES: readonly string[] = ['collecting', 'proving', 'committed', 'cancelled', 'recorded'];

function readState(body: JsonObject): CeremonyState {
  const state = textOf(body['state']);
  if (!STATES.includes(state))
    throw new VaultClientError('answer', 'the answer is not one of the Vault API', { status: 200 });
  const { token, seals } = body;
  return {
    id: textOf(body['id']),
    digest: textOf(body['digest']),
    state: state as CeremonyState['state'],
    nonce: textOf(body['nonce']),
    threshold: numberOf(body['threshold']),
    progress: numberOf(body['progress']),
    submitted: Array.isArray(body['submitted']) ? body['submitted'].map(textOf) : [],
    custodians: objects(body['custodians']).map((each) => ({
      name: textOf(each['name']),
      proven: each['proven'] === true,
    })),
    token:
      token !== undefined && isJsonObject(token)
        ? { expiresAt: textOf(token['expires_at']), state: textOf(token['state']) }
        : undefined,
    seals:
      seals !== undefined && isJsonObject(seals)
        ? { ready: seals['ready'] === true, from: readSeal(seals['from']), to: readSeal(seals['to']) }
        : undefined,
    engineTime: textOf(body['engine_time']),
  };
}

function readSeal(value: Json | undefined): ProvenSeal {
  const seal = value !== undefined && isJsonObject(value) ? value : {};
  const { key } = seal;
  return {
    proven: seal['proven'] === true,
    key:
      key !== undefined && isJsonObject(key)
        ? { label: textOf(key['label']), id: textOf(key['id']) }
        : undefined,
  };
}

function readHolder(body: JsonObject): ShareHolder {
  return {
    name: textOf(body['name']),
    fingerprint: textOf(body['fingerprint']),
    proofKey: textOf(body['proof_key']),
  };
}

function objects(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter((each) => isJsonObject(each)) : [];
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}

function numberOf(value: Json | undefined): number {
  return typeof value === 'number' ? value : 0;
}
