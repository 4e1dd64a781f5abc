import { type Backend, PathTable } from '../logical/logical.ts';
import { auditPaths } from './path-audit.ts';
import { capabilityPaths } from './path-capabilities.ts';
import { internalUiPaths } from './path-internal-ui.ts';
import { keyPaths } from './path-keys.ts';
import { mountPaths } from './path-mounts.ts';
import { policyPaths } from './path-policies.ts';
import { wrappingPaths } from './path-wrapping.ts';
import type { SysPort } from './port.ts';

/** The system backend: everything below sys/ that needs an open vault. */
export function createSys(port: SysPort): Backend {
  return {
    type: 'system',
    paths: new PathTable([
      ...mountPaths(port, 'mounts'),
      ...mountPaths(port, 'auth'),
      ...auditPaths(port),
      ...policyPaths(port),
      ...capabilityPaths(port),
      ...internalUiPaths(port),
      ...keyPaths(port),
      ...wrappingPaths(port),
    ]),
  };
}
