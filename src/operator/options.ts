import type { VaultClientFactory } from '../client/factory.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';

/** What every controller is made with. */
export interface ControllerOptions {
  /** The namespace the operator runs in. */
  readonly operatorNamespace: string;
  /** The image of vault pods; the operator's own. */
  readonly image: string;
  readonly vaultClient: VaultClientFactory;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}
