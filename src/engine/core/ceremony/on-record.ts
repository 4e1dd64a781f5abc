import type { EngineStatement } from '../../../ceremony/engine-statement.ts';
import type { Storage } from '../../logical/storage.ts';
import { readInitialization } from './initialization.ts';
import { findCeremony } from './record.ts';

/**
 * What the engine knows of a ceremony, for its evidence: of the one that runs or ran, of one that was put on record, or of
 * the initialization of the vault.
 * @param given how many shares are in memory, for a ceremony that collects them
 * @returns undefined for an id that is not on record
 */
export async function onRecord(
  storage: Storage,
  id: string,
  given: number,
): Promise<Omit<EngineStatement, 'cluster' | 'uid' | 'evidence' | 'time'> | undefined> {
  const record = await findCeremony(storage, id);
  if (record !== undefined) {
    const { plan, state, submitted, proven } = record;
    return {
      digest: plan.digest,
      type: plan.type,
      state,
      given: submitted?.length ?? (state === 'collecting' ? given : 0),
      proven: proven.length,
      custodians: plan.custodians.length,
    };
  }
  const first = await readInitialization(storage, id);
  if (first === undefined) return undefined;
  return { ...first, type: 'initialize', state: 'committed', given: 0, proven: 0 };
}
