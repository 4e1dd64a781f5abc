import { CeremonyCalls } from '../../../client/ceremony.ts';
import { VaultClientError } from '../../../client/errors.ts';
import type { VaultApi } from '../../../client/factory.ts';
import type { KeyUse } from '../../../ceremony/pgp.ts';
import { toBase64, utf8 } from '../../../lib/bytes.ts';
import { nextDrillOf } from '../../drillschedule/drillschedule.ts';
import type { ReconcileContext } from '../../runtime/runtime.ts';
import type { SealedVault } from '../../sealedvault/kind.ts';
import { isSameToken, readSealRecord } from '../../sealedvault/seal-record.ts';
import { CONFIG_MAP } from '../../sealedvault/types.ts';
import { type RecoveryCeremony, testsKeys } from '../kind.ts';
import { note, type Note } from '../note.ts';
import { expiringKeys, inspectPeople, judgeKeys, type KeyFinding } from '../people/keys.ts';
import { keyUse } from '../people/use.ts';
import type { Facts } from '../recoveryceremony.ts';
import { freeze, notSeparate, swappedKeys } from './freeze.ts';
import type { FrozenHolders, Manifest } from './manifest.ts';
import { type Data, manifestName, manifestObject, readManifest } from './store.ts';

// A ConfigMap holds 1 MiB. The evidence repeats the plan, and a person's key with each of up to three statements.
const MAX_MANIFEST = 160 * 1024;

/** The plan of a ceremony: found, or made of people's keys and what the vault says. */
export class PreparedPlan {
  readonly #ceremony: RecoveryCeremony;
  readonly #vault: SealedVault | undefined;
  readonly #context: ReconcileContext;
  readonly #client: () => Promise<VaultApi | undefined>;
  #manifest: Manifest | undefined;
  #findings: readonly KeyFinding[] = [];
  #warnings: ReadonlyMap<string, string> = new Map();
  #keys: Facts['keys'] = 'unchecked';
  #note: Note = note('AwaitingPreflight', 'People’s keys were not looked at yet.');

  constructor(
    ceremony: RecoveryCeremony,
    vault: SealedVault | undefined,
    context: ReconcileContext,
    client: () => Promise<VaultApi | undefined>,
  ) {
    this.#ceremony = ceremony;
    this.#vault = vault;
    this.#context = context;
    this.#client = client;
  }

  get manifest(): Manifest | undefined {
    return this.#manifest;
  }

  get findings(): readonly KeyFinding[] {
    return this.#findings;
  }

  /** What is soon wrong with keys, by name. */
  get warnings(): ReadonlyMap<string, string> {
    return this.#warnings;
  }

  get keys(): Facts['keys'] {
    return this.#keys;
  }

  get note(): Note {
    return this.#note;
  }

  async load(): Promise<void> {
    const { api, signal } = this.#context;
    this.#manifest = readManifest(this.#ceremony, await api.get<Data>(CONFIG_MAP, this.#key(), signal));
  }

  /** Looks at everybody's key. */
  async inspect(): Promise<void> {
    const { cache } = this.#context;
    this.#findings = await this.#people();
    this.#keys = judgeKeys(this.#findings);
    const { metadata, spec } = this.#ceremony;
    this.#warnings = expiringKeys(
      this.#findings,
      nextDrillOf(cache, metadata.namespace ?? '', spec.vaultRef.name, this.#context.clock.now()),
    );
    const troubled = this.#findings.filter(({ problem }) => problem !== undefined);
    if (troubled.length > 0) {
      const message = troubled.map(({ name, problem }) => `${name}: ${problem}`).join('; ');
      this.#note = note('KeysRefused', `Keys cannot be used. ${message}.`);
    }
  }

  /** Writes the plan down, or waits with the reason. */
  async freeze(): Promise<void> {
    const vault = this.#vault;
    if (vault === undefined) return;
    const { api, signal, clock, random } = this.#context;
    const known = await this.#ask();
    if (known === undefined) {
      this.#keys = 'waiting';
      return;
    }
    const partial = notSeparate(this.#ceremony, this.#findings, known.holders);
    if (partial !== undefined)
      return this.#refuse('NotSeparate', `${partial} has a share in force, and cannot be a witness.`);
    const { inForce } = await readSealRecord(vault, this.#context);
    if (this.#ceremony.spec.type === 'SealMigration' && isSameToken(inForce, vault.spec.hsm)) {
      this.#keys = 'waiting';
      this.#wait('The vault is under the HSM of its spec.hsm: change that first.', 'NothingToMigrate');
      return;
    }
    const manifest = freeze(this.#ceremony, {
      vault,
      inForce,
      findings: this.#findings,
      ...known,
      now: clock.now(),
      nonce: toBase64(random.bytes(32)),
    });
    const object = manifestObject(this.#ceremony, manifest);
    if (utf8(JSON.stringify(object)).length > MAX_MANIFEST)
      return this.#refuse(
        'KeysRefused',
        'The keys are too long together: export each with --export-options export-minimal.',
      );
    if ((await api.create(CONFIG_MAP, object, signal)) !== undefined) {
      this.#manifest = manifest;
      return;
    }
    await this.load();
    if (this.#manifest !== undefined) return;
    this.#keys = 'waiting';
    this.#note = note(
      'SecretConflict',
      `The ConfigMap ${this.#key().name} belongs to something else: delete it.`,
    );
  }

  /** @returns whether a key is another than in the plan, when the act is about to begin */
  async recheck(): Promise<Facts['swapped']> {
    if (this.#manifest === undefined) return 'unknown';
    const found = await this.#people();
    const gone = found.filter(({ key }) => key === undefined).map(({ name }) => name);
    const swapped = swappedKeys(this.#manifest, found).filter((name) => !gone.includes(name));
    if (swapped.length > 0) {
      this.#note = note(
        'KeysChanged',
        `Keys are others than in the plan that was signed: ${swapped.join(', ')}. Make another ceremony.`,
      );
      return 'yes';
    }
    if (gone.length === 0) return 'no';
    const message = found
      .filter(({ key }) => key === undefined)
      .map((each) => `${each.name}: ${each.problem}`);
    this.#note = note('KeysRefused', `Keys cannot be used any more. ${message.join('; ')}.`);
    return 'unknown';
  }

  #people(): Promise<readonly KeyFinding[]> {
    const { metadata, spec } = this.#ceremony;
    const people = [...(spec.custodians ?? []), ...(spec.people ?? [])];
    // A plan of before key tests asks for none.
    const tested =
      this.#manifest === undefined ? testsKeys(this.#ceremony) : this.#manifest.keyTest === 'Required';
    const useOf = (name: string): KeyUse => keyUse(this.#ceremony, name, tested);
    return inspectPeople(people, useOf, metadata.namespace ?? '', this.#context);
  }

  #refuse(reason: Note['reason'], message: string): void {
    this.#keys = 'bad';
    this.#note = note(reason, message);
  }

  /** What the vault says of itself; nothing of a vault that is not initialized. */
  async #ask(): Promise<
    { readonly clusterId: string; readonly holders: FrozenHolders | undefined } | undefined
  > {
    const { type } = this.#ceremony.spec;
    if (type === 'Initialize') return { clusterId: '', holders: undefined };
    const { signal } = this.#context;
    try {
      const client = await this.#client();
      if (client === undefined) return this.#wait('No pod of the vault can be reached.');
      const status = await client.request('GET', 'sys/seal-status', undefined, { signal });
      const clusterId = status.body?.['cluster_id'];
      if (status.body?.['sealed'] !== false) return this.#wait('The vault is sealed.');
      const reply = await new CeremonyCalls(client).recoveryShares({ signal });
      const holders = reply.ok ? freezeHolders(reply.body) : undefined;
      if (!reply.ok && reply.status !== 404)
        return this.#wait(`The vault does not tell who has its recovery shares: ${reply.message}.`);
      if (type === 'Drill' && (holders === undefined || holders.custodians.some(({ name }) => name === '')))
        return this.#wait(
          'The vault does not know who has its recovery shares: a RotateRecovery names them.',
          'HoldersUnknown',
        );
      return { clusterId: typeof clusterId === 'string' ? clusterId : '', holders };
    } catch (error) {
      if (!(error instanceof VaultClientError)) throw error;
      return this.#wait(`The vault was asked: ${error.message}.`);
    }
  }

  #wait(message: string, reason: Note['reason'] = 'VaultNotReachable'): undefined {
    this.#note = note(reason, message);
    return undefined;
  }

  #key(): { namespace: string; name: string } {
    return { namespace: this.#ceremony.metadata.namespace ?? '', name: manifestName(this.#ceremony) };
  }
}

function freezeHolders(shares: {
  readonly generation: number;
  readonly threshold: number;
  readonly holders: FrozenHolders['custodians'];
}): FrozenHolders {
  const { generation, threshold, holders } = shares;
  return { generation, threshold, custodians: holders };
}
