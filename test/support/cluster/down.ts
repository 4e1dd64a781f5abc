import { existsSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { removeControlGroup } from './cgroups.ts';
import { isRunning, stopRecorded } from './daemon.ts';
import { removeNetwork } from './network.ts';
import { type Report, toTerminal } from './progress.ts';
import { forgetRecord, listRecords, readRecord } from './record.ts';

/**
 * Removes a one-node cluster with every trace but the cache folder:
 * processes and containers, mounts, network namespace, control groups, kernel settings, files.
 * @param dir Folder of the cluster.
 * @param report Told what was removed.
 * @returns Whether there was a cluster.
 */
export async function removeCluster(dir: string, report: Report = toTerminal): Promise<boolean> {
  const record = readRecord(dir);
  if (record === undefined) return false;
  // Nothing of it is kept, so nothing needs time to end well.
  for (const process of [...record.processes].reverse()) {
    if (await stopRecorded(process, 0)) report(`  ended ${process.name} (process ${process.pid})`);
  }
  await removeNetwork(record);
  await removeControlGroup(record.controlGroup);
  for (const [file, value] of Object.entries(record.sysctls))
    if (existsSync(file)) writeFileSync(file, value);
  rmSync(dir, { recursive: true, force: true });
  forgetRecord(record);
  for (const folder of [...record.folders].reverse()) {
    try {
      rmdirSync(folder);
    } catch {
      // Somebody else uses it by now.
    }
  }
  report(`  removed network namespace ${record.netns}, control group ${record.controlGroup}, folder ${dir}`);
  return true;
}

/**
 * Removes what clusters left behind whose owner was killed: their processes ended with it, their network and files did not.
 * @param report Told what was removed.
 */
export async function removeAbandoned(report: Report = toTerminal): Promise<void> {
  for (const record of listRecords()) {
    if (record.lifetime === 'parent' && !isRunning(record.owner)) {
      report(`• removing cluster ${record.name}, whose owner was killed`);
      await removeCluster(record.dir, report);
    }
  }
}
