import type { BarrierOperation } from '../../barrier/barrier.ts';
import type { PhysicalOperation } from '../../physical/physical.ts';
import type { CeremonyRefusal } from '../../sys/ceremony-port.ts';
import type { CeremonyRecord, PendingKey } from './record.ts';

/** What a type of ceremony does. */
export interface Act {
  /** The quorum has given its shares: makes what was planned. Nothing is in force by it unless the record is committed. */
  begin(record: CeremonyRecord): Promise<CeremonyRecord>;
  /** Every custodian has proved their share: what puts the new key in force, written at once with the record. */
  commit?(
    record: CeremonyRecord,
    pending: PendingKey,
    signal: AbortSignal,
  ): Promise<Commit | CeremonyRefusal>;
}

export interface Commit {
  readonly behind: readonly BarrierOperation[];
  readonly outside: readonly PhysicalOperation[];
  /** After the write. */
  readonly afterwards?: () => void;
}
