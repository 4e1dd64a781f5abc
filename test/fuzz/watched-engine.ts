import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseEngineConfig } from '../../src/engine/config.ts';
import { startEngine } from '../../src/engine/server.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createLogger } from '../../src/lib/log.ts';
import { systemRandom } from '../../src/lib/random.ts';

/** A process of its own for an engine, which tells how long its event loop was held: `delay` asks, and begins anew. */
const { config } = parseEngineConfig(process.argv[2] ?? '', {});
const log = createLogger({ level: 'error', destination: { write: () => undefined } });
const engine = await startEngine({ config, env: {}, clock: systemClock, random: systemRandom, log });
const held = monitorEventLoopDelay({ resolution: 5 });
held.enable();
process.on('message', (message) => {
  if (message === 'delay') {
    process.send?.({ delay: held.max / 1e6 });
    held.reset();
  }
});
process.on('disconnect', () => process.exit(0));
process.send?.({ address: engine.addresses[0] });
