import { AsnConvert } from '@peculiar/asn1-schema';
import { AuthorityInfoAccessSyntax, id_ad_ocsp, id_pe_authorityInfoAccess } from '@peculiar/asn1-x509';
import { BoundedMap } from '../../../lib/bounded-map.ts';
import type { Clock } from '../../../lib/clock.ts';
import { httpCall, HttpFailure } from '../../../lib/http-call.ts';
import { type ParsedCertificate, parsePem } from './certificate.ts';
import { ocspRequest, readResponse, type Status } from './ocsp-message.ts';
import type { OcspSettings } from './store.ts';

const REVOKED = 'the certificate has been revoked';

/** Asks responders (RFC 6960) whether certificates are good, and remembers their answers while those last. */
export class Ocsp {
  readonly #clock: Clock;
  #answers: BoundedMap<string, Status>;
  #size: number;

  constructor(clock: Clock, size: number) {
    this.#clock = clock;
    this.#size = size;
    this.#answers = new BoundedMap(size);
  }

  /** @param size of the memory */
  resize(size: number): void {
    if (size === this.#size) return;
    this.#size = size;
    this.#answers = new BoundedMap(size);
  }

  /** @returns why a certificate may not be used, or undefined when it may */
  async check(
    client: ParsedCertificate,
    issuer: ParsedCertificate | undefined,
    settings: OcspSettings,
  ): Promise<string | undefined> {
    const authorities = parsePem(settings.caCertificates);
    const by =
      issuer ??
      authorities.find(({ x509 }) => client.x509.checkIssued(x509) && client.x509.verify(x509.publicKey));
    if (by === undefined)
      return settings.failOpen ? undefined : 'the issuer of the certificate is not known to OCSP';
    const servers =
      settings.servers === null || settings.servers.length === 0 ? serversOf(client) : settings.servers;
    let trouble = 'the certificate names no OCSP server';
    let good = false;
    for (const server of servers) {
      const answer = await this.#ask(server, client, by, authorities, settings.maxAge ?? 0);
      if ('failed' in answer) trouble = answer.failed;
      else if (answer.status === 'revoked') return REVOKED;
      else if (answer.status === 'good') good = true;
      else trouble = 'the OCSP server does not know the certificate';
      if (good && !settings.queryAll) return undefined;
    }
    return good || settings.failOpen ? undefined : trouble;
  }

  async #ask(
    server: string,
    client: ParsedCertificate,
    issuer: ParsedCertificate,
    authorities: readonly ParsedCertificate[],
    maxAge: number,
  ): Promise<Status | { readonly failed: string }> {
    const now = this.#clock.now();
    const key = `${server} ${issuer.x509.fingerprint256} ${client.serial} ${maxAge}`;
    const known = this.#answers.get(key);
    if (known?.validUntil !== undefined && known.validUntil > now) return known;
    const answer = await httpCall({
      url: server,
      method: 'POST',
      headers: { 'Content-Type': 'application/ocsp-request', Accept: 'application/ocsp-response' },
      body: ocspRequest(client, issuer),
    });
    if (answer instanceof HttpFailure) return { failed: answer.message };
    if (answer.status !== 200) return { failed: `the OCSP server answered ${answer.status}` };
    const status = readResponse(answer.body, client, issuer, authorities, now, maxAge);
    if (!('failed' in status)) this.#answers.set(key, status);
    return status;
  }
}

function serversOf({ extensions }: ParsedCertificate): string[] {
  const der = extensions.get(id_pe_authorityInfoAccess);
  if (der === undefined) return [];
  return [...AsnConvert.parse(der, AuthorityInfoAccessSyntax)]
    .filter(({ accessMethod }) => accessMethod === id_ad_ocsp)
    .map(({ accessLocation }) => accessLocation.uniformResourceIdentifier)
    .filter((each) => each !== undefined);
}
