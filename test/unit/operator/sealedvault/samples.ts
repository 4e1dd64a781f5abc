import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { SealedVault } from '../../../../src/operator/sealedvault/kind.ts';
import type { Observed } from '../../../../src/operator/sealedvault/sealedvault.ts';
import type { EngineState, Pod } from '../../../../src/operator/sealedvault/pods.ts';
import { sealedVaultSpec } from '../../../../src/operator/sealedvault/schema.ts';

const root = join(import.meta.dirname, '..', '..', '..', '..');

/** The published sample, with the defaults that the API server puts in. */
export function sampleVault(change: (spec: Record<string, unknown>) => void = () => {}): SealedVault {
  const sample = parse(readFileSync(join(root, 'deploy', 'samples', 'sealedvault.yaml'), 'utf8')) as {
    spec: Record<string, unknown>;
  };
  change(sample.spec);
  return {
    apiVersion: 'sealedvault.io/v1alpha1',
    kind: 'SealedVault',
    metadata: { name: 'demo', namespace: 'vaults', uid: 'vault-uid', generation: 3 },
    spec: sealedVaultSpec.parse(sample.spec),
  };
}

/** A pod whose engine says something of itself, or nothing. */
export function podWith(
  engine: Partial<EngineState> | undefined,
  labels: Record<string, string> = {},
): Observed['pods'][number] {
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'demo-0', namespace: 'vaults', uid: 'pod-uid', labels },
    status: { podIP: '10.0.0.1' },
  };
  const whole = {
    initialized: true,
    sealed: false,
    standby: false,
    version: '0.1.0',
    sealType: 'pkcs11',
    warnings: [],
    seal: {
      healthy: true,
      configured: true,
      fullyWrapped: true,
      breakGlass: false,
      restartKnown: true,
      restartFailure: undefined,
      key: { strong: true, warnings: [] },
    },
  };
  return { pod, engine: engine === undefined ? undefined : { ...whole, ...engine } };
}

/** A vault that serves. */
export function healthy(change: Partial<Observed> = {}): Observed {
  return {
    statefulSet: undefined,
    pods: [podWith({})],
    credentials: { state: 'found', revision: 'uid/7' },
    tls: {
      ok: true,
      serverAuthority: 'server authority',
      clientAuthority: 'client authority',
      client: { certificate: 'certificate', key: 'key' },
      certificateExpires: new Date('2027-01-01T00:00:00Z'),
      authorityExpires: new Date('2036-01-01T00:00:00Z'),
    },
    seal: { inForce: sampleVault().spec.hsm },
    ...change,
  };
}
