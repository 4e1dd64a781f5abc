import type { BarrierOperation } from '../../barrier/barrier.ts';
import type { PhysicalOperation } from '../../physical/physical.ts';
import type { CeremonyRefusal } from '../../sys/ceremony-port.ts';
import type { CeremonyRecord, PendingKey } from './record.ts';

/** What a type of ceremony does. */
export interface Act {
  /** Before anybody gives a share: what has to be seen first. A record that comes back committed is the whole act. */
  prepare?(record: CeremonyRecord, signal: AbortSignal): Promise<CeremonyRecord | CeremonyRefusal>;
  /** The quorum has given its shares: makes what was planned, and says what is written at once with the record. */
  begin(record: CeremonyRecord, signal: AbortSignal): Promise<Begun | CeremonyRefusal>;
  /** Every custodian has proved their share: what puts the new key in force, written at once with the record. */
  commit?(
    record: CeremonyRecord,
    pending: PendingKey,
    signal: AbortSignal,
  ): Promise<Commit | CeremonyRefusal>;
}

export interface Begun extends Partial<Commit> {
  /** Nothing is in force by it unless it is committed. */
  readonly record: CeremonyRecord;
}

export interface Commit {
  readonly behind: readonly BarrierOperation[];
  readonly outside: readonly PhysicalOperation[];
  /** After the write. */
  readonly afterwards?: () => void;
}
