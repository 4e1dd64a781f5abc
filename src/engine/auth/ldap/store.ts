import { getJson, jsonPut, type Storage } from '../../logical/storage.ts';
import { noTokenParameters, type TokenParameters } from '../token-fields.ts';

/** How to reach a directory, and how its users and groups are found. Times in seconds. */
export interface LdapConfig {
  /** Tried one after the other. */
  readonly urls: readonly string[];
  readonly startTls: boolean;
  readonly insecureTls: boolean;
  readonly tlsMinVersion: TlsVersion;
  readonly tlsMaxVersion: TlsVersion;
  /** PEM. */
  readonly certificate: string;
  readonly clientCert: string;
  /** A secret. */
  readonly clientKey: string;
  readonly bindDn: string;
  /** A secret. */
  readonly bindPassword: string;
  readonly userDn: string;
  readonly userAttr: string;
  /** A template with UserAttr and Username. */
  readonly userFilter: string;
  readonly discoverDn: boolean;
  readonly upnDomain: string;
  readonly groupDn: string;
  readonly groupAttr: string;
  /** A template with UserDN and Username. */
  readonly groupFilter: string;
  readonly anonymousGroupSearch: boolean;
  readonly useTokenGroups: boolean;
  readonly usePre111GroupCn: boolean;
  readonly denyNullBind: boolean;
  readonly caseSensitiveNames: boolean;
  readonly usernameAsAlias: boolean;
  readonly dereferenceAliases: Dereference;
  readonly maxPageSize: number;
  readonly requestTimeout: number;
  readonly connectionTimeout: number;
  readonly token: TokenParameters;
}

export const TLS_VERSIONS = ['tls10', 'tls11', 'tls12', 'tls13'] as const;
export type TlsVersion = (typeof TLS_VERSIONS)[number];
export const DEREFERENCES = ['never', 'finding', 'searching', 'always'] as const;
export type Dereference = (typeof DEREFERENCES)[number];

export interface LdapUser {
  readonly groups: readonly string[];
  readonly policies: readonly string[];
}

export interface LdapGroup {
  readonly policies: readonly string[];
}

const DEFAULTS: LdapConfig = {
  urls: ['ldap://127.0.0.1'],
  startTls: false,
  insecureTls: false,
  tlsMinVersion: 'tls12',
  tlsMaxVersion: 'tls12',
  certificate: '',
  clientCert: '',
  clientKey: '',
  bindDn: '',
  bindPassword: '',
  userDn: '',
  userAttr: 'cn',
  userFilter: '({{.UserAttr}}={{.Username}})',
  discoverDn: false,
  upnDomain: '',
  groupDn: '',
  groupAttr: 'cn',
  groupFilter: '(|(memberUid={{.Username}})(member={{.UserDN}})(uniqueMember={{.UserDN}}))',
  anonymousGroupSearch: false,
  useTokenGroups: false,
  usePre111GroupCn: false,
  denyNullBind: true,
  caseSensitiveNames: false,
  usernameAsAlias: false,
  dereferenceAliases: 'never',
  maxPageSize: 0,
  requestTimeout: 90,
  connectionTimeout: 30,
  token: noTokenParameters,
};

/** Names are kept as the configuration compares them: in lower case unless it says otherwise. */
export class LdapStore {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  async config(): Promise<LdapConfig> {
    return (await getJson<LdapConfig>(this.#storage, 'config')) ?? DEFAULTS;
  }

  putConfig(config: LdapConfig): Promise<void> {
    return this.#storage.write([jsonPut('config', config)]);
  }

  user(name: string): Promise<LdapUser | undefined> {
    return getJson<LdapUser>(this.#storage, `user/${encodeURIComponent(name)}`);
  }

  async userNames(): Promise<string[]> {
    return (await this.#storage.list('user/')).map(decodeURIComponent);
  }

  putUser(name: string, user: LdapUser): Promise<void> {
    return this.#storage.write([jsonPut(`user/${encodeURIComponent(name)}`, user)]);
  }

  deleteUser(name: string): Promise<void> {
    return this.#storage.delete(`user/${encodeURIComponent(name)}`);
  }

  group(name: string): Promise<LdapGroup | undefined> {
    return getJson<LdapGroup>(this.#storage, `group/${encodeURIComponent(name)}`);
  }

  async groupNames(): Promise<string[]> {
    return (await this.#storage.list('group/')).map(decodeURIComponent);
  }

  putGroup(name: string, group: LdapGroup): Promise<void> {
    return this.#storage.write([jsonPut(`group/${encodeURIComponent(name)}`, group)]);
  }

  deleteGroup(name: string): Promise<void> {
    return this.#storage.delete(`group/${encodeURIComponent(name)}`);
  }
}

/** A name as the configuration compares it. */
export function canonical(config: LdapConfig, name: string): string {
  return config.caseSensitiveNames ? name : name.toLowerCase();
}
