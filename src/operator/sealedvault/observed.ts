import type { TlsState } from './certificates.ts';
import type { Credentials } from './credentials.ts';
import type { PodState } from './pods.ts';
import type { StatefulSet } from './resources/statefulset.ts';

/** What a plan is made from: everything that was seen of one vault at one moment. */
export interface Observed {
  readonly statefulSet: StatefulSet | undefined;
  readonly pods: readonly PodState[];
  readonly credentials: Credentials;
  readonly tls: TlsState;
}
