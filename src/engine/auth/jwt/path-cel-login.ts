import { CelRefusal } from '../../../lib/cel/cel.ts';
import { isInBlocks } from '../../../lib/cidr.ts';
import { JwtRefusal } from '../../../lib/jwt/verify.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, permissionDenied, type Response } from '../../logical/response.ts';
import { compileProgram, loginOfResult } from './cel-program.ts';
import type { JwtContext } from './jwt.ts';
import { verifiedClaims } from './verified-claims.ts';

/** cel/login: a signed token for one of this vault, as the program of a role decides. */
export function celLoginPaths(context: JwtContext): Path[] {
  const { store } = context;
  return [
    path({
      pattern: 'cel/login',
      synopsis: 'Authenticates to Vault using a JWT (or OIDC) token against a CEL role.',
      access: 'unauthenticated',
      fields: {
        role: { type: 'string', description: 'The CEL role to log in against.', default: '' },
        jwt: { type: 'string', description: 'The signed JWT to validate.', default: '' },
      },
      operations: {
        update: {
          summary: 'Log in.',
          handler: async (request, values): Promise<Response> => {
            const config = await store.config();
            if (config === undefined) return badRequest('could not load configuration');
            const roleName = values.role.toLowerCase() || config.defaultRole;
            if (roleName === '') return badRequest('missing role');
            const role = await store.celRole(roleName);
            if (role === undefined) return badRequest(`role ${JSON.stringify(roleName)} could not be found`);
            if (values.jwt === '') return badRequest('missing token');
            const claims = await verifiedClaims(context, config, values.jwt, {
              audiences: role.boundAudiences,
              expirationLeeway: role.expirationLeeway,
              notBeforeLeeway: role.notBeforeLeeway,
              clockSkewLeeway: role.clockSkewLeeway,
            });
            if (claims instanceof JwtRefusal) return badRequest(`error validating token: ${claims.message}`);
            const program = compileProgram(role.program);
            const result =
              program instanceof CelRefusal ? program : program.result(claims, context.clock.now());
            const login =
              result instanceof CelRefusal
                ? new CelRefusal(`Cel role auth program failed: ${result.message}`)
                : loginOfResult(result, roleName);
            if (login instanceof CelRefusal)
              return badRequest(`error executing cel program: ${login.message}`);
            return isInBlocks(request.remoteAddress, login.boundCidrs)
              ? { kind: 'login', login }
              : permissionDenied;
          },
        },
      },
    }),
  ];
}
