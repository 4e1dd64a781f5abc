import { readdirSync, readFileSync } from 'node:fs';

/**
 * The processes of a container that runs on this machine, as this machine counts them.
 * From outside even a container's first process can be killed; from inside the kernel protects it.
 * @param containerId As in a pod's status, with or without `containerd://`.
 * @returns Process ids, lowest first.
 */
export function processesOf(containerId: string): number[] {
  const id = containerId.replace(/^.*:\/\//, '');
  if (!/^[0-9a-f]{64}$/.test(id)) throw new Error(`not a container id: ${containerId}`);
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && controlGroups(entry).includes(id))
    .map(Number)
    .sort((a, b) => a - b);
}

/** The control groups of a process; nothing when it has just ended. */
function controlGroups(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  } catch {
    return '';
  }
}
