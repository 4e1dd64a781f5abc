import { type Backend, PathTable } from '../logical/logical.ts';
import { auditPaths } from './path-audit.ts';
import { counterPaths } from './path-counters.ts';
import { passwordPolicyPaths } from './path-password-policies.ts';
import { pluginPaths } from './path-plugins.ts';
import { ceremonyPaths } from './path-ceremony.ts';
import { detailedPolicyPaths } from './path-policies-detailed.ts';
import { remountPaths } from './path-remount.ts';
import { rotationPaths } from './path-rotation.ts';
import { statusPaths } from './path-status.ts';
import { toolPaths } from './path-tools.ts';
import { capabilityPaths } from './path-capabilities.ts';
import { generateRootPaths } from './path-generate-root.ts';
import { httpSettingsPaths } from './path-http-settings.ts';
import { loggerPaths } from './path-loggers.ts';
import { processPaths } from './path-process.ts';
import { quotaPaths } from './path-quotas.ts';
import { rawStoragePaths } from './path-raw.ts';
import { lockedUserPaths } from './path-locked-users.ts';
import { internalUiPaths } from './path-internal-ui.ts';
import { keyPaths } from './path-keys.ts';
import { leasePaths } from './path-leases.ts';
import { managedKeyPaths } from './path-managed-keys.ts';
import { mfaPaths } from './path-mfa.ts';
import { mountPaths } from './path-mounts.ts';
import { openApiDocumentPaths } from './path-openapi.ts';
import { policyPaths } from './path-policies.ts';
import { rewrapPaths } from './path-seal-backend.ts';
import { rekeyPaths } from './path-rekey.ts';
import { wrappingPaths } from './path-wrapping.ts';
import type { RawPort, SysPort } from './port.ts';
import { rawPaths } from './raw.ts';

/**
 * The system backend: everything below sys/ that needs an open vault, and, for the descriptions of the API, what answers
 * without one.
 */
export function createSys(port: SysPort, always: RawPort): Backend {
  return {
    type: 'system',
    close: async () => port.ceremonies.close(),
    paths: new PathTable([
      ...rawPaths(always).rows,
      ...mountPaths(port, 'mounts'),
      ...mountPaths(port, 'auth'),
      ...auditPaths(port),
      ...toolPaths(port),
      ...statusPaths(port),
      ...counterPaths(port),
      ...passwordPolicyPaths(port),
      ...detailedPolicyPaths(port),
      ...pluginPaths(port),
      ...remountPaths(port),
      ...rotationPaths(port),
      ...generateRootPaths(port.generateRoot),
      ...rekeyPaths(port.rekey),
      ...ceremonyPaths(port.ceremonies),
      ...rewrapPaths(port.rewrap),
      ...managedKeyPaths(port.managedKeys),
      ...policyPaths(port),
      ...capabilityPaths(port),
      ...internalUiPaths(port),
      ...openApiDocumentPaths(port),
      ...mfaPaths(port),
      ...quotaPaths(port),
      ...httpSettingsPaths(port.http, port.configuredHeaders),
      ...loggerPaths(port.process),
      ...processPaths(port.process),
      ...(port.rawStorage === undefined ? [] : rawStoragePaths(port.rawStorage)),
      ...keyPaths(port),
      ...leasePaths(port),
      ...lockedUserPaths(port),
      ...wrappingPaths(port),
    ]),
  };
}
