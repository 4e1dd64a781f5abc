import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { JsonObject } from '../../../lib/json.ts';
import { type GivenTokenFields, readTokenFields, renderTokenFields } from '../token-fields.ts';
import { DEREFERENCES, type Dereference, type LdapConfig, TLS_VERSIONS, type TlsVersion } from './store.ts';
import { checkTemplate } from './template.ts';

/** The fields of config as they were given. */
export type GivenConfig = GivenTokenFields & {
  readonly [K in TextField]?: string | undefined;
} & { readonly [K in FlagField]?: boolean | undefined } & {
  readonly [K in NumberField]?: number | undefined;
};

type TextField =
  | 'binddn'
  | 'bindpass'
  | 'certificate'
  | 'client_tls_cert'
  | 'client_tls_key'
  | 'dereference_aliases'
  | 'groupattr'
  | 'groupdn'
  | 'groupfilter'
  | 'tls_max_version'
  | 'tls_min_version'
  | 'upndomain'
  | 'url'
  | 'userattr'
  | 'userdn'
  | 'userfilter';
type FlagField =
  | 'anonymous_group_search'
  | 'case_sensitive_names'
  | 'deny_null_bind'
  | 'discoverdn'
  | 'insecure_tls'
  | 'starttls'
  | 'use_pre111_group_cn_behavior'
  | 'use_token_groups'
  | 'username_as_alias';
type NumberField = 'connection_timeout' | 'max_page_size' | 'request_timeout';

/** The configuration with what was given in place, or why it is refused. */
export function editConfig(before: LdapConfig, given: GivenConfig): LdapConfig | string {
  const token = readTokenFields(before.token, given);
  if (typeof token === 'string') return token;
  const minVersion = given.tls_min_version ?? before.tlsMinVersion;
  const maxVersion = given.tls_max_version ?? before.tlsMaxVersion;
  const dereference = given.dereference_aliases ?? before.dereferenceAliases;
  if (!TLS_VERSIONS.includes(minVersion as TlsVersion)) return "invalid 'tls_min_version'";
  if (!TLS_VERSIONS.includes(maxVersion as TlsVersion)) return "invalid 'tls_max_version'";
  if (maxVersion < minVersion) return "'tls_max_version' must be greater than or equal to 'tls_min_version'";
  if (!DEREFERENCES.includes(dereference as Dereference)) return "invalid 'dereference_aliases'";
  const next: LdapConfig = {
    urls: given.url === undefined ? before.urls : urlsOf(given.url),
    startTls: given.starttls ?? before.startTls,
    insecureTls: given.insecure_tls ?? before.insecureTls,
    tlsMinVersion: minVersion as TlsVersion,
    tlsMaxVersion: maxVersion as TlsVersion,
    certificate: given.certificate ?? before.certificate,
    clientCert: given.client_tls_cert ?? before.clientCert,
    clientKey: given.client_tls_key ?? before.clientKey,
    bindDn: given.binddn ?? before.bindDn,
    bindPassword: given.bindpass ?? before.bindPassword,
    userDn: given.userdn ?? before.userDn,
    userAttr: given.userattr?.toLowerCase() ?? before.userAttr,
    userFilter: given.userfilter ?? before.userFilter,
    discoverDn: given.discoverdn ?? before.discoverDn,
    upnDomain: given.upndomain ?? before.upnDomain,
    groupDn: given.groupdn ?? before.groupDn,
    groupAttr: given.groupattr ?? before.groupAttr,
    groupFilter: given.groupfilter ?? before.groupFilter,
    anonymousGroupSearch: given.anonymous_group_search ?? before.anonymousGroupSearch,
    useTokenGroups: given.use_token_groups ?? before.useTokenGroups,
    usePre111GroupCn: given.use_pre111_group_cn_behavior ?? before.usePre111GroupCn,
    denyNullBind: given.deny_null_bind ?? before.denyNullBind,
    caseSensitiveNames: given.case_sensitive_names ?? before.caseSensitiveNames,
    usernameAsAlias: given.username_as_alias ?? before.usernameAsAlias,
    dereferenceAliases: dereference as Dereference,
    maxPageSize: given.max_page_size ?? before.maxPageSize,
    requestTimeout: given.request_timeout ?? before.requestTimeout,
    connectionTimeout: given.connection_timeout ?? before.connectionTimeout,
    token,
  };
  return check(next) ?? next;
}

/** What an administrator should think about. */
export function warningsOf({ userFilter, userAttr }: LdapConfig): string[] {
  const considered = userFilter === '' || /\{\{\s*\.UserAttr\s*\}\}/.test(userFilter);
  return considered || userFilter.includes(userAttr)
    ? []
    : [
        'userfilter configured does not consider userattr and may result in colliding entity aliases on logins',
      ];
}

/** The configuration without its secrets. */
export function renderConfig(config: LdapConfig): JsonObject {
  return {
    anonymous_group_search: config.anonymousGroupSearch,
    binddn: config.bindDn,
    case_sensitive_names: config.caseSensitiveNames,
    certificate: config.certificate,
    connection_timeout: config.connectionTimeout,
    deny_null_bind: config.denyNullBind,
    dereference_aliases: config.dereferenceAliases,
    discoverdn: config.discoverDn,
    groupattr: config.groupAttr,
    groupdn: config.groupDn,
    groupfilter: config.groupFilter,
    insecure_tls: config.insecureTls,
    max_page_size: config.maxPageSize,
    request_timeout: config.requestTimeout,
    starttls: config.startTls,
    tls_max_version: config.tlsMaxVersion,
    tls_min_version: config.tlsMinVersion,
    ...renderTokenFields(config.token),
    upndomain: config.upnDomain,
    url: config.urls.join(','),
    use_pre111_group_cn_behavior: config.usePre111GroupCn,
    use_token_groups: config.useTokenGroups,
    userattr: config.userAttr,
    userdn: config.userDn,
    userfilter: config.userFilter,
    username_as_alias: config.usernameAsAlias,
  };
}

function check(config: LdapConfig): string | undefined {
  if (config.urls.length === 0) return 'at least one url must be provided';
  const userFilter = checkTemplate(config.userFilter, ['UserAttr', 'Username']);
  if (userFilter !== undefined) return `invalid userfilter: ${userFilter}`;
  const groupFilter = checkTemplate(config.groupFilter, ['UserDN', 'Username']);
  if (groupFilter !== undefined) return `invalid groupfilter: ${groupFilter}`;
  if (config.certificate !== '' && !isCertificate(config.certificate))
    return 'failed to parse server tls cert: failed to decode PEM block in the certificate';
  if ((config.clientCert === '') !== (config.clientKey === ''))
    return 'both client_tls_cert and client_tls_key must be set';
  if (config.clientCert !== '' && !isPair(config.clientCert, config.clientKey))
    return 'failed to parse client X509 key pair: certificate and key do not fit together';
  return config.requestTimeout < 0 || config.connectionTimeout < 0
    ? 'timeouts cannot be negative'
    : undefined;
}

function urlsOf(text: string): string[] {
  return text
    .toLowerCase()
    .split(',')
    .map((url) => url.trim())
    .filter((url) => url !== '');
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== undefined;
  } catch {
    return false;
  }
}

function isPair(cert: string, key: string): boolean {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}
