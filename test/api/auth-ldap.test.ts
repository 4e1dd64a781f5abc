import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';
import { BASE, Slapd } from './support/slapd.ts';

const PEOPLE = `ou=people,${BASE}`;
const GROUPS = `ou=groups,${BASE}`;
const folder = (ou: string) => `dn: ou=${ou},${BASE}\nobjectClass: organizationalUnit\nou: ${ou}\n\n`;
const person = (uid: string, more = '', rdn = uid) =>
  `dn: uid=${rdn},${PEOPLE}\nobjectClass: inetOrgPerson\nobjectClass: msUser\nuid: ${uid}\ncn: ${uid}\nsn: x\nuserPassword: canary-of-${uid}\n${more}\n`;
const group = (cn: string, members: string[]) =>
  `dn: cn=${cn},${GROUPS}\nobjectClass: groupOfNames\ncn: ${cn}\n${members.map((member) => `member: ${member}`).join('\n')}\n\n`;
const dn = (uid: string) => `uid=${uid},${PEOPLE}`;

let engine: TestEngine;
let slapd: Slapd;
beforeAll(async () => {
  slapd = await Slapd.start(
    [
      folder('people'),
      folder('groups'),
      folder('hidden'),
      person('ann', `userPrincipalName: ann@corp.example\nseeAlso: cn=linked\\2c one,${BASE}\n`),
      person('bob'),
      person('eve'),
      person('Smith, (J) *', '', 'Smith\\2c (J) *'),
      person('jürgen'),
      group('Admins', [dn('ann'), dn('bob')]),
      group('devs', [dn('ann'), `uid=Smith\\2c (J) *,${PEOPLE}`, dn('jürgen')]),
      `dn: cn=posix,${GROUPS}\nobjectClass: posixGroup\ncn: posix\ngidNumber: 1\nmemberUid: bob\n\n`,
      `dn: uid=secret,ou=hidden,${BASE}\nobjectClass: inetOrgPerson\nuid: secret\ncn: secret\nsn: x\nuserPassword: canary-of-secret\n\n`,
    ].join(''),
  );
  engine = await TestEngine.initialized();
  await engine.call('POST', 'sys/auth/ldap', { type: 'ldap' });
});
afterAll(async () => {
  await engine?.stop();
  await slapd?.stop();
});
beforeEach(async () => {
  await engine.call('DELETE', 'sys/auth/ldap');
  await engine.call('POST', 'sys/auth/ldap', { type: 'ldap' });
});

const config = (fields: object = {}) =>
  engine.call('POST', 'auth/ldap/config', {
    url: slapd.url,
    userdn: PEOPLE,
    userattr: 'uid',
    groupdn: GROUPS,
    ...fields,
  });
const service = () => ({ binddn: `cn=root,${BASE}`, bindpass: slapd.rootPassword });
const login = (name: string, password = `canary-of-${name}`) =>
  engine.call('POST', `auth/ldap/login/${encodeURIComponent(name)}`, { password }, '');
const FAILED = ['ldap operation failed: failed to bind as user'];

test('the configuration has defaults, is changed field by field, and keeps its secrets', async () => {
  const defaults = (await engine.call('GET', 'auth/ldap/config')).body.data;
  expect(defaults).toMatchObject({
    connection_timeout: 30,
    deny_null_bind: true,
    dereference_aliases: 'never',
    groupattr: 'cn',
    groupfilter: '(|(memberUid={{.Username}})(member={{.UserDN}})(uniqueMember={{.UserDN}}))',
    request_timeout: 90,
    tls_max_version: 'tls12',
    tls_min_version: 'tls12',
    token_type: 'default',
    url: 'ldap://127.0.0.1',
    userattr: 'cn',
    userfilter: '({{.UserAttr}}={{.Username}})',
  });
  const refusal = async (fields: object) => (await config(fields)).body.errors[0];
  expect(await refusal({ url: '' })).toBe('at least one url must be provided');
  expect(await refusal({ tls_min_version: 'ssl3' })).toBe("invalid 'tls_min_version'");
  expect(await refusal({ tls_min_version: 'tls13' })).toBe(
    "'tls_max_version' must be greater than or equal to 'tls_min_version'",
  );
  expect(await refusal({ userfilter: '({{.Evil}}=x)' })).toContain('invalid userfilter');
  expect(await refusal({ groupfilter: '(member={{.UserDN)' })).toContain('invalid groupfilter');
  expect(await refusal({ certificate: 'x' })).toContain('failed to parse server tls cert');
  expect(await refusal({ client_tls_cert: 'x' })).toBe('both client_tls_cert and client_tls_key must be set');
  expect(await refusal({ dereference_aliases: 'odd' })).toBe("invalid 'dereference_aliases'");
  expect((await config({ ...service(), request_timeout: '5s', token_ttl: '10m' })).status).toBe(204);
  expect((await config({ userfilter: '(mail={{.Username}})' })).body.warnings).toHaveLength(1);
  const read = await engine.call('GET', 'auth/ldap/config');
  expect(read.body.data).toMatchObject({ binddn: `cn=root,${BASE}`, request_timeout: 5, token_ttl: 600 });
  expect(JSON.stringify(read.body)).not.toContain(slapd.rootPassword);
});

test('users and groups are written, read, listed and forgotten, whatever their case', async () => {
  expect((await engine.call('POST', 'auth/ldap/groups/Admins', { policies: 'Root2,a' })).status).toBe(204);
  expect((await engine.call('GET', 'auth/ldap/groups/ADMINS')).body.data).toEqual({
    policies: ['a', 'root2'],
  });
  expect((await engine.call('LIST', 'auth/ldap/groups')).body.data.keys).toEqual(['admins']);
  await engine.call('POST', 'auth/ldap/users/Ann', { groups: 'X,y', policies: ['p'] });
  expect((await engine.call('GET', 'auth/ldap/users/ann')).body.data).toEqual({
    groups: 'x,y',
    policies: ['p'],
  });
  expect((await engine.call('LIST', 'auth/ldap/users')).body.data.keys).toEqual(['ann']);
  expect((await engine.call('DELETE', 'auth/ldap/users/ANN')).status).toBe(204);
  expect((await engine.call('GET', 'auth/ldap/users/ann')).status).toBe(404);
  await config({ case_sensitive_names: true });
  await engine.call('POST', 'auth/ldap/groups/Admins', { policies: 'b' });
  expect((await engine.call('GET', 'auth/ldap/groups/admins')).body.data).toEqual({
    policies: ['a', 'root2'],
  });
});

test('a user binds directly, gets the policies of his groups and himself, and renews', async () => {
  await config({ token_ttl: '10m', token_policies: 'all' });
  await engine.call('POST', 'auth/ldap/groups/admins', { policies: 'admin' });
  await engine.call('POST', 'auth/ldap/groups/local', { policies: 'here' });
  await engine.call('POST', 'auth/ldap/users/ann', { groups: 'local', policies: 'own' });
  const { accessor } = (await engine.call('GET', 'sys/auth')).body.data['ldap/'];
  const external = await engine.call('POST', 'identity/group', { type: 'external', policies: 'devs-policy' });
  await engine.call('POST', 'identity/group-alias', {
    name: 'devs',
    mount_accessor: accessor,
    canonical_id: external.body.data.id,
  });
  const { auth, warnings } = (await login('ann')).body;
  expect(warnings).toBeNull();
  expect(auth).toMatchObject({
    identity_policies: ['devs-policy'],
    lease_duration: 600,
    metadata: { username: 'ann' },
    token_policies: ['admin', 'all', 'default', 'here', 'own'],
  });
  const self = await engine.call('GET', 'auth/token/lookup-self', undefined, auth.client_token);
  expect(self.body.data.display_name).toBe('ldap-ann');
  expect(JSON.stringify(self.body)).not.toContain('canary-of-ann');
  const entity = await engine.call('GET', `identity/entity/id/${auth.entity_id}`);
  expect(entity.body.data.aliases[0]).toMatchObject({ name: dn('ann'), metadata: { name: 'ann' } });
  const renew = () => engine.call('POST', 'auth/token/renew-self', {}, auth.client_token);
  expect((await renew()).status).toBe(200);
  await engine.call('POST', 'auth/ldap/groups/admins', { policies: 'less' });
  expect((await renew()).body.errors).toEqual(['policies have changed, not renewing']);
  const bob = (await login('bob')).body;
  expect(bob.auth.policies).toEqual(['all', 'default', 'less']);
  expect((await login('eve')).body.warnings[0]).toContain('no LDAP groups found in groupDN');
});

test('wrong passwords, unknown users, empty passwords and dead servers are told apart', async () => {
  await config();
  for (const [name, password] of [
    ['ann', 'no'],
    ['nobody', 'no'],
  ] as const) {
    const answer = await login(name, password);
    expect([answer.status, answer.body.errors]).toEqual([400, FAILED]);
  }
  expect((await login('ann', '')).body.errors).toEqual([
    'password cannot be of zero length when passwordless binds are being denied',
  ]);
  await config({ token_bound_cidrs: '10.0.0.0/8' });
  expect((await login('ann')).status).toBe(403);
  await config({ token_bound_cidrs: '', url: 'ldap://127.0.0.1:1' });
  expect((await login('ann')).body.errors[0]).toContain('error connecting to host "ldap://127.0.0.1:1"');
  await config({ url: 'http://127.0.0.1' });
  expect((await login('ann')).body.errors[0]).toContain('invalid LDAP url');
  await config({ url: `ldap://127.0.0.1:1,${slapd.url}` });
  expect((await login('ann')).status).toBe(200);
});

test('five wrong passwords lock a user, also under other spellings; a dead server locks nobody', async () => {
  await config({ url: 'ldap://127.0.0.1:1' });
  for (let tries = 0; tries < 6; tries += 1) expect((await login('bob')).status).toBe(400);
  await config(service());
  expect((await login('bob')).status).toBe(200);
  for (const name of ['bob', 'BOB', ' bob', 'bob ', 'Bob'])
    expect((await login(name, 'no')).status).toBe(400);
  expect((await login('bob')).status).toBe(403);
  expect((await login('ann')).status).toBe(200);
});

test('a user is searched for, as somebody or anonymously, and found only when there is one', async () => {
  await config({ discoverdn: true, userdn: BASE });
  expect((await login('ann')).status).toBe(200);
  expect((await login('secret')).body.errors).toEqual(FAILED);
  await config({ ...service(), userdn: BASE });
  const { auth } = (await login('secret')).body;
  const entity = await engine.call('GET', `identity/entity/id/${auth.entity_id}`);
  expect(entity.body.data.aliases[0].name).toBe('secret');
  await config({ userfilter: '(&(objectClass=inetOrgPerson)(sn=x)(!(uid={{.Username}}no)))' });
  expect((await login('ann')).body.errors).toEqual(FAILED);
  await config({ userfilter: '(&(objectClass=person)({{.UserAttr}}={{.Username}}))', bindpass: 'no' });
  expect((await login('ann')).body.errors).toEqual(FAILED);
  await config({ ...service(), upndomain: 'corp.example', userfilter: '({{.UserAttr}}={{.Username}})' });
  expect((await login('ann')).status).toBe(200);
  expect((await login('bob')).body.errors).toEqual(FAILED);
});

test('names cannot change what is searched for', async () => {
  await config(service());
  await engine.call('POST', 'auth/ldap/groups/devs', { policies: 'dev' });
  for (const name of ['*', 'ann)(uid=*', 'an*', 'ann)(|(uid=*', '\\61nn', 'ann\u0000'])
    expect([name, (await login(name, 'canary-of-ann')).status]).toEqual([name, 400]);
  for (const name of ['Smith, (J) *', 'jürgen'])
    expect([name, (await login(name)).body.auth.policies]).toEqual([name, ['default', 'dev']]);
  await config({ binddn: '', bindpass: '' });
  for (const name of ['Smith, (J) *', 'jürgen'])
    expect([name, (await login(name)).status]).toEqual([name, 200]);
  expect((await login(`ann,${PEOPLE}`, 'canary-of-ann')).status).toBe(400);
  expect((await login('eve+uid=ann', 'canary-of-ann')).status).toBe(400);
});

test('groups come from filters, attributes and pages', async () => {
  await config({ ...service(), max_page_size: 1 });
  for (const [name, policy] of [
    ['admins', 'a'],
    ['devs', 'd'],
    ['posix', 'p'],
    ['linked, one', 'l'],
  ])
    await engine.call('POST', `auth/ldap/groups/${encodeURIComponent(name ?? '')}`, { policies: policy });
  const policies = async (name: string) => (await login(name)).body.auth.token_policies;
  expect(await policies('ann')).toEqual(['a', 'd', 'default']);
  expect(await policies('bob')).toEqual(['a', 'default', 'p']);
  await config({ groupfilter: '(&(objectClass=groupOfNames)(member={{.UserDN}}))', max_page_size: 0 });
  expect(await policies('bob')).toEqual(['a', 'default']);
  await config({ groupdn: PEOPLE, groupfilter: '(uid={{.Username}})', groupattr: 'seeAlso' });
  expect(await policies('ann')).toEqual(['default', 'l']);
  await config({ groupdn: GROUPS, groupfilter: '(cn=devs)', groupattr: 'cn', anonymous_group_search: true });
  expect(await policies('eve')).toEqual(['d', 'default']);
  await config({ groupfilter: '' });
  expect(await policies('ann')).toEqual(['default']);
});

test('the alias is the user name where that is asked for, in one spelling', async () => {
  await config({ ...service(), username_as_alias: true });
  const first = (await login('ann')).body.auth.entity_id;
  expect((await login(' ann ', 'canary-of-ann')).body.auth.entity_id).toBe(first);
  const entity = await engine.call('GET', `identity/entity/id/${first}`);
  expect(entity.body.data.aliases[0].name).toBe('ann');
});

test('connections are encrypted and the server is verified', async () => {
  const refused = async () => (await login('ann')).body.errors?.[0] ?? true;
  await config({ url: slapd.secureUrl });
  expect(await refused()).toContain('error connecting to host');
  await config({ insecure_tls: true });
  expect(await refused()).toBe(true);
  await config({ insecure_tls: false, certificate: slapd.caPem });
  expect(await refused()).toBe(true);
  await config({ url: slapd.url, starttls: true });
  expect(await refused()).toBe(true);
  await config({ url: slapd.url.replace('127.0.0.1', 'localhost') });
  expect(await refused()).toBe(true);
  await config({
    client_tls_cert: slapd.client.certificate,
    client_tls_key: slapd.client.key,
    tls_max_version: 'tls13',
  });
  expect(await refused()).toBe(true);
  await config({ certificate: slapd.client.certificate });
  expect(await refused()).toContain('error connecting to host');
  expect((await engine.call('GET', 'auth/ldap/config')).body.data.client_tls_key).toBeUndefined();
});

test('many log in at the same time; nothing of it is in the log', async () => {
  await config(service());
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      login(index % 2 === 0 ? 'ann' : 'eve', index % 4 === 3 ? 'no' : undefined),
    ),
  );
  expect(answers.map(({ status }) => status)).toEqual(
    Array.from({ length: 20 }, (_, index) => (index % 4 === 3 ? expect.any(Number) : 200)),
  );
  await engine.restart();
  expect((await login('ann')).status).toBe(200);
  expect(engine.logLines.join('')).not.toMatch(/canary-(of|root)|PRIVATE KEY/);
});
