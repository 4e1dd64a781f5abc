import { isInBlocks } from '../../lib/cidr.ts';
import { type PathTable, unsupportedOperation, unsupportedPath } from '../logical/logical.ts';
import type { LogicalRequest, Operation } from '../logical/request.ts';
import { badRequest, permissionDenied, type Response } from '../logical/response.ts';
import { rawPaths } from '../sys/raw.ts';
import { auditRequest, auditResponse } from './audit-trail.ts';
import type { Context, CoreRequest } from './context.ts';
import type { Core } from './core.ts';
import { policiesOf } from './granted.ts';
import { help, wantsHelp } from './help.ts';
import { observe, observeAudit } from './observe.ts';
import { RequestPlace } from './lease-place.ts';
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
 * | quota | 429 for a client that sends too many |
 * | token | 403 for a token that is unknown, expired or used up |
 * | route | (nothing: an unknown path is only told to whoever may know) |
 * | policy | 403 |
 * | audit request | 500 when no device takes the entry: nothing below has run |
 * | handle | what the endpoint says; 404 and 405 for what is not there; a secret gets its lease; the answer is wrapped when asked for |
 * | audit response | 500 when no device takes the entry: the answer is dropped |
 */
export const stages: readonly { readonly name: string; readonly run: Stage }[] = [
  { name: 'quota', run: takeQuota },
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
  const serve = async (request: CoreRequest): Promise<Response> => {
    const ambiguous = request.path.endsWith('/') && isWrite(request.operation);
    if (request.path.startsWith('sys/') && !ambiguous && !wantsHelp(request)) {
      const row = raw.find(request.path.slice(4));
      if (row !== undefined)
        return row.path.handle(toLogical(request, 'sys/', request.path.slice(4)), row.values);
    }
    const { vault } = core;
    if (vault === undefined) return sealed;
    // Whether a name or a folder is meant cannot be told, so nothing is written (Vault: handleCancelableRequest).
    if (ambiguous) return badRequest("cannot write to a path ending in '/'");
    const context: Context = {
      request,
      vault,
      token: undefined,
      mounted: undefined,
      row: undefined,
      logical: undefined,
      call: undefined,
      response: undefined,
      usedUp: undefined,
      trail: undefined,
      place: undefined,
      quotaHeaders: undefined,
    };
    const began = core.clock.monotonic();
    let audited = false;
    const { metrics } = core.services;
    const monotonic = (): number => core.clock.monotonic();
    const isAudited = vault.audit.deviceCount > 0;
    for (const stage of stages) {
      let response: Response | undefined;
      if (stage.name === 'audit request') {
        audited = true;
        if (isAudited) await observeAudit(metrics, 'request', monotonic, () => auditRequest(context));
      } else response = await stage.run(context);
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
    // Refusals by a quota are many, and only audited when asked for.
    const silent =
      response.kind === 'refusal' && response.status === 429 && !vault.quotas.config.auditRefusals;
    if (!audited && !silent) await auditRequest(context);
    if (!silent && isAudited)
      await observeAudit(metrics, 'response', monotonic, () => auditResponse(context));
    observe(metrics, context, response, monotonic() - began);
    return context.quotaHeaders === undefined ? response : { ...response, headers: context.quotaHeaders };
  };
  return async (request) => {
    const { requests, metrics } = core.services;
    const { id, path, method, remoteAddress, remotePort } = request;
    const entry = { id, path, method, address: `${remoteAddress}:${remotePort}`, start: core.clock.now() };
    const began = core.clock.monotonic();
    requests.add(entry);
    try {
      return await serve(request);
    } finally {
      requests.delete(entry);
      metrics.time('vault.core.handle_request', core.clock.monotonic() - began);
    }
  };
}

// By the address of the client: a token need not be looked up to say no.
function takeQuota(context: Context): Response | undefined {
  const { request, vault } = context;
  const role = request.body['role'];
  const verdict = vault.quotas.take(
    request.path,
    request.remoteAddress,
    typeof role === 'string' ? role : undefined,
  );
  if (verdict === undefined) return undefined;
  if (vault.quotas.config.responseHeaders) {
    context.quotaHeaders = {
      'X-Ratelimit-Limit': String(verdict.limit),
      'X-Ratelimit-Remaining': String(verdict.remaining),
      'X-Ratelimit-Reset': String(verdict.reset),
      ...(verdict.allowed ? {} : { 'Retry-After': String(verdict.reset) }),
    };
  }
  if (verdict.allowed) return undefined;
  return {
    kind: 'refusal',
    status: 429,
    errors: [`request path ${JSON.stringify(request.path)}: rate limit quota exceeded`],
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
  context.call = context.row?.path.call(context.logical, context.row.values);
  return undefined;
}

async function authorize(context: Context): Promise<Response | undefined> {
  const { request, vault, token } = context;
  if (needsNoToken(context)) return undefined;
  if (token === undefined) {
    // Whoever holds a wrapping token learns what became of it, as with one in the body.
    return /^sys\/wrapping\/(?:unwrap|rewrap)$/.test(request.path) && request.token !== ''
      ? badRequest('wrapping token is not valid or does not exist')
      : permissionDenied;
  }
  if (token.boundCidrs !== undefined && !isInBlocks(request.remoteAddress, token.boundCidrs))
    return permissionDenied;
  const policies = await policiesOf(vault.identity, token);
  if (policies === undefined) return permissionDenied;
  if (wantsHelp(request)) return undefined;
  return judge(context, policies);
}

// What exists decides whether a write needs create or update; a write that waited for others is judged again.
async function judge(context: Context, policies: readonly string[]): Promise<Response | undefined> {
  const { request, vault, token, row, logical, call } = context;
  let operation: Operation = request.operation;
  if (
    operation === 'update' &&
    row?.path.checksExistence === true &&
    logical !== undefined &&
    call !== undefined &&
    !(await call.exists(logical))
  )
    operation = 'create';
  if (logical !== undefined && logical.operation !== operation) context.logical = { ...logical, operation };
  if (token === undefined || token.policies.includes('root')) return undefined;
  const acl = await vault.policies.acl(policies, token.entityId);
  const decision = acl.allow({
    operation,
    path: request.path,
    parameters: () => call?.parameters() ?? request.body,
    folded: row?.path.folded,
    wrapTtl: request.wrapTtl,
  });
  if (!decision.allowed || (row?.path.access === 'sudo' && !decision.sudo)) return aclDenied;
  return undefined;
}

function isWrite(operation: Operation): boolean {
  return operation === 'update' || operation === 'patch';
}

function needsNoToken({ row, request }: Context): boolean {
  return (
    row?.path.access === 'unauthenticated' || (row !== undefined && request.open.includes(row.path.access))
  );
}

async function countUse(context: Context): Promise<Response | undefined> {
  const { vault, token } = context;
  if (token === undefined || needsNoToken(context)) return undefined;
  if (!(await vault.tokens.use(token))) return permissionDenied;
  const usedUp = token.numUses > 0 && (await vault.tokens.byHash(token.hash)) === undefined;
  if (usedUp) context.usedUp = token.hash;
  return undefined;
}

// What is refused is told openly; unwrapping is the one answer that is never wrapped again.
async function handleAndWrap(context: Context): Promise<Response> {
  const { request, vault } = context;
  const place = new RequestPlace(vault.leaseCounts, request.path, context.token);
  context.place = place;
  if (context.logical !== undefined) context.logical = { ...context.logical, leasePlace: () => place.take() };
  let response: Response;
  try {
    response = await handleOnMount(context, place);
  } finally {
    place.giveBack();
  }
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

async function handleOnMount(context: Context, place: RequestPlace): Promise<Response> {
  const { vault } = context;
  for (;;) {
    const { mounted } = context;
    if (mounted === undefined) return handle(context);
    const answered = await vault.mounts.serve(mounted, async (still) => {
      if (!still) return undefined;
      const response = await handleLogin(context);
      if (response.kind === 'login') return completeLogin(context, response.login, response.warnings);
      if (response.kind === 'secret') return completeSecret(context, response);
      if (response.kind === 'auth') place.keepToken(response.auth.entry);
      return response;
    });
    const response = answered ?? (await routeAgain(context));
    if (response !== undefined) return response;
  }
}

// The mount was emptied, moved or restarted since: whatever is at the path now is judged from the beginning.
async function routeAgain(context: Context): Promise<Response | undefined> {
  context.mounted = undefined;
  context.row = undefined;
  context.logical = undefined;
  context.call = undefined;
  route(context);
  return authorize(context);
}

// Who fails too often is refused without being asked, whatever the password.
async function handleLogin(context: Context): Promise<Response> {
  const { vault, mounted, call } = context;
  const name = call?.loginName;
  if (name === undefined || mounted === undefined) return handle(context);
  const attempt = await vault.lockout.begin(mounted.entry, name);
  if (attempt === undefined) return permissionDenied;
  let outcome: 'succeeded' | 'failed' | 'neither' = 'neither';
  try {
    const response = await handle(context);
    if (response.kind === 'login') outcome = 'succeeded';
    else if (response.kind === 'refusal' && response.badCredentials === true) outcome = 'failed';
    return response;
  } finally {
    await attempt.end(outcome);
  }
}

function handle(context: Context): Promise<Response> | Response {
  const { request, mounted, row, logical, call } = context;
  const described = wantsHelp(request) ? help(context) : undefined;
  if (described !== undefined) return described;
  if (mounted === undefined || logical === undefined) {
    return {
      kind: 'refusal',
      status: 404,
      errors: [`no handler for route "${request.path}". route entry not found.`],
    };
  }
  if (row === undefined || call === undefined) return unsupportedPath;
  if (row.path.operations[request.operation] === undefined) return unsupportedOperation;
  const { record } = call;
  if (record === undefined || request.operation === 'read' || request.operation === 'list')
    return call.handle(logical);
  return mounted.backend.paths.inTurn(record, async () => (await judgeAgain(context)) ?? handleNow(context));
}

// Another write may have created or removed the record since the request was judged.
async function judgeAgain(context: Context): Promise<Response | undefined> {
  const { vault, token, row } = context;
  if (row?.path.checksExistence !== true || token === undefined || needsNoToken(context)) return undefined;
  const policies = await policiesOf(vault.identity, token);
  return policies === undefined ? permissionDenied : judge(context, policies);
}

function handleNow({ call, logical }: Context): Promise<Response> | Response {
  return call === undefined || logical === undefined ? unsupportedPath : call.handle(logical);
}

/** A request as a path table sees it, before its token is known. */
export function toLogical(request: CoreRequest, mountPoint: string, path: string): LogicalRequest {
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
    clientCertificates: request.clientCertificates,
    credentials: request.credentials,
    signal: request.signal,
  };
}
