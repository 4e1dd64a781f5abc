import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubernetesObject } from '../../test/support/cluster/api.ts';
import type { Kubectl } from '../../test/support/cluster/kubectl.ts';
import { type Report, step } from '../../test/support/cluster/progress.ts';
import { openVault } from './client.ts';
import type { Custodians } from './custodians.ts';
import { done, inNamespace, names, namespaces } from './names.ts';
import { giveByPage, hasBrowser } from './page.ts';
import { answerKeyTest, ceremony, type Desk } from './person.ts';
import { rootToken as encryptedRootToken, share } from './results.ts';
import { ceremonySample } from './samples.ts';
import { waitForPhase, waitForStatus } from './wait.ts';

/** What the ceremonies of the demo need. */
export interface Life {
  readonly kubectl: Kubectl;
  readonly custodians: Custodians;
  readonly kubeconfig: string;
  readonly gnupgHome: string;
  /** Where reports and the authority's certificate go. */
  readonly folder: string;
  readonly report: Report;
}

const namespace = ['--namespace', namespaces.vault];

/**
 * Plays what comes after the first ceremony: a drill, a lost share, new shares for new custodians, a root token for a
 * named person and its revocation, and the evidence, verified without a network.
 * @param life The cluster and the people.
 * @throws {Error} When a step does not come to its end.
 */
export async function playCeremonies(life: Life): Promise<void> {
  const { kubectl, report } = life;
  const { forward, desk } = await sitDown(life);
  try {
    await step(report, 'drill: every custodian proves their share, none leaves home', () =>
      drill(life, desk),
    );
    await step(report, 'edith reports that her share is lost', () => loss(life, desk));
    await step(
      report,
      'new shares for ada, grace and joan: approved, keys tested, given, proved, witnessed',
      () => rotate(life, desk),
    );
    await step(report, 'a root token for chief: ada gives her share by command, grace on the page', () =>
      rootToken(life, desk),
    );
    await step(report, 'chief uses the token and revokes it', () => revoke(life));
    await step(report, 'the evidence, verified without a network', () => evidence(life, desk));
  } finally {
    forward.stop();
  }
  const vault = await kubectl.get<{ status?: { conditions?: { type: string; message?: string }[] } }>(
    namespaces.vault,
    `sealedvault/${names.vault}`,
  );
  const ready = vault?.status?.conditions?.find(({ type }) => type === 'RecoveryReady');
  report(`    ${ready?.message ?? 'RecoveryReady is not known'}`);
}

/**
 * Sits down at a person's computer.
 * @param life The cluster and the people.
 * @returns The computer, and the connection that has to be stopped.
 */
export async function sitDown({
  kubectl,
  kubeconfig,
  gnupgHome,
  folder,
}: Life): Promise<{ readonly forward: { stop(): void }; readonly desk: Desk }> {
  const authority = await kubectl.get<{ data?: Record<string, string> }>(
    namespaces.vault,
    `configmap/${names.vault}-ca`,
  );
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, 'vault-ca.crt');
  writeFileSync(file, authority?.data?.['ca.crt'] ?? '');
  const { forward } = await openVault(kubectl);
  const servername = `${names.vault}-active.${namespaces.vault}.svc`;
  const desk = {
    gnupgHome,
    kubeconfig,
    port: forward.port,
    authority: file,
    servername,
    namespace: namespaces.vault,
  };
  return { forward, desk };
}

/**
 * Applies a ceremony of the samples and waits for its first phase.
 * @param life The cluster and the people.
 * @param name Of the sample.
 * @param phase What is waited for.
 */
export async function begin({ kubectl, report }: Life, name: string, phase: string): Promise<void> {
  const object = ceremonySample(name);
  await kubectl.apply([inNamespace(withoutUsers(object))]);
  await waitForPhase(kubectl, `recoveryceremony/${name}`, phase, 120_000, (line) => report(`    ${line}`));
}

// On the demo's cluster everybody is its one user.
function withoutUsers(object: KubernetesObject): KubernetesObject {
  const text = JSON.stringify(object, (key, value: unknown) => (key === 'username' ? undefined : value));
  return JSON.parse(text) as KubernetesObject;
}

const complete = ({ kubectl, report }: Life, name: string): Promise<unknown> =>
  waitForPhase(kubectl, `recoveryceremony/${name}`, done.ceremony, 120_000, (line) => report(`    ${line}`));

async function drill(life: Life, desk: Desk): Promise<void> {
  await begin(life, 'demo-drill', 'Drilling');
  for (const who of ['ada', 'grace', 'edith'])
    await ceremony(desk, [
      'drill',
      'demo-drill',
      '--as',
      who,
      '--from',
      names.ceremony,
      '--yes',
      ...namespace,
    ]);
  await complete(life, 'demo-drill');
}

async function loss({ kubectl, report }: Life, desk: Desk): Promise<void> {
  const lost = ['--as', 'edith', '--storage', 'lost', '--yes'];
  await ceremony(desk, ['receipt', names.ceremony, ...lost, ...namespace]);
  const margin = await waitForStatus<{ recovery?: { margin?: number } }>(
    kubectl,
    `sealedvault/${names.vault}`,
    ({ recovery }) => recovery?.margin === 0,
  );
  report(`    shares beyond the threshold: ${margin.recovery?.margin}`);
}

async function rotate(life: Life, desk: Desk): Promise<void> {
  const name = 'demo-rotate';
  await begin(life, name, 'AwaitingApproval');
  await ceremony(desk, ['approve', name, '--as', 'boss', '--yes', ...namespace]);
  await answerKeyTest(life, name, ['ada', 'grace', 'joan']);
  await waitForPhase(life.kubectl, `recoveryceremony/${name}`, 'Collecting', 120_000);
  for (const who of ['ada', 'grace'])
    await ceremony(desk, ['submit', name, '--as', who, '--from', names.ceremony, '--yes', ...namespace]);
  await waitForPhase(life.kubectl, `recoveryceremony/${name}`, 'Proving', 120_000);
  for (const who of ['ada', 'grace', 'joan']) {
    const storage = ['--storage', `safe of ${who}`];
    await ceremony(desk, ['receipt', name, '--as', who, ...storage, '--yes', ...namespace]);
  }
  await waitForPhase(life.kubectl, `recoveryceremony/${name}`, 'AwaitingWitness', 120_000);
  await ceremony(desk, ['witness', name, '--as', 'wit', '--yes', ...namespace]);
  await complete(life, name);
}

async function rootToken(life: Life, desk: Desk): Promise<void> {
  const { kubectl, custodians, report } = life;
  const name = 'demo-root';
  await begin(life, name, 'AwaitingApproval');
  await ceremony(desk, ['approve', name, '--as', 'boss', '--yes', ...namespace]);
  await waitForPhase(kubectl, `recoveryceremony/${name}`, 'Collecting', 120_000);
  await ceremony(desk, ['submit', name, '--as', 'ada', '--from', 'demo-rotate', '--yes', ...namespace]);
  if (await hasBrowser(report)) {
    const message = await share(kubectl, 'grace', 'demo-rotate');
    const key = await custodians.secretKey('grace');
    const picture = join(life.folder, 'ceremony-page.png');
    await giveByPage({ port: desk.port, message, key, picture });
    report(`    the page as grace saw it: ${picture}`);
  } else {
    report('    no Chromium can be had here: grace gives her share by command, too');
    await ceremony(desk, ['submit', name, '--as', 'grace', '--from', 'demo-rotate', '--yes', ...namespace]);
  }
  await complete(life, name);
}

async function revoke({ kubectl, custodians }: Life): Promise<void> {
  const token = (await custodians.decrypt(await encryptedRootToken(kubectl, 'demo-root'))).trim();
  const { client, forward } = await openVault(kubectl, { token });
  try {
    await client.read('sys/mounts');
    await client.tokenRevokeSelf();
  } finally {
    forward.stop();
  }
  await waitForStatus<{ rootToken?: { state?: string } }>(
    kubectl,
    'recoveryceremony/demo-root',
    ({ rootToken: seen }) => seen?.state === 'revoked',
  );
}

async function evidence({ folder, report }: Life, desk: Desk): Promise<void> {
  const base = join(folder, 'demo-rotate-report');
  for (const end of ['json', 'html']) rmSync(`${base}.${end}`, { force: true });
  await ceremony(desk, ['report', 'demo-rotate', '--out', base, ...namespace]);
  // Nothing of the cluster is needed for this.
  const nowhere = { ...desk, kubeconfig: '/nonexistent', port: 1 };
  const said = await ceremony(nowhere, ['verify', `${base}.json`]);
  for (const line of said.split('\n').filter((each) => each.startsWith('Right:'))) report(`    ${line}`);
  report(`    to print and file: ${base}.html`);
}
