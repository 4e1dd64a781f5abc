import type { Logger } from '../../../lib/log.ts';
import { DEFAULT_TIMING } from './agent.ts';
import { libraryEnvOf } from './config.ts';
import { ModuleProcess } from './process.ts';

/** A PKCS#11 process that is on its way, for the seal to take over. */
export interface EarlyProcess {
  /** @returns the process, once; undefined when it was taken before or did not start */
  take(): Promise<ModuleProcess | undefined>;
  /** Ends the process unless it was taken. */
  close(): Promise<void>;
}

/**
 * Starts the PKCS#11 process of a seal while the rest of the engine is still being loaded: starting Node twice at once
 * is most of what can be saved on the way to an open vault. There is no PIN in it yet.
 *
 * @param stanza as parsePkcs11Config takes it
 * @returns undefined where there is none to start: an agent beside the engine, or a stanza that says too little
 */
export function startEarly(
  stanza: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string | undefined>>,
  log: Logger,
): EarlyProcess | undefined {
  const libraryEnv = libraryEnvOf(stanza, env);
  if (libraryEnv === undefined) return undefined;
  // A failure is not told here: the seal starts one itself then, and tells.
  let started: Promise<ModuleProcess | undefined> | undefined = ModuleProcess.start(
    libraryEnv,
    DEFAULT_TIMING.startMs,
    log,
  ).catch(() => undefined);
  const take = async (): Promise<ModuleProcess | undefined> => {
    const process = started;
    started = undefined;
    return process;
  };
  return {
    take,
    close: async () => {
      await (await take())?.kill();
    },
  };
}
