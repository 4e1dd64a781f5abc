import type { ActInput, ActOutcome } from './act.ts';
import { drill } from './drill.ts';
import { initialize } from './initialize.ts';
import { quorum } from './quorum.ts';
import { sealMigration } from './seal-migration.ts';

/** Does what can be done now, by the type of the plan. */
export function performAct(input: ActInput): Promise<ActOutcome> {
  switch (input.ceremony.spec.type) {
    case 'Initialize':
      return initialize(input);
    case 'RotateRecovery':
    case 'GenerateRoot':
    case 'BreakGlass':
      return quorum(input);
    case 'SealMigration':
      return sealMigration(input);
    case 'Drill':
      return drill(input);
  }
}
