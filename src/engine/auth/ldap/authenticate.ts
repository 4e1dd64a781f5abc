import type { Entry } from 'ldapts';
import { Directory, DirectoryFailure } from './directory.ts';
import { commonNameOf, escapeDnValue, sidText } from './names.ts';
import { canonical, type LdapConfig, type LdapStore } from './store.ts';
import { renderFilter } from './template.ts';

/** Who a user is, and what the mount gives him. */
export interface Authenticated {
  readonly aliasName: string;
  readonly groups: readonly string[];
  readonly policies: readonly string[];
  readonly warnings: readonly string[];
}

export interface NotAuthenticated {
  readonly failed: string;
  /** It was the user's name or password. */
  readonly wrongCredentials: boolean;
}

const BIND_FAILED = 'ldap operation failed: failed to bind as user';

/** Proves a password at the directory and finds the groups of its owner. */
export async function authenticate(
  store: LdapStore,
  config: LdapConfig,
  username: string,
  password: string,
): Promise<Authenticated | NotAuthenticated> {
  if (config.denyNullBind && password === '')
    return no('password cannot be of zero length when passwordless binds are being denied');
  const directory = await Directory.open(config);
  if (directory instanceof DirectoryFailure) return no(directory.message);
  try {
    const bindDn = await bindDnOf(directory, config, username);
    if (typeof bindDn !== 'string') return no(BIND_FAILED, bindDn.wrongCredentials);
    const refused = await directory.bind(bindDn, password);
    if (refused !== undefined) return no(BIND_FAILED, refused.wrongCredentials);
    if (config.bindDn !== '' && config.bindPassword !== '') {
      if ((await directory.bind(config.bindDn, config.bindPassword)) !== undefined)
        return no('ldap operation failed: failed to re-bind with the BindDN user');
    }
    const userDn = await userDnOf(directory, config, bindDn, username);
    if (userDn instanceof DirectoryFailure)
      return no(`LDAP search failed for detecting user: ${userDn.message}`);
    const found = await groupsOf(directory, config, userDn, username);
    if (found instanceof DirectoryFailure) return no(found.message);
    const aliasName = await aliasOf(directory, config, username);
    if (typeof aliasName !== 'string') return no(aliasName.message);
    return { aliasName, ...(await policiesOf(store, config, username, found)) };
  } finally {
    await directory.close();
  }
}

/** A user name as directories compare it: without blanks around it, and with single ones within. */
export function comparable(username: string): string {
  return username.normalize('NFKC').trim().replaceAll(/\s+/g, ' ');
}

function no(failed: string, wrongCredentials = false): NotAuthenticated {
  return { failed, wrongCredentials };
}

function isDiscovered(config: LdapConfig): boolean {
  return config.discoverDn || (config.bindDn !== '' && config.bindPassword !== '');
}

// As the user who may search, or anonymously.
async function findUser(
  directory: Directory,
  config: LdapConfig,
  username: string,
): Promise<Entry | DirectoryFailure> {
  const refused = await directory.bind(config.bindDn, config.bindPassword);
  if (refused !== undefined) return new DirectoryFailure(`LDAP bind (service) failed: ${refused.message}`);
  const upn = config.upnDomain !== '';
  const found = await directory.search(
    config.userDn,
    {
      filter: renderFilter(config.userFilter || '({{.UserAttr}}={{.Username}})', {
        UserAttr: upn ? 'userPrincipalName' : config.userAttr,
        Username: upn ? `${username}@${config.upnDomain}` : username,
      }),
      attributes: [config.userAttr],
    },
    2,
  );
  if (found instanceof DirectoryFailure) return found;
  const [entry, another] = found;
  return entry === undefined || another !== undefined
    ? new DirectoryFailure('LDAP search for binddn 0 or not unique', true)
    : entry;
}

async function bindDnOf(
  directory: Directory,
  config: LdapConfig,
  username: string,
): Promise<string | DirectoryFailure> {
  if (!isDiscovered(config)) return constructed(config, username);
  const entry = await findUser(directory, config, username);
  return entry instanceof DirectoryFailure ? entry : entry.dn;
}

function constructed(config: LdapConfig, username: string): string {
  return config.upnDomain === ''
    ? `${config.userAttr}=${escapeDnValue(username)},${config.userDn}`
    : `${escapeDnValue(username)}@${config.upnDomain}`;
}

async function userDnOf(
  directory: Directory,
  config: LdapConfig,
  bindDn: string,
  username: string,
): Promise<string | DirectoryFailure> {
  if (config.upnDomain === '') return bindDn;
  const filter = renderFilter('(userPrincipalName={{.Name}})', { Name: `${username}@${config.upnDomain}` });
  const found = await directory.search(config.userDn, { filter });
  return found instanceof DirectoryFailure ? found : (found.at(-1)?.dn ?? '');
}

async function groupsOf(
  directory: Directory,
  config: LdapConfig,
  userDn: string,
  username: string,
): Promise<readonly string[] | DirectoryFailure> {
  const searching = config.anonymousGroupSearch ? await Directory.open(config) : directory;
  if (searching instanceof DirectoryFailure)
    return new DirectoryFailure('ldap operation failed: failed to connect to LDAP server');
  try {
    const found = config.useTokenGroups
      ? await tokenGroups(searching, userDn)
      : await filteredGroups(searching, config, userDn, username);
    if (found instanceof DirectoryFailure)
      return new DirectoryFailure(`LDAP search failed: ${found.message}`);
    const names = found.flatMap((entry) => {
      const values = textsOf(entry, config.groupAttr);
      return (values.length === 0 ? [entry.dn] : values).map((each) =>
        commonNameOf(each, config.usePre111GroupCn),
      );
    });
    return [...new Set(names)];
  } finally {
    if (searching !== directory) await searching.close();
  }
}

async function filteredGroups(
  directory: Directory,
  config: LdapConfig,
  userDn: string,
  username: string,
): Promise<Entry[] | DirectoryFailure> {
  if (config.groupFilter === '' || config.groupDn === '') return [];
  return directory.search(config.groupDn, {
    filter: renderFilter(config.groupFilter, { UserDN: userDn, Username: username }),
    attributes: [config.groupAttr],
  });
}

// All security groups of Active Directory, nested ones too, by their SIDs.
async function tokenGroups(directory: Directory, userDn: string): Promise<Entry[] | DirectoryFailure> {
  const users = await directory.search(
    userDn,
    {
      scope: 'base',
      filter: '(objectClass=*)',
      attributes: ['tokenGroups'],
      explicitBufferAttributes: ['tokenGroups'],
    },
    1,
  );
  if (users instanceof DirectoryFailure) return users;
  const value = users[0]?.['tokenGroups'] ?? [];
  const found: Entry[] = [];
  for (const each of Array.isArray(value) ? value : [value]) {
    const sid = typeof each === 'string' ? undefined : sidText(each);
    if (sid === undefined) continue;
    const groups = await directory.search(
      `<SID=${sid}>`,
      { scope: 'base', filter: '(objectClass=*)', attributes: ['1.1'] },
      1,
    );
    if (!(groups instanceof DirectoryFailure)) found.push(...groups);
  }
  return found;
}

async function aliasOf(
  directory: Directory,
  config: LdapConfig,
  username: string,
): Promise<string | DirectoryFailure> {
  if (config.usernameAsAlias) return comparable(username);
  if (!isDiscovered(config)) return constructed(config, comparable(username));
  const entry = await findUser(directory, config, username);
  if (entry instanceof DirectoryFailure) {
    return new DirectoryFailure(`LDAP search for entity alias attribute failed: ${entry.message}`);
  }
  const [value = '', another] = textsOf(entry, config.userAttr);
  return value === '' || another !== undefined
    ? new DirectoryFailure(
        `LDAP entity alias attribute ${config.userAttr} empty or not unique for entity alias mapping`,
      )
    : value;
}

async function policiesOf(
  store: LdapStore,
  config: LdapConfig,
  username: string,
  found: readonly string[],
): Promise<Omit<Authenticated, 'aliasName'>> {
  const user = await store.user(canonical(config, comparable(username)));
  const groups = [...new Set([...(user?.groups ?? []), ...found])].filter((each) => each !== '');
  const policies = new Set(user?.policies);
  for (const name of groups) {
    const group = await store.group(canonical(config, name));
    for (const each of group?.policies ?? []) policies.add(each);
  }
  const warnings =
    found.length > 0
      ? []
      : [
          `no LDAP groups found in groupDN ${JSON.stringify(config.groupDn)}; only policies from locally-defined groups available`,
        ];
  return { groups, policies: [...policies], warnings };
}

function textsOf(entry: Entry, attribute: string): string[] {
  const name = Object.keys(entry).find((each) => each.toLowerCase() === attribute.toLowerCase());
  const value = name === undefined || name === 'dn' ? [] : (entry[name] ?? []);
  return (Array.isArray(value) ? value : [value]).map((each) =>
    typeof each === 'string' ? each : each.toString('utf8'),
  );
}
