import { PathTable, unsupportedOperation } from '../logical/logical.ts';
import type { Response } from '../logical/response.ts';
import { recoveryTokenPaths } from '../sys/path-generate-root.ts';
import { rawStoragePaths } from '../sys/path-raw.ts';
import { statusPaths } from '../sys/raw.ts';
import type { CoreRequest } from './context.ts';
import { toLogical } from './pipeline.ts';
import type { RecoveryMode } from './recovery-mode.ts';

const denied: Response = { kind: 'refusal', status: 403, errors: [] };
const nothing: Response = { kind: 'refusal', status: 404, errors: [] };

/**
 * Serves recovery mode: `sys/health`, `sys/seal-status`, `sys/generate-recovery-token/*` to everyone, `sys/raw/*` to
 * the holder of the recovery token, and 404 for all else.
 */
export function createRecoveryPipeline(mode: RecoveryMode): (request: CoreRequest) => Promise<Response> {
  const status = new PathTable(statusPaths(mode));
  return async (request) => {
    if (!request.path.startsWith('sys/')) return nothing;
    const relative = request.path.slice(4);
    if (relative === 'raw' || relative.startsWith('raw/')) {
      const storage = mode.storageFor(request.token);
      if (storage === undefined) return denied;
      return serve(new PathTable(rawStoragePaths(storage)), request);
    }
    if (relative.startsWith('generate-recovery-token/'))
      return serve(new PathTable(recoveryTokenPaths(await mode.generate())), request);
    return serve(status, request);
  };
}

async function serve(table: PathTable, request: CoreRequest): Promise<Response> {
  const relative = request.path.slice(4);
  const row = table.find(relative);
  if (row === undefined) return nothing;
  if (row.path.operations[request.operation] === undefined) return unsupportedOperation;
  return row.path.handle(toLogical(request, 'sys/', relative), row.values);
}
