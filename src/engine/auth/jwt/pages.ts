import { utf8 } from '../../../lib/bytes.ts';
import type { Response } from '../../logical/response.ts';

/** What a browser is shown at the end of a login, or when it fails. */
export function messagePage(title: string, message: string, status = 200): Response {
  return page(status, title, `<h1>${escape(title)}</h1><p>${escape(message)}</p>`);
}

/** Sends a browser that posted a form to where its client waits. @param mount of this auth method */
export function redirectPage(mount: string, state: string): Response {
  const target = `/ui/vault/auth/${encodeURIComponent(mount)}/oidc/callback?code=no_code&state=${encodeURIComponent(state)}`;
  return page(
    200,
    'Signing in',
    `<p><a href="${escape(target)}">Continue</a></p>`,
    `<meta http-equiv="refresh" content="0;url=${escape(target)}">`,
  );
}

/** Asks whether a login that began at an address is the reader's own. @param query of the callback, to be sent again */
export function confirmPage(query: URLSearchParams, address: string, role: string): Response {
  const inputs = [...query]
    .filter(([name]) => name !== 'confirmation')
    .map(([name, value]) => `<input type="hidden" name="${escape(name)}" value="${escape(value)}">`)
    .join('');
  return page(
    200,
    'Confirm the login',
    `<h1>Confirm the login</h1><p>A login with the role ${escape(role)} was begun at the address ${escape(address)}. Go on only if that was you.</p><form method="get">${inputs}<button name="confirmation" value="yes">Go on</button></form>`,
  );
}

// Nothing on these pages runs, and no other site shows them in a frame, where a click on them could be stolen.
const HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

function page(status: number, title: string, body: string, head = ''): Response {
  return {
    kind: 'bytes',
    status,
    headers: HEADERS,
    contentType: 'text/html; charset=utf-8',
    body: utf8(
      `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>${escape(title)}</title>${head}</head><body>${body}</body></html>\n`,
    ),
  };
}

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`);
}
