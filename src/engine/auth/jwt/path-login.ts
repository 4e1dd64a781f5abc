import { isInBlocks } from '../../../lib/cidr.ts';
import { audiencesOf } from '../../../lib/jwt/claims.ts';
import { JwtRefusal } from '../../../lib/jwt/verify.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, permissionDenied } from '../../logical/response.ts';
import { loginOf } from './identity.ts';
import type { JwtContext } from './jwt.ts';
import { verifiedClaims } from './verified-claims.ts';

/** login: a signed token for one of this vault. */
export function loginPaths(context: JwtContext): Path[] {
  const { store } = context;
  return [
    path({
      pattern: 'login',
      synopsis: 'Authenticates to Vault using a JWT (or OIDC) token.',
      access: 'unauthenticated',
      fields: {
        role: { type: 'string', description: 'The role to log in against.', default: '' },
        jwt: { type: 'string', description: 'The signed JWT to validate.', default: '' },
      },
      operations: {
        update: {
          summary: 'Log in.',
          handler: async (request, values) => {
            const config = await store.config();
            if (config === undefined) return badRequest('could not load configuration');
            const roleName = values.role.toLowerCase() || config.defaultRole;
            if (roleName === '') return badRequest('missing role');
            const role = await store.role(roleName);
            if (role === undefined) return badRequest(`role ${JSON.stringify(roleName)} could not be found`);
            if (role.type === 'oidc') return badRequest('role with oidc role_type is not allowed');
            if (values.jwt === '') return badRequest('missing token');
            if (!isInBlocks(request.remoteAddress, role.token.boundCidrs)) return permissionDenied;
            const claims = await verifiedClaims(context, config, values.jwt, {
              subject: role.boundSubject,
              audiences: role.boundAudiences ?? [],
              expirationLeeway: role.expirationLeeway,
              notBeforeLeeway: role.notBeforeLeeway,
              clockSkewLeeway: role.clockSkewLeeway,
            });
            if (claims instanceof JwtRefusal) return badRequest(`error validating token: ${claims.message}`);
            if (audiencesOf(claims).length > 0 && (role.boundAudiences ?? []).length === 0)
              return badRequest('audience claim found in JWT but no audiences bound to the role');
            const login = loginOf({ config, role, roleName, claims, remoteAddress: request.remoteAddress });
            return 'failed' in login ? badRequest(login.failed) : login;
          },
        },
      },
    }),
  ];
}
