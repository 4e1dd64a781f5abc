import { hostname } from 'node:os';
import type { Output } from './output.ts';

/** Facilities by their keywords (RFC 5424 §6.2.1). */
const FACILITIES = [
  'KERN',
  'USER',
  'MAIL',
  'DAEMON',
  'AUTH',
  'SYSLOG',
  'LPR',
  'NEWS',
  'UUCP',
  'CRON',
  'AUTHPRIV',
  'FTP',
];
const INFO = 6;

/** @returns the number of a facility, or undefined for an unknown name. */
export function facility(name: string): number | undefined {
  const local = /^LOCAL([0-7])$/.exec(name.toUpperCase());
  if (local !== null) return 16 + Number(local[1]);
  const index = FACILITIES.indexOf(name.toUpperCase());
  return index === -1 ? undefined : index;
}

/** RFC 5424 messages over UDP (RFC 5426), or over a stream with a message a line (RFC 6587 §3.4.2). */
export class SyslogOutput implements Output {
  readonly #transport: Output;
  readonly #priority: number;
  readonly #tag: string;

  constructor(transport: Output, options: { readonly facility: number; readonly tag: string }) {
    this.#transport = transport;
    this.#priority = options.facility * 8 + INFO;
    this.#tag = options.tag;
  }

  write(line: string): Promise<void> | undefined {
    const head = `<${this.#priority}>1 ${new Date().toISOString()} ${hostname()} ${this.#tag} ${process.pid} - - `;
    return this.#transport.write(head + line);
  }

  reopen(): Promise<void> | void {
    return this.#transport.reopen();
  }

  close(): Promise<void> {
    return this.#transport.close();
  }
}
