import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type SecureVersion } from 'node:tls';
import { Client, type Entry, ResultCodeError, type SearchOptions } from 'ldapts';
import type { Dereference, LdapConfig, TlsVersion } from './store.ts';

/** Why the directory is of no use now; without secrets. */
export class DirectoryFailure {
  readonly message: string;
  /** The directory answered that name or password are wrong. */
  readonly wrongCredentials: boolean;
  constructor(message: string, wrongCredentials = false) {
    this.message = message;
    this.wrongCredentials = wrongCredentials;
  }
}

const VERSIONS: Readonly<Record<TlsVersion, SecureVersion>> = {
  tls10: 'TLSv1',
  tls11: 'TLSv1.1',
  tls12: 'TLSv1.2',
  tls13: 'TLSv1.3',
};
const ALIASES: Readonly<Record<Dereference, NonNullable<SearchOptions['derefAliases']>>> = {
  always: 'always',
  finding: 'find',
  never: 'never',
  searching: 'search',
};
const INVALID_CREDENTIALS = 49;
const UNLIMITED = 0x7f_ff_ff_ff;

/** A connection to a directory. It is never made again by itself: a new one would be neither bound nor encrypted. */
export class Directory {
  readonly #client: Client;
  readonly #config: LdapConfig;

  private constructor(client: Client, config: LdapConfig) {
    this.#client = client;
    this.#config = config;
  }

  /** Connects to the first server that answers, and encrypts the connection when that is configured. */
  static async open(config: LdapConfig): Promise<Directory | DirectoryFailure> {
    const troubles: string[] = [];
    for (const url of config.urls) {
      if (!/^ldaps?:\/\/[^/?#]+\/?$/.test(url)) {
        troubles.push(`invalid LDAP url ${JSON.stringify(url)}`);
        continue;
      }
      try {
        return await Directory.#connect(config, new URL(url));
      } catch (error) {
        troubles.push(`error connecting to host ${JSON.stringify(url)}: ${describe(error)}`);
      }
    }
    return new DirectoryFailure(troubles.join('; '));
  }

  /** Proves a password; an empty one binds without authentication (RFC 4513 §5.1.2). */
  async bind(dn: string, password: string): Promise<DirectoryFailure | undefined> {
    try {
      await this.#client.bind(dn, password);
      return undefined;
    } catch (error) {
      return failure(error);
    }
  }

  /** @param limit of entries; 0 is none */
  async search(
    base: string,
    options: Pick<SearchOptions, 'filter' | 'attributes' | 'scope' | 'explicitBufferAttributes'>,
    limit = 0,
  ): Promise<Entry[] | DirectoryFailure> {
    const { dereferenceAliases, maxPageSize } = this.#config;
    try {
      const { searchEntries } = await this.#client.search(base, {
        scope: 'sub',
        derefAliases: ALIASES[dereferenceAliases],
        sizeLimit: limit === 0 ? UNLIMITED : limit,
        ...(maxPageSize > 0 && limit === 0 ? { paged: { pageSize: maxPageSize } } : {}),
        ...options,
      });
      return searchEntries;
    } catch (error) {
      return failure(error);
    }
  }

  async close(): Promise<void> {
    await this.#client.unbind().catch(() => undefined);
  }

  static async #connect(config: LdapConfig, url: URL): Promise<Directory> {
    const socket = await openSocket(config, url);
    try {
      const client = new Client({
        url: `ldap://${url.host}`,
        timeout: config.requestTimeout * 1000,
        strictDN: false,
        createConnection: (() => socket) as unknown as typeof connect,
      });
      // A handshake that hangs ends with the socket.
      const hung = (): void => void socket.destroy(new Error('no answer in time'));
      socket.setTimeout(config.connectionTimeout * 1000, hung);
      if (config.startTls && url.protocol === 'ldap:')
        await client.startTLS({ ...tlsOptions(config), ...nameOf(url) });
      socket.setTimeout(0);
      return new Directory(client, config);
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }
}

// Opened here, and not by the library: that would do it again when the connection is lost.
function openSocket(config: LdapConfig, url: URL): Promise<Socket> {
  const host = url.hostname.replaceAll(/[[\]]/g, '');
  const secure = url.protocol === 'ldaps:';
  const port = Number(url.port) || (secure ? 636 : 389);
  return new Promise((resolve, reject) => {
    const socket = secure
      ? connectTls({ host, port, ...tlsOptions(config), ...nameOf(url) })
      : connect({ host, port });
    socket.setTimeout(config.connectionTimeout * 1000, () => socket.destroy(new Error('no answer in time')));
    socket.once('error', reject);
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      socket.removeListener('error', reject);
      resolve(socket);
    });
  });
}

function tlsOptions(config: LdapConfig): ConnectionOptions {
  return {
    minVersion: VERSIONS[config.tlsMinVersion],
    maxVersion: VERSIONS[config.tlsMaxVersion],
    rejectUnauthorized: !config.insecureTls,
    ...(config.certificate === '' ? {} : { ca: config.certificate }),
    ...(config.clientCert === '' ? {} : { cert: config.clientCert, key: config.clientKey }),
  };
}

// An address is compared with the certificate, but not told to the server (RFC 6066 §3).
function nameOf(url: URL): ConnectionOptions {
  const host = url.hostname.replaceAll(/[[\]]/g, '');
  return isIP(host) === 0 ? { host, servername: host } : { host };
}

function failure(error: unknown): DirectoryFailure {
  const wrong = error instanceof ResultCodeError && error.code === INVALID_CREDENTIALS;
  return new DirectoryFailure(describe(error), wrong);
}

// Messages of the directory may quote what was sent.
function describe(error: unknown): string {
  if (error instanceof ResultCodeError) return `LDAP Result Code ${error.code}`;
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : 'the connection failed';
}
