import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOf } from '../../../src/ceremony/canonical.ts';
import { armorMessage } from '../../../src/ceremony/pgp.ts';
import type { JsonObject } from '../../../src/lib/json.ts';
import { TestEngine } from '../../api/support/engine.ts';
import { asOperator, operatorConfig } from '../../api/support/operator.ts';
import { CUSTODIANS, manifestOf, PEOPLE, stored } from '../../support/ceremony-world.ts';
import { tool, type ToolResult } from '../../support/ceremony-tool.ts';
import { type ControlPlane, startControlPlane } from '../../support/cluster/controlplane.ts';
import { Kubectl } from '../../support/cluster/kubectl.ts';
import { projectRoot } from '../../support/cluster/paths.ts';
import { Gnupg } from '../../support/gnupg.ts';

export const NAMESPACE = 'vaults';

/** What the tools made, as far as tests look into it. */
export interface Made {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly spec: Readonly<Record<string, string>>;
}

/**
 * A real API server, a real engine, and people with a real gpg. What the operator would do in between is done by hand, so
 * that the tools are tested by what they put into the cluster and into the vault.
 */
export class ToolsBench {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'sealedvault-tools-'));
  readonly gnupg: Gnupg = new Gnupg();
  readonly plane: ControlPlane;
  readonly kubectl: Kubectl;
  readonly engine: TestEngine;
  readonly authority: string;
  /** Everything that the tools said. */
  readonly said: string[] = [];

  private constructor(plane: ControlPlane, engine: TestEngine, authority: string) {
    this.plane = plane;
    this.kubectl = new Kubectl(plane.kubectl, plane.kubeconfigPath);
    this.engine = engine;
    this.authority = authority;
  }

  static async start(): Promise<ToolsBench> {
    const dir = mkdtempSync(join(tmpdir(), 'sealedvault-plane-'));
    const config = mkdtempSync(join(tmpdir(), 'sealedvault-engine-'));
    const engine = await TestEngine.start(operatorConfig(config));
    const plane = await startControlPlane({ dir, report: () => undefined });
    const bench = new ToolsBench(plane, engine, join(config, 'ca'));
    const crds = join(projectRoot, 'crds');
    await bench.kubectl.run(['apply', '-f', crds]);
    if (!readdirSync(crds).some((file) => file.includes('sharereceipts'))) await bench.kubectl.apply(loose());
    await bench.kubectl.run(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s']);
    await bench.kubectl.run(['create', 'namespace', NAMESPACE]);
    for (const name of PEOPLE) bench.gnupg.generate(name);
    return bench;
  }

  /** Runs a verb as an administrator with everybody's keys. */
  async tool(args: readonly string[], input?: string): Promise<ToolResult> {
    const own = args.includes('--kubeconfig') ? [] : ['--kubeconfig', this.plane.kubeconfigPath];
    const result = await tool([...args, ...own], {
      env: {
        GNUPGHOME: this.gnupg.home,
        VAULT_ADDR: `https://${this.engine.addresses[1]}`,
        VAULT_CACERT: this.authority,
      },
      ...(input === undefined ? {} : { input }),
    });
    this.said.push(result.out, result.err);
    return result;
  }

  /** Initializes the vault with a share for each custodian, delivered. @returns the shares in hex, by name */
  async initialize(): Promise<Record<string, string>> {
    const { status, body } = await this.operator('PUT', 'sys/init', {
      recovery_shares: 2,
      recovery_threshold: 2,
      recovery_pgp_keys: CUSTODIANS.map((name) => this.gnupg.publicKey(name)),
      recovery_custodians: CUSTODIANS,
      omit_root_token: true,
      ceremony_id: 'first',
    });
    if (status !== 200) throw new Error(`init answered ${status}`);
    const shares: Record<string, string> = {};
    for (const [index, name] of CUSTODIANS.entries()) {
      const message: string = body.recovery_keys_base64[index];
      await this.secret(`first-share-${name}`, 'share.asc', message);
      shares[name] = this.gnupg.decrypt(Buffer.from(message, 'base64')).trim();
    }
    return shares;
  }

  operator(method: string, path: string, body?: object): ReturnType<typeof asOperator> {
    return asOperator(this.engine.addresses[1] ?? '', method, path, body);
  }

  /** Makes a RecoveryCeremony of the custodians, with its frozen plan and its status. */
  async ceremony(name: string, more: JsonObject = {}): Promise<JsonObject> {
    const keys = (names: readonly string[]): object[] =>
      names.map((each) => ({ name: each, publicKey: this.gnupg.publicKey(each) }));
    await this.apply({
      apiVersion: 'sealedvault.io/v1alpha1',
      kind: 'RecoveryCeremony',
      metadata: { name, namespace: NAMESPACE },
      spec: {
        vaultRef: { name: 'demo' },
        type: 'RotateRecovery',
        threshold: 2,
        custodians: keys(CUSTODIANS),
        people: keys(['eve', 'wendy']),
        approvals: { approvers: ['eve'], required: 1 },
        witnesses: { names: ['wendy'], required: 1 },
      },
    });
    const made = await this.kubectl.get<Made>(NAMESPACE, `recoveryceremony/${name}`);
    const ceremony = { namespace: NAMESPACE, name, uid: made?.metadata.uid ?? '' };
    const manifest = manifestOf(this.gnupg, { ceremony, ...more });
    await this.configMap(`${name}-manifest`, { 'manifest.json': stored(manifest) });
    await this.status(name, { phase: 'Collecting', manifestDigest: digestOf(manifest) });
    return manifest;
  }

  async configMap(name: string, data: object): Promise<void> {
    await this.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: NAMESPACE }, data });
  }

  /** What the operator makes of an encrypted message. */
  async secret(name: string, key: string, base64: string): Promise<void> {
    const message = armorMessage(Buffer.from(base64, 'base64'));
    const data = { [key]: Buffer.from(message).toString('base64') };
    await this.apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: NAMESPACE }, data });
  }

  async status(name: string, status: object): Promise<void> {
    const what = ['--namespace', NAMESPACE, 'patch', 'recoveryceremony', name, '--subresource=status'];
    await this.kubectl.run([...what, '--type=merge', '--patch', JSON.stringify({ status })]);
  }

  async apply(object: object): Promise<void> {
    await this.kubectl.run(['apply', '--filename', '-'], JSON.stringify(object));
  }

  async made(plural: string, name: string): Promise<Made> {
    const found = await this.kubectl.get<Made>(NAMESPACE, `${plural}/${name}`);
    if (found === undefined) throw new Error(`there is no ${plural}/${name}`);
    return found;
  }

  async close(): Promise<void> {
    this.gnupg.close();
    await this.engine.stop();
    await this.plane.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** The kinds without their schemas. */
function loose(): never[] {
  const kind = (plural: string, name: string): object => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.sealedvault.io` },
    spec: {
      group: 'sealedvault.io',
      scope: 'Namespaced',
      names: { plural, singular: name.toLowerCase(), kind: name },
      versions: [
        {
          name: 'v1alpha1',
          served: true,
          storage: true,
          subresources: { status: {} },
          schema: {
            openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
          },
        },
      ],
    },
  });
  return [
    kind('recoveryceremonies', 'RecoveryCeremony'),
    kind('ceremonyapprovals', 'CeremonyApproval'),
    kind('sharereceipts', 'ShareReceipt'),
  ] as never[];
}
