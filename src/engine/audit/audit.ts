import { createHmac } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import { SealedVaultError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { type AuditDeviceConfig, type DeviceOptions, parseDevice } from './config.ts';
import type { AuditEntry } from './entry.ts';
import { Formatter } from './format.ts';
import { FileOutput, type Output, StdoutOutput } from './output.ts';

/**
 * Every request and every answer, one JSON line each, in Vault's format, before it takes effect.
 *
 * I1  With devices configured, at least one of them has accepted the whole line before a call resolves; else
 *     the call fails with ERR_AUDIT_UNAVAILABLE and the request must not go on. Without devices nothing is asked.
 * I2  Strings that may be secret are written as `hmac-sha256:…` under a key of the device's own; names of
 *     parameters, numbers and bools are plain (format.ts). Only `log_raw` changes that.
 * I3  One broken device neither stops the others nor is given up: it is tried again with the next line.
 * I4  A line that could only be written in part is ended before the next one begins (output.ts).
 */
export interface Audit {
  /** How many devices there are: with none, no entry need be made. */
  readonly deviceCount: number;
  /** @throws ERR_AUDIT_UNAVAILABLE */
  logRequest(entry: AuditEntry): Promise<void>;
  /** @throws ERR_AUDIT_UNAVAILABLE */
  logResponse(entry: AuditEntry): Promise<void>;
  /** Opens files again, after a rotation. A file that cannot be opened is logged, and its old one kept. */
  reload(): Promise<void>;
  close(): Promise<void>;
  /** `hmac-sha256:…` of a text as the device writes it; undefined when there is no such device. */
  hash(path: string, input: string): string | undefined;
}

export class AuditUnavailable extends SealedVaultError {
  override readonly code = 'ERR_AUDIT_UNAVAILABLE';
}

export interface AuditOptions {
  readonly devices: readonly AuditDeviceConfig[];
  /** Kept behind the barrier; each device's key comes from it and the device's path. */
  readonly salt: Uint8Array;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Device {
  readonly path: string;
  readonly options: DeviceOptions;
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
  const devices = options.devices.map((config): Device => {
    const parsed = parseDevice(config);
    const key = createHmac('sha256', options.salt).update(`audit device ${config.path}`).digest();
    return {
      path: config.path,
      options: parsed,
      formatter: new Formatter(parsed, key),
      output: parsed.file === undefined ? new StdoutOutput() : new FileOutput(parsed.file, parsed.mode),
      failing: false,
    };
  });
  const audit = new Broker(devices, options);
  await audit.reload();
  return audit;
}

class Broker implements Audit {
  readonly #devices: readonly Device[];
  readonly #clock: Clock;
  readonly #log: Logger;

  get deviceCount(): number {
    return this.#devices.length;
  }

  constructor(devices: readonly Device[], { clock, log }: AuditOptions) {
    this.#devices = devices;
    this.#clock = clock;
    this.#log = log;
  }

  logRequest(entry: AuditEntry): Promise<void> {
    return this.#write('request', entry);
  }

  logResponse(entry: AuditEntry): Promise<void> {
    return this.#write('response', entry);
  }

  async reload(): Promise<void> {
    for (const device of this.#devices) {
      try {
        device.output.reopen();
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
        const pending = device.output.write(device.formatter.line(type, time, entry));
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
