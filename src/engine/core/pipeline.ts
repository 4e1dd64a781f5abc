import { isInBlocks } from '../../lib/cidr.ts';
import { type PathTable, unsupportedOperation, unsupportedPath } from '../logical/logical.ts';
import type { LogicalRequest, Operation } from '../logical/request.ts';
import { permissionDenied, type Response } from '../logical/response.ts';
import { rawPaths } from '../sys/raw.ts';
import { auditRequest, auditResponse } from './audit-trail.ts';
import type { Context, CoreRequest } from './context.ts';
import type { Core } from './core.ts';
import { completeLogin } from './login.ts';
import { completeSecret } from './secret.ts';

type Stage = (context: Context) => Promise<Response | undefined> | Response | undefined;

const aclDenied: Response = {
  kind: 'refusal',
  status: 403,
  errors: ['1 error occurred:\n\t* permission denied\n\n'],
};
const sealed: Response = { kind: 'refusal', status: 503, errors: ['Vault is sealed'] };

/**
 * The way of a request through an open vault, in this order; a stage that returns a response ends it.
 *
 * | stage | refuses with |
 * |---|---|
 * | token | 403 for a token that is unknown, expired or used up |
 * | route | (nothing: an unknown path is only told to whoever may know) |
 * | policy | 403 |
 * | audit request | 500 when no device takes the entry: nothing below has run |
 * | handle | what the endpoint says; 404 and 405 for what is not there; a secret gets its lease; the answer is wrapped when asked for |
 * | audit response | 500 when no device takes the entry: the answer is dropped |
 */
export const stages: readonly { readonly name: string; readonly run: Stage }[] = [
  { name: 'token', run: findToken },
  { name: 'route', run: route },
  { name: 'policy', run: authorize },
  { name: 'use', run: countUse },
  { name: 'audit request', run: auditRequest },
  { name: 'handle', run: handleAndWrap },
];

/** Serves requests of a core. */
export function createPipeline(core: Core): (request: CoreRequest) => Promise<Response> {
  const raw: PathTable = rawPaths(core);
  return async (request) => {
    if (request.path.startsWith('sys/')) {
      const row = raw.find(request.path.slice(4));
      if (row !== undefined)
        return row.path.handle(toLogical(request, 'sys/', request.path.slice(4)), row.values);
    }
    const { vault } = core;
    if (vault === undefined) return sealed;
    const context: Context = {
      request,
      vault,
      token: undefined,
      mounted: undefined,
      row: undefined,
      logical: undefined,
      response: undefined,
      usedUp: undefined,
      trail: undefined,
    };
    let audited = false;
    for (const stage of stages) {
      const response = await stage.run(context);
      if (stage.name === 'audit request') audited = true;
      if (response !== undefined) {
        context.response = response;
        break;
      }
    }
    const response = context.response ?? unsupportedPath;
    context.response = response;
    // Its last use was this: what it was given goes with it.
    if (context.usedUp !== undefined) await vault.tokens.revoke(context.usedUp);
    // A refusal before the request was logged is logged with its reason now, and then answered as any other.
    if (!audited) await auditRequest(context);
    await auditResponse(context);
    return response;
  };
}

async function findToken(context: Context): Promise<Response | undefined> {
  const { request, vault } = context;
  if (request.token === '') return undefined;
  context.token = await vault.tokens.lookup(request.token);
  return undefined;
}

function route(context: Context): undefined {
  const { request, vault, token } = context;
  const mounted = vault.mounts.router.find(request.path);
  if (mounted === undefined || mounted.tainted === true) return undefined;
  const relative = request.path.slice(mounted.prefix.length);
  context.mounted = mounted;
  context.row = mounted.backend.paths.find(relative);
  context.logical = { ...toLogical(request, mounted.prefix, relative), token, leaseTtl: mounted.leaseTtl };
  return undefined;
}

async function authorize(context: Context): Promise<Response | undefined> {
  const { request, vault, token, row, logical } = context;
  if (row?.path.access === 'unauthenticated') return undefined;
  if (token === undefined) return permissionDenied;
  if (token.boundCidrs !== undefined && !isInBlocks(request.remoteAddress, token.boundCidrs))
    return permissionDenied;
  let policies = token.policies;
  if (token.entityId !== '') {
    const granted = await vault.identity.policiesOf(token.entityId);
    if (granted.disabled) return permissionDenied;
    if (granted.identityPolicies.length > 0) policies = [...policies, ...granted.identityPolicies];
  }
  let operation: Operation = request.operation;
  if (
    operation === 'update' &&
    row?.path.checksExistence === true &&
    logical !== undefined &&
    !(await row.path.exists(logical, row.values))
  ) {
    operation = 'create';
    context.logical = { ...logical, operation };
  }
  if (token.policies.includes('root')) return undefined;
  const acl = await vault.policies.acl(policies, token.entityId);
  const decision = acl.allow({ operation, path: request.path, data: request.body, wrapTtl: request.wrapTtl });
  if (!decision.allowed || (row?.path.access === 'sudo' && !decision.sudo)) return aclDenied;
  return undefined;
}

async function countUse(context: Context): Promise<Response | undefined> {
  const { vault, token, row } = context;
  if (token === undefined || row?.path.access === 'unauthenticated') return undefined;
  if (!(await vault.tokens.use(token))) return permissionDenied;
  const usedUp = token.numUses > 0 && (await vault.tokens.byHash(token.hash)) === undefined;
  if (usedUp) context.usedUp = token.hash;
  return undefined;
}

// What is refused is told openly; unwrapping is the one answer that is never wrapped again.
async function handleAndWrap(context: Context): Promise<Response> {
  const { request, vault } = context;
  const answered = await handleLogin(context);
  let response = answered;
  if (answered.kind === 'login') response = await completeLogin(context, answered.login, answered.warnings);
  else if (answered.kind === 'secret') response = await completeSecret(context, answered);
  const wrappable =
    response.kind === 'data' ||
    response.kind === 'advised' ||
    response.kind === 'auth' ||
    response.kind === 'leased' ||
    response.kind === 'raw';
  if (request.wrapTtl === 0 || !wrappable || /^sys\/wrapping\/(?:unwrap|lookup|rewrap)$/.test(request.path))
    return response;
  return vault.wrapping.wrap(response, request.id, request.path, request.wrapTtl);
}

// Who fails too often is refused without being asked, whatever the password.
async function handleLogin(context: Context): Promise<Response> {
  const { vault, mounted, row, logical } = context;
  const name =
    row === undefined || logical === undefined ? undefined : row.path.loginName?.(logical, row.values);
  if (name === undefined || mounted === undefined) return handle(context);
  const { accessor } = mounted.entry;
  if (vault.lockout.isLocked(accessor, name)) return permissionDenied;
  const response = await handle(context);
  if (response.kind === 'login') vault.lockout.succeeded(accessor, name);
  else if (response.kind === 'refusal' && response.errors[0]?.startsWith('invalid') === true)
    vault.lockout.failed(accessor, name);
  return response;
}

function handle({ request, mounted, row, logical }: Context): Promise<Response> | Response {
  if (mounted === undefined || logical === undefined) {
    return {
      kind: 'refusal',
      status: 404,
      errors: [`no handler for route "${request.path}". route entry not found.`],
    };
  }
  if (row === undefined) return unsupportedPath;
  if (row.path.operations[request.operation] === undefined) return unsupportedOperation;
  return row.path.handle(logical, row.values);
}

function toLogical(request: CoreRequest, mountPoint: string, path: string): LogicalRequest {
  return {
    id: request.id,
    operation: request.operation,
    path,
    mountPoint,
    body: request.body,
    query: request.query,
    token: undefined,
    tokenText: request.token,
    wrapTtl: request.wrapTtl,
    leaseTtl: { default: 0, max: 0 },
    remoteAddress: request.remoteAddress,
    clientName: request.clientName,
    credentials: request.credentials,
    signal: request.signal,
  };
}
