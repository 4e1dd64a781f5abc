import type { Readiness } from '../recovery/recovery.ts';
import type { TlsState } from './certificates.ts';
import type { Credentials } from './credentials.ts';
import type { PodState } from './pods.ts';
import type { StatefulSet } from './resources/statefulset.ts';
import type { SealRecord } from './seal-record.ts';

/**
 * Vaults as resources. A reconcile looks (certificates, Secrets' metadata, pods and what their engines say), makes
 * a plan of it (plan.ts, pure), and applies that: objects first, then labels of pods, then status.
 *
 * V1  The content of the Secrets with slot and PIN never enters the operator: their metadata is watched, and the
 *     kubelet alone reads the values, into the environment of the container that loads the library.
 * V2  What cannot be seen is unknown, not bad: no pod is replaced and no label changed for it, and an initialized
 *     vault is never taken for a new one.
 * V3  The same world gives the same plan; a world that is as planned is written to no more.
 * V4  The authority's key stays in the operator's namespace. Only its holder may initialize the vault.
 * V5  Data is deleted when the policy says so and its pods are gone, and at no other time (deletion.ts).
 *
 * A vault that cannot be reached holds up its own reconcile for three seconds and nobody else's. Failures are
 * thrown and tried again by the runtime; what a person must do stands in a condition.
 */

/** What a plan is made from: everything that was seen of one vault at one moment. */
export interface Observed {
  readonly statefulSet: StatefulSet | undefined;
  readonly pods: readonly PodState[];
  readonly credentials: Credentials;
  readonly tls: TlsState;
  /** Under which HSM the vault is. */
  readonly seal: SealRecord;
  /** Undefined when no engine told. */
  readonly recovery?: Readiness | undefined;
}
