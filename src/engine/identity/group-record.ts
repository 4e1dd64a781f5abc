import { jsonPut, type StorageOperation } from '../logical/storage.ts';
import { layout } from './layout.ts';
import type { Group } from './model.ts';
import type { Records } from './records.ts';

/** A group that was changed, or whose members were. */
export function groupRecord(records: Records, group: Group): StorageOperation {
  const next: Group = {
    ...group,
    modifyIndex: group.modifyIndex + 1,
    lastUpdateTime: records.now(),
  };
  return jsonPut(layout.group(group.id), next);
}
