import { Aborted, describeError } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/log.ts';
import { type HandoverSeal, isHandover } from '../../seal/handover.ts';
import type { CeremonyRefusal } from '../../sys/ceremony-port.ts';
import type { MigrationPlan } from '../../sys/port.ts';
import { plannedActions, takeOver } from '../migration-commit.ts';
import type { CommitPorts } from '../quorum/commit.ts';
import { configOf, openRootKey, type ProofPorts, proven, proveWrapping } from '../seal-proof.ts';
import type { Act } from './act.ts';

export interface SealMigrationPorts extends CommitPorts {
  readonly log: Logger;
  /** Wraps what the old HSM still wraps by the new one. */
  readonly rewrap: () => void;
}

/**
 * From one HSM to another while the vault serves. Both prove themselves before anybody gives a share, and again before
 * the one write that makes the change.
 */
export function sealMigration(ports: SealMigrationPorts): Act {
  const { seal, barrier, physical, random, log } = ports;
  return {
    prepare: async (record, signal) => {
      if (!isHandover(seal) || !seal.isPending) return noOther;
      const { dryRun } = record.plan;
      // Consent is there: a key that has to be made is made now, so that no quorum gathers for nothing.
      const seals = await rehearse({ physical, random, signal }, seal, dryRun === undefined);
      if (!seals.ready) return { status: 500, refused: unproven(seals) };
      if (dryRun !== undefined) log.info({ ceremony: record.plan.id }, 'a migration of the seal would work');
      return { ...record, seals, ...(dryRun === undefined ? {} : { state: 'committed' }) };
    },
    begin: async (record, signal) => {
      if (!isHandover(seal) || !seal.isPending) return noOther;
      const { from, to } = seal;
      const proof = { physical, random, signal };
      try {
        using rootKey = await openRootKey(proof, from);
        await proveWrapping(proof, to, true);
        const sides = { from, to, config: await configOf(physical), rootKey };
        const writes = await takeOver({ physical, signal }, sides, barrier);
        return {
          record: { ...record, state: 'committed' },
          ...writes,
          afterwards: () => {
            seal.complete();
            ports.rewrap();
            log.info({ ceremony: record.plan.id }, 'the vault is under its new seal');
          },
        };
      } catch (error) {
        if (error instanceof Aborted) throw error;
        const refused = `the migration was not carried out, the vault is under its old seal: ${describeError(error)}`;
        return { status: 500, refused };
      }
    },
  };
}

const noOther: CeremonyRefusal = {
  status: 409,
  refused: 'no migration seal found: the configuration names no other HSM that the vault could go to',
};

async function rehearse(
  ports: ProofPorts,
  { from, to }: HandoverSeal,
  allowGenerateKey: boolean,
): Promise<MigrationPlan> {
  const old = await proven(from, async () => (await openRootKey(ports, from))[Symbol.dispose]());
  const next = await proven(to, () => proveWrapping(ports, to, allowGenerateKey));
  return { ready: old.proven && next.proven, from: old, to: next, actions: plannedActions(from, to) };
}

function unproven({ from, to }: MigrationPlan): string {
  const told = [
    ['old', from],
    ['new', to],
  ] as const;
  return told
    .flatMap(([which, { problem }]) => (problem === undefined ? [] : [`the ${which} seal: ${problem}`]))
    .join('; ');
}
