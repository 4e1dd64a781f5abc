import { type Path, path } from '../../logical/logical.ts';
import { badRequest, type Response } from '../../logical/response.ts';
import { pollDevice } from './device-flow.ts';
import { finishLogin } from './finish.ts';
import { IssuerFailure } from './issuer.ts';
import type { JwtContext } from './jwt.ts';

const FAILED = 'Vault login failed.';

/** oidc/poll: whether the person has finished, for clients that no browser comes back to. */
export function pollPaths({ store, issuers, requests, clock }: JwtContext): Path[] {
  return [
    path({
      pattern: 'oidc/poll',
      synopsis: 'Poll endpoint to complete an OIDC login.',
      access: 'unauthenticated',
      fields: {
        state: { type: 'string', description: 'Which login this is.', default: '' },
        client_nonce: {
          type: 'string',
          description: 'What the client chose at the beginning.',
          default: '',
        },
      },
      operations: {
        update: {
          summary: 'Fetch the token, when the login is complete.',
          handler: async (request, values): Promise<Response> => {
            const begun = requests.take(values.state);
            if (begun === undefined) return badRequest(`${FAILED} Expired or missing OAuth state.`);
            if (begun.clientNonce !== '' && begun.clientNonce !== values.client_nonce)
              return badRequest('invalid client_nonce');
            const role = await store.role(begun.roleName);
            if (role === undefined) return badRequest(`${FAILED} Role could not be found`);
            if (role.callbackMode !== 'device') {
              if (begun.login !== undefined) return { kind: 'login', login: begun.login };
              requests.put(begun);
              return badRequest('authorization_pending');
            }
            const config = await store.config();
            if (config === undefined) return badRequest(`${FAILED} Could not load configuration`);
            const issuer = issuers.get(config);
            const tokens = await pollDevice(config, issuer, begun.deviceCode);
            if (tokens instanceof IssuerFailure) {
              if (!['authorization_pending', 'slow_down'].includes(tokens.message))
                return badRequest(`authorization failed: ${tokens.message}`);
              requests.put(begun);
              return badRequest(tokens.message);
            }
            const flow = { config, issuer, role, now: clock.now() / 1000 };
            const login = await finishLogin(flow, begun.roleName, tokens, undefined, request.remoteAddress);
            return 'failed' in login ? badRequest(`${FAILED} ${login.failed}`) : login;
          },
        },
      },
    }),
  ];
}
