import { Session } from 'node:inspector/promises';
import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8';
import type { Clock } from '../../lib/clock.ts';
import type { JsonObject } from '../../lib/json.ts';
import type { ProfilerPort } from '../sys/process-port.ts';

/** Looks at this process from inside: no port is opened, and nothing that is returned holds a value of the heap. */
export function createProfiler(clock: Clock): ProfilerPort {
  return {
    heap: () => ({
      ...getHeapStatistics(),
      spaces: getHeapSpaceStatistics().map((space) => ({ ...space })),
      memory: { ...process.memoryUsage() },
    }),
    resources: () => {
      const counts: Record<string, number> = {};
      for (const name of process.getActiveResourcesInfo()) counts[name] = (counts[name] ?? 0) + 1;
      return counts;
    },
    sample: async (kind, seconds, signal) => {
      const session = new Session();
      session.connect();
      try {
        if (kind === 'profile') {
          await session.post('Profiler.enable');
          await session.post('Profiler.start');
          await clock.sleep(seconds * 1000, { signal });
          const { profile } = await session.post('Profiler.stop');
          return profile as unknown as JsonObject;
        }
        await session.post('HeapProfiler.startSampling', { samplingInterval: 32_768 });
        await clock.sleep(seconds * 1000, { signal });
        const { profile } = await session.post('HeapProfiler.stopSampling');
        return profile as unknown as JsonObject;
      } finally {
        session.disconnect();
      }
    },
  };
}
