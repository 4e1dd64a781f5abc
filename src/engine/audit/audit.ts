import { createHmac } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import { SealedVaultError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import {
  AuditConfigInvalid,
  type AuditDeviceConfig,
  checkOptions,
  type DeviceOptions,
  parseDevice,
} from './config.ts';
import type { AuditEntry } from './entry.ts';
import { Formatter } from './format.ts';
import { FileOutput, type FileOptions } from './file.ts';
import { DiscardOutput, type Output, RefusedOutput, StdoutOutput } from './output.ts';
import { type AuditPlaces, placeBelow, PlaceRefused, refuseReserved } from './place.ts';
import { DatagramOutput, SocketOutput, type SocketOptions } from './socket.ts';
import { SyslogOutput } from './syslog.ts';

/**
 * Every request and every answer, one JSON line each, in Vault's format, before it takes effect.
 *
 * I1  With devices configured, at least one of them has accepted the whole line before a call resolves; else
 *     the call fails with ERR_AUDIT_UNAVAILABLE and the request must not go on. Without devices nothing is asked.
 * I2  Strings that may be secret are written as `hmac-sha256:…` under a key of the device's own; names of
 *     parameters, numbers and bools are plain (format.ts). Only `log_raw` changes that.
 * I3  One broken device neither stops the others nor is given up: it is tried again with the next line.
 * I4  A line that could only be written in part is ended before the next one begins (output.ts).
 * I5  What the API says of a device reaches no further than the configuration lets it: files and sockets below one folder,
 *     a prefix only where prefixes are allowed, no device at all where devices are declared (AuditRules).
 */
export interface Audit {
  /** How many devices there are: with none, no entry need be made. */
  readonly deviceCount: number;
  /** @throws ERR_AUDIT_UNAVAILABLE */
  logRequest(entry: AuditEntry): Promise<void>;
  /** @throws ERR_AUDIT_UNAVAILABLE */
  logResponse(entry: AuditEntry): Promise<void>;
  /** The devices in force, in the order in which they were added. */
  devices(): readonly AuditDeviceConfig[];
  /**
   * Begins to write to one more device, which the API asked for.
   * @throws ERR_CONFIG_INVALID for what the rules or the device's type forbid, and what opening failed with
   */
  enable(config: AuditDeviceConfig): Promise<void>;
  /** Begins to write to a device that was enabled before. One that cannot be opened is logged and tried again. */
  add(config: AuditDeviceConfig): Promise<void>;
  /** Ends writing to a device. */
  remove(path: string): Promise<void>;
  /** Opens files again, after a rotation. A file that cannot be opened is logged, and its old one kept. */
  reload(): Promise<void>;
  close(): Promise<void>;
  /** `hmac-sha256:…` of a text as the device writes it; undefined when there is no such device. */
  hash(path: string, input: string): string | undefined;
}

export class AuditUnavailable extends SealedVaultError {
  override readonly code = 'ERR_AUDIT_UNAVAILABLE';
}

/** What the configuration lets the API do. */
export interface AuditRules extends AuditPlaces {
  /** Whether the API may enable devices. */
  readonly apiCreation: boolean;
  /** Whether devices of the API may have a prefix. */
  readonly prefixing: boolean;
}

export interface AuditOptions {
  readonly devices: readonly AuditDeviceConfig[];
  /** Without any, no device of the API has a file. */
  readonly rules?: AuditRules;
  /** Kept behind the barrier; each device's key comes from it and the device's path. */
  readonly salt: Uint8Array;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Device {
  readonly path: string;
  readonly config: AuditDeviceConfig;
  readonly formatter: Formatter;
  readonly output: Output;
  failing: boolean;
}

/**
 * Opens the devices. One that cannot be opened is logged and tried again with each line.
 *
 * @throws ERR_CONFIG_INVALID for options that no device can have
 */
export async function openAudit(options: AuditOptions): Promise<Audit> {
  const devices = options.devices.map((config) => {
    checkOptions(config);
    return makeDevice(config, options, 'configuration');
  });
  const audit = new Broker(devices, options);
  await audit.reload();
  return audit;
}

const STRICT: AuditRules = { directory: undefined, reserved: [], apiCreation: true, prefixing: false };

type Named = FileOptions['named'];

function makeDevice(config: AuditDeviceConfig, { salt, rules = STRICT }: AuditOptions, named: Named): Device {
  const parsed = parseDevice(config);
  const key = createHmac('sha256', salt).update(`audit device ${config.path}`).digest();
  return {
    path: config.path,
    config,
    formatter: new Formatter(parsed, key),
    output: outputOf(parsed, rules, named),
    failing: false,
  };
}

function outputOf({ target, prefix }: DeviceOptions, rules: AuditRules, named: Named): Output {
  if (named === 'api' && prefix !== '' && !rules.prefixing) return new RefusedOutput(PREFIX_REFUSED);
  switch (target.kind) {
    case 'stdout':
      return new StdoutOutput();
    case 'discard':
      return new DiscardOutput();
    case 'file':
      return new FileOutput({ ...target, prefix, named, places: rules });
    case 'socket':
      return socketOf(target, rules, named);
    case 'syslog':
      return new SyslogOutput(socketOf(target, rules, named), target);
  }
}

const PREFIX_REFUSED = 'prefix is not allowed: the configuration has to say allow_audit_log_prefixing';

// A socket in the file system is a path as well: the agent's, for one, is nothing to write to.
function socketOf(options: SocketOptions, rules: AuditRules, named: Named): Output {
  if (options.transport === 'unix' && named === 'api') {
    const guard = (): void => refuseReserved(rules, placeBelow(rules, options.address));
    return new SocketOutput({ ...options, guard });
  }
  return options.transport === 'udp' ? new DatagramOutput(options.address) : new SocketOutput(options);
}

class Broker implements Audit {
  readonly #options: AuditOptions;
  #devices: readonly Device[];
  readonly #clock: Clock;
  readonly #log: Logger;

  get deviceCount(): number {
    return this.#devices.length;
  }

  constructor(devices: readonly Device[], options: AuditOptions) {
    this.#devices = devices;
    this.#options = options;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  logRequest(entry: AuditEntry): Promise<void> {
    return this.#write('request', entry);
  }

  logResponse(entry: AuditEntry): Promise<void> {
    return this.#write('response', entry);
  }

  devices(): readonly AuditDeviceConfig[] {
    return this.#devices.map(({ config }) => config);
  }

  async enable(config: AuditDeviceConfig): Promise<void> {
    const { rules = STRICT } = this.#options;
    if (!rules.apiCreation)
      throw new AuditConfigInvalid(
        'cannot enable audit device via API; use declarative, config-based audit device management instead',
      );
    checkOptions(config);
    if ((config.options['prefix'] ?? '') !== '' && !rules.prefixing)
      throw new AuditConfigInvalid(PREFIX_REFUSED);
    const device = makeDevice(config, this.#options, 'api');
    try {
      await device.output.reopen();
    } catch (cause) {
      if (cause instanceof PlaceRefused)
        throw new AuditConfigInvalid(
          `audit device ${JSON.stringify(config.path)}: the path ${cause.message}`,
        );
      throw cause;
    }
    this.#devices = [...this.#devices, device];
  }

  async add(config: AuditDeviceConfig): Promise<void> {
    const device = makeDevice(config, this.#options, 'api');
    try {
      await device.output.reopen();
    } catch (error) {
      this.#failed(device, error);
    }
    this.#devices = [...this.#devices, device];
  }

  async remove(path: string): Promise<void> {
    const device = this.#devices.find((each) => each.path === path);
    this.#devices = this.#devices.filter((each) => each !== device);
    await device?.output.close();
  }

  async reload(): Promise<void> {
    for (const device of this.#devices) {
      try {
        await device.output.reopen();
        this.#worked(device);
      } catch (error) {
        this.#failed(device, error);
      }
    }
  }

  async close(): Promise<void> {
    for (const { output } of this.#devices) await output.close();
  }

  hash(path: string, input: string): string | undefined {
    const wanted = path.endsWith('/') ? path : `${path}/`;
    const device = this.#devices.find((each) => each.path === wanted || each.path === path);
    return device?.formatter.hash(input);
  }

  async #write(type: 'request' | 'response', entry: AuditEntry): Promise<void> {
    if (this.#devices.length === 0) return;
    const time = new Date(this.#clock.now()).toISOString();
    let accepted = 0;
    let cause: unknown;
    for (const device of this.#devices) {
      try {
        const hashes = device.formatter.prepare(entry);
        const prepared = hashes === undefined ? undefined : await hashes;
        const pending = device.output.write(device.formatter.line(type, time, entry, prepared));
        if (pending !== undefined) await pending;
        accepted += 1;
        if (device.failing) this.#worked(device);
      } catch (error) {
        cause = error;
        this.#failed(device, error);
      }
    }
    if (accepted === 0) {
      throw new AuditUnavailable('no audit device accepted the entry', {
        cause,
        hint: 'see the log for each device: is the disk full, or the file not writable?',
      });
    }
  }

  #worked(device: Device): void {
    if (device.failing) this.#log.info({ device: device.path }, 'audit: the device works again');
    device.failing = false;
  }

  #failed(device: Device, error: unknown): void {
    if (!device.failing) this.#log.error({ device: device.path, err: error }, 'audit: a device fails');
    device.failing = true;
  }
}
