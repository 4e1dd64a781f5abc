import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { startPostgres, type TestDatabase } from '../../api/support/databases.ts';
import { OpenSsh } from '../../api/support/openssh.ts';
import { BASE, Slapd } from '../../api/support/slapd.ts';
import { type Asked, TlsServer, type Told } from '../../api/support/tls-server.ts';
import { createAuthority, issueCertificate } from '../../support/cluster/certificates.ts';
import { ROOT_TOKEN, ServerProcess } from './dev-server.ts';

const PEOPLE = `ou=people,${BASE}`;
const GROUPS = `ou=groups,${BASE}`;
const DIRECTORY = `dn: ${PEOPLE}
objectClass: organizationalUnit
ou: people

dn: ${GROUPS}
objectClass: organizationalUnit
ou: groups

dn: uid=ann,${PEOPLE}
objectClass: inetOrgPerson
uid: ann
cn: ann
sn: x
userPassword: canary-of-ann

dn: cn=devs,${GROUPS}
objectClass: groupOfNames
cn: devs
member: uid=ann,${PEOPLE}

`;

/**
 * What a client's program needs around it: a dev server with TLS, a server that nobody has initialized, a directory, a
 * database, an API server of Kubernetes that reviews tokens, and files of keys and certificates. The program is told of
 * all that by its environment.
 */
export class World {
  readonly vault: ServerProcess;
  readonly #parts: { stop(): Promise<unknown> }[];
  readonly #env: Record<string, string>;

  private constructor(
    vault: ServerProcess,
    parts: { stop(): Promise<unknown> }[],
    env: Record<string, string>,
  ) {
    this.vault = vault;
    this.#parts = parts;
    this.#env = env;
  }

  static async start(): Promise<World> {
    const parts: { stop(): Promise<unknown> }[] = [];
    const add = <T extends { stop(): Promise<unknown> }>(part: T): T => {
      parts.push(part);
      return part;
    };
    const vault = add(await ServerProcess.dev());
    const fresh = add(await ServerProcess.fresh(freshConfig));
    const slapd = add(await Slapd.start(DIRECTORY));
    const cluster = add(await TlsServer.start(reviewTokens));
    const db = await startPostgres();
    add({ stop: () => db.remove() });
    const ssh = new OpenSsh();
    add({ stop: async () => ssh.remove() });
    const file = (name: string, text: string): string => {
      const path = join(vault.dir, name);
      writeFileSync(path, text, { mode: 0o600 });
      return path;
    };
    const people = createAuthority('people');
    const client = issueCertificate(people, { commonName: 'app.example', usage: 'client' });
    const signer = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const publicKey = signer.publicKey.export({ type: 'spki', format: 'pem' }).toString();
    ssh.keygen('user', 'ed25519');
    return new World(vault, parts, {
      VAULT_ADDR: vault.address,
      VAULT_CACERT: vault.caFile,
      VAULT_TOKEN: ROOT_TOKEN,
      FRESH_ADDR: fresh.address,
      AUDIT_FILE: join(vault.dir, 'audit.log'),
      LDAP_URL: slapd.url,
      LDAP_USERDN: PEOPLE,
      LDAP_GROUPDN: GROUPS,
      LDAP_USER: 'ann',
      LDAP_PASSWORD: 'canary-of-ann',
      ...databaseOf(db),
      KUBERNETES_HOST: cluster.url,
      KUBERNETES_CA_FILE: file('kubernetes-ca.pem', cluster.caPem),
      KUBERNETES_JWT: await serviceAccountToken(signer.privateKey),
      JWT_KEY_FILE: file('jwt.pem', publicKey),
      JWT: await new SignJWT({ sub: 'ann', aud: 'vault', iss: 'https://issuer.example' })
        .setProtectedHeader({ alg: 'ES256' })
        .setIssuedAt()
        .setExpirationTime('10m')
        .sign(signer.privateKey),
      CLIENT_CA_FILE: file('client-ca.pem', people.certificate),
      CLIENT_CERT_FILE: file('client.pem', client.certificate),
      CLIENT_KEY_FILE: file('client.key', client.key),
      SSH_PUBLIC_KEY_FILE: ssh.file('user.pub'),
    });
  }

  /** For the client's program. */
  get env(): Readonly<Record<string, string>> {
    return this.#env;
  }

  async stop(): Promise<void> {
    for (const part of this.#parts.toReversed()) await part.stop();
  }
}

function freshConfig(dir: string, port: number): string {
  const file = join(dir, 'config.json');
  const listener = [{ tcp: { address: `127.0.0.1:${port}`, tls_disable: true } }];
  writeFileSync(file, JSON.stringify({ listener, storage: { inmem: {} } }), { mode: 0o600 });
  return file;
}

function databaseOf({ port, user, password }: TestDatabase): Record<string, string> {
  return {
    DATABASE_URL: `postgresql://{{username}}:{{password}}@127.0.0.1:${port}/postgres?sslmode=disable`,
    DATABASE_USER: user,
    DATABASE_PASSWORD: password,
  };
}

function serviceAccountToken(key: KeyObject): Promise<string> {
  return new SignJWT({
    sub: 'system:serviceaccount:blue:app',
    aud: ['https://kubernetes.default.svc'],
    'kubernetes.io': { namespace: 'blue', serviceaccount: { name: 'app', uid: 'uid-1' } },
  })
    .setProtectedHeader({ alg: 'ES256' })
    .setExpirationTime('10m')
    .sign(key);
}

function reviewTokens({ path, body }: Asked): Told {
  if (path !== '/apis/authentication.k8s.io/v1/tokenreviews') return { status: 404, body: {} };
  const { spec } = JSON.parse(body) as { spec: object };
  const user = { username: 'system:serviceaccount:blue:app', uid: 'uid-1' };
  return {
    status: 201,
    body: {
      kind: 'TokenReview',
      spec,
      status: { authenticated: true, user, audiences: ['https://kubernetes.default.svc'] },
    },
  };
}
