import type { ControllerOptions } from './options.ts';
import { createDrillScheduleController } from './drillschedule/controller.ts';
import { createRecoveryCeremonyController } from './recoveryceremony/controller.ts';
import type { Controller } from './runtime/runtime.ts';
import { createSealedVaultController } from './sealedvault/controller.ts';

/** One line for each kind. */
export function createControllers(options: ControllerOptions): Controller[] {
  return [
    createSealedVaultController(options),
    createRecoveryCeremonyController(options),
    createDrillScheduleController(),
  ];
}
