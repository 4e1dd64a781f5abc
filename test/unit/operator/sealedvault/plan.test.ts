import { describe, expect, test } from 'vitest';
import { parseEngineConfig } from '../../../../src/engine/config.ts';
import { parsePkcs11Config } from '../../../../src/engine/seal/pkcs11/config.ts';
import type { SealedVault } from '../../../../src/operator/sealedvault/kind.ts';
import { PIN_REVISION } from '../../../../src/operator/sealedvault/names.ts';
import { outdated } from '../../../../src/operator/sealedvault/renewal.ts';
import type { HsmSpec } from '../../../../src/operator/sealedvault/spec.ts';
import type { Observed } from '../../../../src/operator/sealedvault/sealedvault.ts';
import { type Plan, plan } from '../../../../src/operator/sealedvault/plan.ts';
import type { StatefulSet } from '../../../../src/operator/sealedvault/resources/statefulset.ts';
import { healthy, podWith, sampleVault } from './samples.ts';

const NOW = Date.parse('2026-06-01T00:00:00Z');
const settings = { image: 'image', operatorNamespace: 'operator' };
const planned = (
  vault: SealedVault,
  observed: Observed = healthy({ seal: { inForce: vault.spec.hsm } }),
): Plan => plan(vault, observed, NOW, settings);

interface Container {
  name: string;
  args?: string[];
  env?: { name: string; value?: string; valueFrom?: { secretKeyRef?: object } }[];
  volumeMounts: { name: string }[];
  securityContext: object;
}
interface Template {
  metadata: { annotations: Record<string, string> };
  spec: { initContainers: Container[]; containers: Container[]; volumes: { name: string }[] };
}

const find = (made: Plan, kind: string, name?: string): Record<string, unknown> => {
  const found = made.objects.find(
    ([type, { metadata }]) => type.kind === kind && (name ?? metadata.name) === metadata.name,
  );
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return found[1] as unknown as Record<string, unknown>;
};
const template = (made: Plan): Template =>
  (find(made, 'StatefulSet')['spec'] as { template: Template }).template;
const configOf = (made: Plan): Record<string, string> =>
  find(made, 'ConfigMap', 'demo-config')['data'] as Record<string, string>;

interface Rendered {
  readonly engine: { readonly kms_library?: { readonly pkcs11: object } };
  readonly agent: { readonly managed_keys?: boolean } | undefined;
}

describe('the plan', () => {
  test('is the same for the same world, and its own result needs no other status', () => {
    const vault = sampleVault();
    const first = planned(vault);
    expect(planned(vault)).toEqual(first);
    const after = { ...vault, status: first.status };
    expect(plan(after, healthy(), NOW + 60_000, settings).status).toEqual(first.status);
  });

  test('has every object with the vault as its controlling owner', () => {
    const made = planned(sampleVault());
    expect(made.objects.map(([, { kind, metadata }]) => `${kind} ${metadata.name}`)).toEqual([
      'ServiceAccount demo',
      'ConfigMap demo-config',
      'ConfigMap demo-ca',
      'Service demo-headless',
      'Service demo-active',
      'Service demo-ceremony',
      'NetworkPolicy demo',
      'PodDisruptionBudget demo',
      'StatefulSet demo',
    ]);
    for (const [, { metadata }] of made.objects)
      expect(metadata.ownerReferences).toEqual([
        expect.objectContaining({ uid: 'vault-uid', controller: true }),
      ]);
  });

  test('gives slot and PIN to the agent alone, by reference', () => {
    const { spec } = template(planned(sampleVault()));
    const agent = spec.initContainers.find(({ name }) => name === 'hsm-agent');
    expect(agent?.env?.filter(({ valueFrom }) => valueFrom !== undefined)).toEqual([
      { name: 'VAULT_HSM_SLOT', valueFrom: { secretKeyRef: { name: 'hsm', key: 'slot' } } },
      { name: 'VAULT_HSM_PIN', valueFrom: { secretKeyRef: { name: 'hsm', key: 'pin' } } },
    ]);
    expect(spec.containers.map(({ name, env }) => [name, env])).toEqual([['engine', undefined]]);
    const mounted = spec.containers.flatMap(({ volumeMounts }) => volumeMounts.map(({ name }) => name));
    expect(mounted.filter((name) => name.startsWith('hsm-'))).toEqual([]);
  });

  test('with placement Engine has no agent and keeps the same keys in the seal stanza', () => {
    const vault = sampleVault((spec) => ((spec['hsm'] as Record<string, unknown>)['placement'] = 'Engine'));
    const made = planned(vault);
    const { spec } = template(made);
    expect(spec.initContainers).toEqual([]);
    expect(spec.containers[0]?.env?.map(({ name }) => name)).toEqual([
      'VAULT_HSM_SLOT',
      'VAULT_HSM_PIN',
      'SOFTHSM2_CONF',
    ]);
    expect(configOf(made)['agent.json']).toBeUndefined();
    const { config, warnings } = parseEngineConfig(configOf(made)['engine.json'] ?? '', {});
    expect(warnings).toEqual([]);
    expect(config.seal.stanza).toMatchObject({
      lib: '/usr/lib/softhsm/libsofthsm2.so',
      key_label: 'demo-root',
      generate_key: 'true',
    });
  });

  test('renders configuration that engine and agent read without a warning', () => {
    const vault = sampleVault((spec) => {
      spec['audit'] = [
        { stdout: {} },
        { file: { path: '/vault/audit/a.log' } },
        { file: { path: '/vault/audit/b.log' } },
      ];
    });
    const data = configOf(planned(vault));
    const { config, warnings } = parseEngineConfig(data['engine.json'] ?? '', {});
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({
      listeners: [{ host: '::', port: 8200, tls: { clientCaFile: '/etc/sealedvault/tls/ca.crt' } }],
      storage: { type: 'lmdb', path: '/vault/data' },
      requirePgpShares: true,
      initClientName: 'sealedvault-operator',
      apiAddress: 'https://demo-active.vaults.svc:8200',
    });
    expect(config.audit.map(({ type, path }) => [type, path])).toEqual([
      ['stdout', 'stdout/'],
      ['file', 'file/'],
      ['file', 'file-2/'],
    ]);
    const engine = parsePkcs11Config(config.seal.stanza, {});
    expect(engine).toEqual({
      config: { kind: 'agent', socketPath: '/run/hsm/private/agent.sock' },
      warnings: [],
    });
    const agent = JSON.parse(data['agent.json'] ?? '') as {
      seal: { pkcs11: Record<string, string | boolean> };
    };
    const stanza = Object.fromEntries(
      Object.entries(agent.seal.pkcs11).map(([name, value]) => [name, String(value)]),
    );
    const { config: module, warnings: more } = parsePkcs11Config(stanza, {
      VAULT_HSM_SLOT: '5',
      VAULT_HSM_PIN: 'x',
    });
    expect(more).toEqual([]);
    expect(module).toMatchObject({ kind: 'module', slot: 5n, keyLabel: 'demo-root', generateKey: true });
  });

  test('rolls pods for a changed configuration, and for a changed PIN only where no agent can read it', () => {
    const annotations = (observed: Observed, vault = sampleVault()): Record<string, string> =>
      template(planned(vault, observed)).metadata.annotations;
    const before = annotations(healthy());
    expect(before['sealedvault.io/pin-revision']).toBe('uid/7');
    expect(
      annotations(healthy({ credentials: { state: 'found', revision: 'uid/8' } }))[
        'sealedvault.io/pin-revision'
      ],
    ).toBe('uid/8');
    const live = find(planned(sampleVault()), 'StatefulSet') as unknown as StatefulSet;
    for (const credentials of [
      { state: 'unreadable' },
      { state: 'missing', names: ['hsm'] },
      { state: 'unknown' },
    ] as const)
      expect(annotations(healthy({ credentials, statefulSet: live }))).toEqual(before);
    const louder = annotations(
      healthy(),
      sampleVault((spec) => (spec['logLevel'] = 'debug')),
    );
    expect(louder['sealedvault.io/config-revision']).not.toBe(before['sealedvault.io/config-revision']);
    const changed = { state: 'found', revision: 'uid/8' } as const;
    expect(annotations(healthy({ credentials: changed, statefulSet: live }))).toEqual(before);
    // With pods that are replaced anyway, the newest PIN is the one that they begin with.
    const both = annotations(
      healthy({ credentials: changed, statefulSet: live }),
      sampleVault((spec) => (spec['logLevel'] = 'debug')),
    );
    expect(both[PIN_REVISION]).toBe('uid/8');
    const alone = sampleVault((spec) => Object.assign(spec['hsm'] as object, { placement: 'Engine' }));
    const seal = { inForce: alone.spec.hsm };
    const running = find(planned(alone), 'StatefulSet') as unknown as StatefulSet;
    const rolled = healthy({ credentials: changed, statefulSet: running, seal });
    expect(annotations(rolled, alone)[PIN_REVISION]).toBe('uid/8');
  });

  test('an agent of its own is started anew for a changed PIN, when its engine answers', () => {
    const of = (revision: string, engine: object | undefined = {}): Observed['pods'][number] => {
      const { pod, engine: said } = podWith(engine);
      return {
        pod: { ...pod, metadata: { ...pod.metadata, annotations: { [PIN_REVISION]: revision } } },
        engine: said,
      };
    };
    const names = (change: Partial<Observed>): readonly (string | undefined)[] =>
      outdated(healthy(change)).map(({ metadata }) => metadata.annotations?.[PIN_REVISION]);
    expect(names({ pods: [of('uid/6'), of('uid/7')] })).toEqual(['uid/6']);
    expect(names({ pods: [{ ...of('uid/6'), engine: undefined }] })).toEqual([]);
    expect(names({ pods: [of('uid/6')], credentials: { state: 'unknown' } })).toEqual([]);
    const inForce: HsmSpec = { ...sampleVault().spec.hsm, placement: 'Engine' };
    expect(names({ pods: [of('uid/6')], seal: { inForce } })).toEqual([]);
  });

  test('labels pods by what engines say, and leaves a silent one as it is', () => {
    const wanted = { 'sealedvault.io/active': 'true', 'vault-sealed': 'false', 'vault-version': '0.1.0' };
    expect(planned(sampleVault()).labels[0]?.labels).toMatchObject(wanted);
    const labelled = planned(sampleVault()).labels[0]?.labels ?? {};
    expect(planned(sampleVault(), healthy({ pods: [podWith({}, labelled)] })).labels).toEqual([]);
    expect(planned(sampleVault(), healthy({ pods: [podWith(undefined, labelled)] })).labels).toEqual([]);
  });

  test('offers the library of its HSM to managed keys, when it is told to', () => {
    const of = (change: object): Rendered => {
      const vault = sampleVault((spec) => Object.assign(spec['hsm'] as object, change));
      const config = configOf(planned(vault));
      return {
        engine: JSON.parse(config['engine.json'] ?? '{}'),
        agent: config['agent.json'] === undefined ? undefined : JSON.parse(config['agent.json']),
      };
    };
    const off = of({});
    expect([off.engine.kms_library, off.agent?.managed_keys]).toEqual([undefined, undefined]);
    const on = of({ managedKeys: true });
    const address = 'unix:///run/hsm/private/agent.sock';
    expect(on.engine.kms_library).toEqual({ pkcs11: { name: 'hsm', agent_address: address } });
    expect(on.agent?.managed_keys).toBe(true);
    const alone = of({ managedKeys: true, placement: 'Engine' });
    expect(alone.engine.kms_library?.pkcs11).toEqual({
      name: 'hsm',
      library: '/usr/lib/softhsm/libsofthsm2.so',
      library_env: 'SOFTHSM2_CONF',
    });
    for (const { engine } of [on, alone])
      expect(parseEngineConfig(JSON.stringify(engine), {}).config.kmsLibraries).toHaveLength(1);
  });

  test('has two HSMs beside each other while a ceremony goes on, each with what is its own', () => {
    const from = (image: string): object => ({
      path: '/hsm/library/libp11.so',
      sha256: 'a'.repeat(64),
      env: [{ name: 'CONF', value: image }],
      from: { initContainer: { image, command: ['copy'] } },
    });
    const vault = sampleVault((spec) => {
      Object.assign(spec['hsm'] as object, {
        library: from('old'),
        placement: 'Engine',
        network: [{ cidr: '10.0.0.1/32' }],
      });
    });
    const { hsm } = sampleVault((spec) => {
      Object.assign(spec['hsm'] as object, {
        name: 'next',
        library: from('new'),
        placement: 'Engine',
        pinFrom: { secretKeyRef: { name: 'other', key: 'pin' } },
        network: [{ cidr: '10.0.0.2/32' }],
      });
    }).spec;
    const seal = { inForce: vault.spec.hsm, next: { hsm, ceremony: 'uid' } };
    const made = planned(vault, healthy({ seal }));
    const { spec } = template(made);
    expect(spec.initContainers.map(({ name }) => name)).toEqual([
      'library',
      'library-digest',
      'next-library',
      'next-library-digest',
      'next-hsm-agent',
    ]);
    const names = spec.volumes.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const secretsOf = (container: Container | undefined): unknown =>
      JSON.stringify(container?.env?.map(({ valueFrom }) => valueFrom?.secretKeyRef));
    expect(secretsOf(spec.containers[0])).toContain('"hsm"');
    expect(secretsOf(spec.containers[0])).not.toContain('"other"');
    expect(secretsOf(spec.initContainers[4])).toContain('"other"');
    expect(JSON.stringify(find(made, 'NetworkPolicy')['spec'])).toMatch(/10\.0\.0\.1.*10\.0\.0\.2/);
    const { config } = parseEngineConfig(configOf(made)['engine.json'] ?? '', {});
    expect([config.migrateByCeremony, config.seal.name, config.migrateFrom?.name]).toEqual([
      true,
      'next',
      'in-force',
    ]);
    // One claim is one volume, whoever mounts it.
    const claims = spec.volumes.flatMap((each) => JSON.stringify(each).match(/"claimName":"[^"]+"/g) ?? []);
    expect(claims).toEqual(['"claimName":"softhsm-tokens"']);
    const mount = { name: 'hsm-tokens', mountPath: '/var/lib/hsm' };
    expect(spec.containers[0]?.volumeMounts).toContainEqual(mount);
    expect(spec.initContainers[4]?.volumeMounts).toContainEqual(mount);
    const waiting = planned(vault, healthy({ seal, credentials: { state: 'missing', names: ['other'] } }));
    expect(template(waiting).spec.initContainers).toHaveLength(2);
  });

  test('checks a digest before the library is loaded, from where the library comes', () => {
    const vault = sampleVault((spec) => {
      const hsm = spec['hsm'] as { library: Record<string, unknown> };
      hsm.library['sha256'] = 'ab'.repeat(32);
      hsm.library['from'] = { image: { reference: 'vendor/library:1' } };
    });
    const { spec } = template(planned(vault));
    expect(spec.initContainers.map(({ name }) => name)).toEqual(['library-digest', 'hsm-agent']);
    expect(spec.volumes).toContainEqual({
      name: 'library',
      image: { reference: 'vendor/library:1', pullPolicy: 'IfNotPresent' },
    });
  });
});

describe('the status', () => {
  const phase = (observed: Partial<Observed>, change?: (spec: Record<string, unknown>) => void): string =>
    `${planned(sampleVault(change), healthy(observed)).status.phase}`;
  const condition = (observed: Partial<Observed>, type: string): object | undefined =>
    planned(sampleVault(), healthy(observed)).status.conditions?.find((each) => each.type === type);

  test('has a phase for every state', () => {
    expect(phase({})).toBe('Ready');
    expect(phase({ pods: [] })).toBe('Pending');
    expect(phase({ pods: [podWith(undefined)] })).toBe('Pending');
    expect(phase({ pods: [podWith({ initialized: false, sealed: true })] })).toBe('Uninitialized');
    expect(phase({ pods: [podWith({ sealed: true })] })).toBe('Sealed');
    expect(phase({ credentials: { state: 'missing', names: ['hsm'] } })).toBe('Degraded');
    expect(phase({}, (spec) => (spec['replicas'] = 0))).toBe('Pending');
  });

  test('says what the engine says of the HSM', () => {
    const pods = [
      podWith({ sealed: true, warnings: ['the PIN is wrong: put the right one into the Secret'] }),
    ];
    expect(condition({ pods }, 'HSMReachable')).toMatchObject({ status: 'False', reason: 'HSMFailing' });
    expect(condition({ pods }, 'Ready')).toMatchObject({
      status: 'False',
      message: expect.stringContaining('The PIN is wrong'),
    });
  });

  test('gives the commands for a missing permission', () => {
    expect(condition({ credentials: { state: 'unreadable' } }, 'CredentialsAvailable')).toMatchObject({
      reason: 'SecretsNotReadable',
      message: expect.stringContaining('kubectl create rolebinding sealedvault-secrets --namespace vaults'),
    });
  });

  test('never unlearns that the vault is initialized', () => {
    const vault = { ...sampleVault(), status: { initialized: true } };
    const status = plan(vault, healthy({ pods: [podWith(undefined)] }), NOW, settings).status;
    expect(status.initialized).toBe(true);
    expect(status.phase).toBe('Degraded');
  });

  test('moves the time of a transition only with the status', () => {
    const first = planned(sampleVault()).status;
    const sealed = healthy({ pods: [podWith({ sealed: true })] });
    const second = plan({ ...sampleVault(), status: first }, sealed, NOW + 5_000, settings).status;
    const at = (status: typeof first, type: string): string | undefined =>
      status.conditions?.find((each) => each.type === type)?.lastTransitionTime;
    expect(at(second, 'Ready')).not.toBe(at(first, 'Ready'));
    expect(at(second, 'TLSReady')).toBe(at(first, 'TLSReady'));
  });
});
