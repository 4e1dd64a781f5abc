import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority, issueCertificate } from '../../support/cluster/certificates.ts';
import { until } from '../../support/cluster/command.ts';
import { freePort } from '../../support/cluster/controlplane.ts';
import { find } from '../../support/cluster/packages.ts';

export const BASE = 'dc=example,dc=org';

/** A directory server of its own: OpenLDAP's slapd with a database in a folder of the test. */
export class Slapd {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'sealedvault-slapd-'));
  readonly rootPassword = 'canary-root-dn';
  url = '';
  secureUrl = '';
  caPem = '';
  /** A certificate of a client that the server believes. */
  client = { certificate: '', key: '' };
  #process: ChildProcess | undefined;

  /** @param entries LDIF below the base */
  static async start(entries: string): Promise<Slapd> {
    const slapd = new Slapd();
    await slapd.#start(entries);
    return slapd;
  }

  async stop(): Promise<void> {
    const running = this.#process;
    if (running !== undefined && running.exitCode === null) {
      await new Promise((resolve) => {
        running.once('exit', resolve);
        running.kill();
      });
    }
    rmSync(this.dir, { recursive: true, force: true });
  }

  async #start(entries: string): Promise<void> {
    const program = find('slapd');
    if (program === undefined) throw new Error('slapd is missing: install the package slapd');
    const file = (name: string, text: string): string => {
      writeFileSync(join(this.dir, name), text);
      return join(this.dir, name);
    };
    const authority = createAuthority('directory authority');
    const server = issueCertificate(authority, {
      commonName: 'slapd',
      usage: 'server',
      dnsNames: ['localhost'],
      addresses: ['127.0.0.1'],
    });
    this.caPem = authority.certificate;
    this.client = issueCertificate(authority, { commonName: 'vault', usage: 'client' });
    const data = join(this.dir, 'data');
    mkdirSync(data);
    const config = file(
      'slapd.conf',
      `${['core', 'cosine', 'nis', 'inetorgperson'].map((name) => `include /etc/ldap/schema/${name}.schema`).join('\n')}
attributetype ( 1.2.840.113556.1.4.656 NAME 'userPrincipalName' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
objectclass ( 2.25.1 NAME 'msUser' SUP top AUXILIARY MAY userPrincipalName )
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCACertificateFile ${file('ca.pem', authority.certificate)}
TLSCertificateFile ${file('cert.pem', server.certificate)}
TLSCertificateKeyFile ${file('key.pem', server.key)}
TLSVerifyClient allow
pidfile ${join(this.dir, 'pid')}
database mdb
suffix "${BASE}"
rootdn "cn=root,${BASE}"
rootpw ${this.rootPassword}
directory ${data}
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="ou=hidden,${BASE}" by anonymous auth by * none
access to * by * read
`,
    );
    const base = `dn: ${BASE}\nobjectClass: dcObject\nobjectClass: organization\no: e\ndc: example\n\n`;
    execFileSync(
      program.replace(/slapd$/, 'slapadd'),
      ['-f', config, '-l', file('all.ldif', base + entries)],
      {
        stdio: 'pipe',
      },
    );
    const [plain, secure] = [await freePort(), await freePort()];
    this.url = `ldap://127.0.0.1:${plain}`;
    this.secureUrl = `ldaps://127.0.0.1:${secure}`;
    const running = spawn(program, ['-d', '0', '-f', config, '-h', `${this.url} ${this.secureUrl}`], {
      stdio: 'ignore',
    });
    this.#process = running;
    const { Client } = await import('ldapts');
    await until('slapd answers', 20_000, async () => {
      if (running.exitCode !== null) throw new Error('slapd ended');
      const client = new Client({ url: this.url });
      await client.bind(`cn=root,${BASE}`, this.rootPassword);
      await client.unbind();
      return true;
    });
  }
}
