import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from '../api/support/engine.ts';
import { BASE, Slapd } from '../api/support/slapd.ts';

const PEOPLE = `ou=people,${BASE}`;
const GROUPS = `ou=groups,${BASE}`;
const folder = (ou: string) => `dn: ou=${ou},${BASE}\nobjectClass: organizationalUnit\nou: ${ou}\n\n`;
const person = (uid: string) =>
  `dn: uid=${uid},${PEOPLE}\nobjectClass: inetOrgPerson\nuid: ${uid}\ncn: ${uid}\nsn: x\nuserPassword: canary-of-${uid}\n\n`;
const group = (cn: string, member: string) =>
  `dn: cn=${cn},${GROUPS}\nobjectClass: groupOfNames\ncn: ${cn}\nmember: uid=${member},${PEOPLE}\n\n`;

let engine: TestEngine;
let slapd: Slapd;
beforeAll(async () => {
  slapd = await Slapd.start(
    [
      folder('people'),
      folder('groups'),
      ...['ann', 'bob', 'carl', 'dora'].map(person),
      group('admins', 'ann'),
    ].join(''),
  );
  engine = await TestEngine.initialized();
  await engine.call('POST', 'sys/auth/ldap', { type: 'ldap' });
  await config();
  await engine.call('POST', 'auth/ldap/groups/admins', { policies: 'admins' });
});
afterAll(async () => {
  await engine?.stop();
  await slapd?.stop();
});

const config = (fields: object = {}) =>
  engine.call('POST', 'auth/ldap/config', {
    url: slapd.url,
    userdn: PEOPLE,
    userattr: 'uid',
    groupdn: GROUPS,
    binddn: `cn=root,${BASE}`,
    bindpass: slapd.rootPassword,
    upndomain: '',
    discoverdn: false,
    groupfilter: '(|(memberUid={{.Username}})(member={{.UserDN}})(uniqueMember={{.UserDN}}))',
    ...fields,
  });
const login = (name: string, password = `canary-of-${name}`) =>
  engine.call('POST', `auth/ldap/login/${encodeURIComponent(name)}`, { password }, '');

test('CVE-2020-35177 CVE-2023-3462: a user who is not in the directory answers as one with another password', async () => {
  for (const fields of [
    {},
    { binddn: '', bindpass: '' },
    { binddn: '', bindpass: '', discoverdn: true, userdn: BASE },
  ]) {
    await config(fields);
    const [unknown, wrong] = [await login('nobody-1', 'wrong'), await login('bob', 'wrong')];
    expect([unknown.status, unknown.body.errors]).toEqual([wrong.status, wrong.body.errors]);
    expect((await login('bob')).status).toBe(200);
  }
  await config();
});

test('CVE-2025-6004 CVE-2025-54998 (LDAP): case, blanks and other spellings give no further guesses', async () => {
  const spellings = ['carl', 'CARL', ' carl', 'carl ', 'Carl', 'cArl', 'caRl', '  carl', 'carl  ', 'carL'];
  for (const name of spellings) expect((await login(name, 'wrong')).status).toBeGreaterThanOrEqual(400);
  for (const name of ['carl', ' CARL ']) expect((await login(name, 'canary-of-carl')).status).toBe(403);
  expect((await login('bob')).status).toBe(200);
});

test('CVE-2025-6013 CVE-2025-55001: other spellings of a name are no other entity, and evade no second factor', async () => {
  for (const username_as_alias of [true, false]) {
    await config({ username_as_alias });
    const entity = (await login('dora')).body.auth.entity_id;
    const method = (await engine.call('POST', 'identity/mfa/method/totp', { issuer: 'V' })).body.data
      .method_id;
    await engine.call('POST', 'identity/mfa/login-enforcement/dora', {
      mfa_method_ids: [method],
      identity_entity_ids: [entity],
    });
    for (const name of ['dora', 'DORA', 'Dora', ' dora', 'dora ', ' DORA  ', 'dor\u0061']) {
      const { status, body } = await login(name, 'canary-of-dora');
      const token = status === 200 ? body.auth.client_token : '';
      expect([name, username_as_alias, token]).toEqual([name, username_as_alias, '']);
    }
    await engine.call('DELETE', 'identity/mfa/login-enforcement/dora');
    expect((await login('DORA', 'canary-of-dora')).body.auth.entity_id).toBe(entity);
  }
  await config();
});

test('CVE-2026-55770: a name is no part of a filter or a DN, where groups are looked for either', async () => {
  for (const fields of [
    {},
    { binddn: '', bindpass: '' },
    { upndomain: 'example.org' },
    { groupfilter: '(|(member={{.UserDN}})(description={{.Username}}))' },
  ]) {
    await config(fields);
    for (const name of [
      'bob)(|(cn=admins)',
      'bob*',
      'b*b',
      'bob,ou=people,dc=example,dc=org)(cn=admins',
      'bob\\29\\28cn=admins',
      `bob,${PEOPLE}`,
      'bob+cn=bob',
      'bob#',
    ]) {
      const { status, body } = await login(name, 'canary-of-bob');
      expect([name, status === 200 ? body.auth.token_policies : []]).toEqual([name, []]);
    }
  }
  await config();
  expect((await login('ann')).body.auth.token_policies).toEqual(['admins', 'default']);
  expect((await login('bob')).body.auth.token_policies).toEqual(['default']);
});

test('CVE-2025-13357: an empty password lets nobody in, unless that was chosen', async () => {
  expect((await engine.call('GET', 'auth/ldap/config')).body.data.deny_null_bind).toBe(true);
  for (const fields of [{}, { binddn: '', bindpass: '' }]) {
    await config(fields);
    for (const password of ['', '\u0000']) expect((await login('ann', password)).status).toBe(400);
    expect((await engine.call('POST', 'auth/ldap/login/ann', {}, '')).status).toBe(400);
  }
  await config();
  expect((await login('ann')).status).toBe(200);
});
