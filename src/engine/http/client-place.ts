import { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { fromBase64, text as decode, utf8 } from '../../lib/bytes.ts';
import { isInBlocks } from '../../lib/cidr.ts';

/** Whose `X-Forwarded-For` is believed (Vault: TCP listener, x_forwarded_for_…). */
export interface ForwardedFor {
  readonly authorized: readonly string[];
  /** Addresses to skip from the end of the list. */
  readonly hopSkips: number;
  readonly rejectNotAuthorized: boolean;
  readonly rejectNotPresent: boolean;
  /** In lower case. */
  readonly certificateHeader: string | undefined;
  readonly decoders: readonly ('URL' | 'PEM' | 'BASE64' | 'RFC9440')[];
}

/** Where a request comes from. */
export interface ClientPlace {
  readonly address: string;
  readonly port: number;
  /** Whether it came through a proxy: the connection, and its certificate, is then the proxy's. */
  readonly forwarded: boolean;
  /** DER of the client's certificate, that a proxy handed on. */
  readonly certificate: Uint8Array | undefined;
}

type Verdict = ClientPlace | { readonly status: 400; readonly message: string };

const HEADER = 'x-forwarded-for';

/**
 * Finds out who sent a request.
 *
 * I1  Only an authorized proxy is believed: what anybody else says of a client, by address or certificate, is refused
 *     or taken out of the request before anything sees it.
 * I2  What a proxy forwards is never the proxy's own: its certificate opens nothing for its clients.
 *
 * @param peer the other end of the connection, or what a PROXY header said
 */
export function placeOf(
  message: IncomingMessage,
  peer: { readonly address: string; readonly port: number },
  trust: ForwardedFor | undefined,
): Verdict {
  const direct = { ...peer, forwarded: false, certificate: undefined };
  if (trust === undefined) return direct;
  const { headers } = message;
  const chain = (headers[HEADER]?.toString() ?? '').split(',').map((part) => part.trim());
  const present = chain.some((part) => part !== '');
  const certificateHeader = trust.certificateHeader ?? '';
  const certificateText = headers[certificateHeader]?.toString() ?? '';
  delete headers[certificateHeader];
  if (!present) {
    delete headers[HEADER];
    return trust.rejectNotPresent
      ? refusal('missing x-forwarded-for header and configured to reject when not present')
      : direct;
  }
  if (!isInBlocks(peer.address, trust.authorized)) {
    delete headers[HEADER];
    return trust.rejectNotAuthorized
      ? refusal('client address not authorized for x-forwarded-for and configured to reject connection')
      : direct;
  }
  const address = chain[chain.length - 1 - trust.hopSkips];
  if (address === undefined)
    return refusal(
      `malformed x-forwarded-for configuration or request, hops to skip (${trust.hopSkips}) would skip before earliest chain link (chain length ${chain.length})`,
    );
  if (isIP(address) === 0) return refusal('malformed x-forwarded-for header: it names no IP address');
  const certificate = certificateText === '' ? undefined : certificateOf(certificateText, trust.decoders);
  if (certificate === undefined && certificateText !== '')
    return refusal('the certificate that a proxy handed on cannot be read');
  return { address, port: peer.port, forwarded: true, certificate };
}

function refusal(message: string): { readonly status: 400; readonly message: string } {
  return { status: 400, message };
}

// RFC 9440 §2.1: `:base64:`. Without decoders the value is DER in base64.
function certificateOf(value: string, decoders: ForwardedFor['decoders']): Uint8Array | undefined {
  try {
    let bytes: Uint8Array | undefined = utf8(value);
    for (const decoder of decoders) {
      if (bytes === undefined) return undefined;
      const text = decode(bytes);
      if (decoder === 'URL') bytes = utf8(decodeURIComponent(text));
      else if (decoder === 'PEM') bytes = fromBase64(text.replaceAll(/-----[^-\n]*-----|\s/g, ''));
      else if (decoder === 'RFC9440') bytes = /^:.*:$/.test(text) ? fromBase64(text.slice(1, -1)) : undefined;
      else bytes = fromBase64(text);
    }
    // DER begins with SEQUENCE, which no base64 of it does.
    if (bytes !== undefined && bytes[0] !== 0x30) bytes = fromBase64(decode(bytes));
    return bytes === undefined ? undefined : new X509Certificate(bytes).raw;
  } catch {
    return undefined;
  }
}
