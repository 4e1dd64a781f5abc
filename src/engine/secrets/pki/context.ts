import type { Clock } from '../../../lib/clock.ts';
import { KeyedMutex } from '../../../lib/keyed-mutex.ts';
import type { Random } from '../../../lib/random.ts';
import type { OpenManagedKey } from '../../logical/managed-key.ts';
import type { Storage } from '../../logical/storage.ts';
import type { TemplateSubject } from '../../policy/template.ts';
import { Batch } from './batch.ts';
import { Refused } from './refused.ts';
import { TidyState } from './tidy-state.ts';

export interface PkiPorts {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
  /** Keys in HSMs that the mount may use. */
  readonly openManagedKey: OpenManagedKey;
  /** What `{{identity.…}}` stands for. */
  readonly templateValues: (entityId: string) => Promise<TemplateSubject | undefined>;
}

/** What the operations of one mount share. */
export class Pki {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
  readonly templateValues: PkiPorts['templateValues'];
  readonly openManagedKey: OpenManagedKey;
  readonly tidy: TidyState;
  readonly #turns = new KeyedMutex();

  constructor({ storage, clock, random, templateValues, openManagedKey }: PkiPorts) {
    this.storage = storage;
    this.clock = clock;
    this.random = random;
    this.templateValues = templateValues;
    this.openManagedKey = openManagedKey;
    this.tidy = new TidyState(random.uuid());
  }

  /**
   * Changes of issuers, keys, revocations and lists, one at a time. What the work writes takes effect when it has
   * ended, all of it together, and not at all when it is refused or fails.
   */
  change<T>(work: (batch: Storage) => Promise<T | Refused>): Promise<T | Refused> {
    return this.#turns.run('changes', async () => {
      const batch = new Batch(this.storage);
      const result = await work(batch);
      if (!(result instanceof Refused)) await batch.commit();
      return result;
    });
  }
}
