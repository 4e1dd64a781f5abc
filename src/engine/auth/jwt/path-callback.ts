import { isInBlocks } from '../../../lib/cidr.ts';
import { type Path, path } from '../../logical/logical.ts';
import type { LogicalRequest } from '../../logical/request.ts';
import { badRequest, permissionDenied, type Response } from '../../logical/response.ts';
import { finishLogin } from './finish.ts';
import { IssuerFailure } from './issuer.ts';
import type { JwtContext } from './jwt.ts';
import { exchangeCode, type Flow, type ProviderTokens } from './oidc-flow.ts';
import type { OidcRequest } from './oidc-requests.ts';
import { confirmPage, messagePage, redirectPage } from './pages.ts';
import { mountOf } from './redirect.ts';

const FAILED = 'Vault login failed.';
const NO_CODE = 'no_code';
/** RFC 6749 §4.1.2.1. */
const KNOWN_ERRORS: readonly string[] = [
  'access_denied',
  'invalid_request',
  'invalid_scope',
  'server_error',
  'temporarily_unavailable',
  'unauthorized_client',
  'unsupported_response_type',
];

const query = { type: 'string', default: '', query: true } as const;
const fields = {
  state: { ...query, description: 'Which login this is.' },
  code: { ...query, description: 'What the provider gave for the user.' },
  client_nonce: { ...query, description: 'What the client chose at the beginning.' },
  error: { ...query, description: 'Why the provider refused.' },
  error_description: { ...query, description: 'The same, for people.' },
  error_uri: { ...query, description: 'The same, at length.' },
  confirmation: { ...query, description: 'That the user confirmed the login.' },
  id_token: { type: 'string', description: 'An ID token that a form brought.', default: '' },
} as const;

type Given = { readonly [K in keyof typeof fields]: string };

/** oidc/callback: where a browser comes back to, or its client brings what it got. */
export function callbackPaths(context: JwtContext): Path[] {
  const { store, requests } = context;
  return [
    path({
      pattern: 'oidc/callback',
      record: false,
      synopsis: 'Callback endpoint to complete an OIDC login.',
      access: 'unauthenticated',
      fields,
      operations: {
        read: {
          summary: 'Complete a login.',
          handler: (request, values) => callback(context, request, values),
        },
        update: {
          summary: 'Take the form that a provider makes a browser post.',
          handler: async (_request, values): Promise<Response> => {
            const config = await store.config();
            if (config === undefined) return badRequest(`${FAILED} Could not load configuration.`);
            if (config.responseMode !== 'form_post') return { kind: 'refusal', status: 405, errors: [] };
            const found = requests.get(stateOf(values));
            if (found === undefined) return messagePage(FAILED, 'Expired or missing OAuth state.', 400);
            requests.put({ ...found, code: values.code, idToken: values.id_token });
            const mount = mountOf(found.redirectUri);
            return mount === undefined
              ? messagePage(FAILED, 'Invalid redirect path.', 400)
              : redirectPage(mount, found.state);
          },
        },
      },
    }),
  ];
}

async function callback(context: JwtContext, request: LogicalRequest, values: Given): Promise<Response> {
  const { store, issuers, requests, clock } = context;
  const config = await store.config();
  if (config === undefined) return badRequest(`${FAILED} Could not load configuration`);
  const begun = requests.get(stateOf(values));
  const role = begun === undefined ? undefined : await store.role(begun.roleName);
  const direct = role?.callbackMode === 'direct';
  if (direct && begun !== undefined && !role.disableConfirmation && values.confirmation === '')
    return confirmPage(request.query ?? new URLSearchParams(), begun.requesterAddress, begun.roleName);
  // From here on, nobody else can use the same state.
  const mine = requests.take(stateOf(values));
  if (mine === undefined || mine.login !== undefined)
    return badRequest(`${FAILED} Expired or missing OAuth state.`);
  if (role === undefined) return badRequest(`${FAILED} Role could not be found`);
  const failed = (message: string): Response =>
    direct ? messagePage(FAILED, message, 400) : badRequest(`${FAILED} ${message}`);
  if (values.error !== '') {
    const error = values.error.trim().toLowerCase();
    return failed(
      KNOWN_ERRORS.includes(error)
        ? error
        : 'An unknown error occurred during OIDC authentication. Check server logs for details',
    );
  }
  if (mine.clientNonce !== '' && values.client_nonce !== mine.clientNonce && !direct)
    return badRequest('invalid client_nonce');
  if (!isInBlocks(request.remoteAddress, role.token.boundCidrs)) return permissionDenied;

  const flow: Flow = { config, issuer: issuers.get(config), role, now: clock.now() / 1000 };
  const tokens = await tokensFor(flow, mine, values.code === NO_CODE ? mine.code : values.code);
  if (tokens instanceof IssuerFailure) return failed(tokens.message);
  const login = await finishLogin(flow, mine.roleName, tokens, mine, request.remoteAddress);
  if ('failed' in login)
    return login.failed.startsWith('Token verification failed.') && !direct
      ? badRequest(login.failed)
      : failed(login.failed);
  if (!direct) return login;
  requests.put({ ...mine, login: login.login });
  return messagePage('Signed in to Vault', 'You can close this window.');
}

async function tokensFor(
  flow: Flow,
  request: OidcRequest,
  code: string,
): Promise<ProviderTokens | IssuerFailure> {
  if (code === '') {
    return request.idToken === ''
      ? new IssuerFailure('No code or id_token received.')
      : { idToken: request.idToken, accessToken: '', refreshToken: '' };
  }
  const tokens = await exchangeCode(flow, request, code);
  return tokens instanceof IssuerFailure
    ? new IssuerFailure(`Error exchanging oidc code: ${JSON.stringify(tokens.message)}.`)
    : tokens;
}

// A namespace may follow it.
function stateOf({ state }: Given): string {
  return state.split(',ns=')[0] ?? '';
}
