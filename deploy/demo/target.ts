import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  installedHelm,
  kubectlBinary,
  missingPrograms,
  nodeBinaries,
} from '../../test/support/cluster/binaries.ts';
import { attempt, run } from '../../test/support/cluster/command.ts';
import { removeCluster } from '../../test/support/cluster/down.ts';
import { inputsHash, projectImage, projectImageInputs } from '../../test/support/cluster/images.ts';
import { Kubectl } from '../../test/support/cluster/kubectl.ts';
import { startCluster } from '../../test/support/cluster/cluster.ts';
import { find } from '../../test/support/cluster/packages.ts';
import { cacheFolder, projectRoot, stateFolder } from '../../test/support/cluster/paths.ts';
import { type Report, step } from '../../test/support/cluster/progress.ts';
import { namespaces } from './names.ts';
import { withoutDefinitions } from './overlay.ts';

/** The demo's folder: kubeconfig, custodians' keyring, the cluster's own files. */
export const folder: string = stateFolder('demo');

const kindCluster = 'sealedvault-demo';

/** How the demo is to be run. */
export interface DemoOptions {
  /** An existing cluster's kubeconfig; it needs `image`, and may change that cluster. */
  readonly kubeconfig?: string;
  /** An image that the existing cluster can pull. */
  readonly image?: string;
}

/** A cluster to run the demo on. */
export interface Target {
  readonly description: string;
  readonly kubeconfig: string;
  readonly kubectlPath: string;
  readonly kubectl: Kubectl;
  /** A helm on the PATH; the demo does without. */
  readonly helm: string | undefined;
  readonly image: string;
}

type Kind = 'existing' | 'kind' | 'node';

interface State {
  readonly kind: Kind;
  readonly kubeconfig: string;
}

/**
 * Gets a cluster with the project's image in it: the one of a kubeconfig when told so,
 * else kind where a Docker engine runs, else one node on this machine.
 * @param options What the user asked for.
 * @param report Progress lines.
 * @returns The cluster.
 * @throws {Error} When a demo is there already, or no cluster can be had.
 */
export async function openTarget(options: DemoOptions, report: Report): Promise<Target> {
  if (existsSync(join(folder, 'demo.json')))
    throw new Error('a demo is there already: `npm run demo:down` removes it');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (options.kubeconfig !== undefined) {
    if (options.image === undefined)
      throw new Error('with --kubeconfig, --image has to name an image that the cluster can pull');
    return finish(
      'existing',
      `the cluster of ${options.kubeconfig}`,
      options.kubeconfig,
      options.image,
      report,
    );
  }
  if (await dockerRuns()) return kind(report);
  report(expectation());
  // The image waits for downloads while Go compiles.
  const [{ image, archive }] = await Promise.all([projectImage(report), nodeBinaries(report)]);
  const kubeconfig = join(folder, 'cluster', 'control-plane', 'kubeconfig');
  remember('node', kubeconfig);
  const cluster = await startCluster({
    name: 'demo',
    dir: join(folder, 'cluster'),
    lifetime: 'detached',
    report,
  });
  await step(report, 'loading the image into the node', () => cluster.loadImage(archive), '10 s');
  return finish('node', 'one node on this machine (no Docker engine runs here)', kubeconfig, image, report);
}

/**
 * Removes what the demo made.
 * @param report Progress lines.
 * @returns Whether there was a demo.
 * @throws {CommandFailed} When an existing cluster cannot be reached to clean it up.
 */
export async function closeTarget(report: Report): Promise<boolean> {
  const file = join(folder, 'demo.json');
  if (!existsSync(file)) return false;
  const state = JSON.parse(readFileSync(file, 'utf8')) as State;
  switch (state.kind) {
    case 'existing':
      await step(report, 'removing the demo from the cluster', () => uninstall(state.kubeconfig, report));
      break;
    case 'kind':
      await step(report, 'deleting the kind cluster', () =>
        run('kind', ['delete', 'cluster', '--name', kindCluster]),
      );
      break;
    case 'node':
      await step(report, 'removing the one-node cluster', () =>
        removeCluster(join(folder, 'cluster'), report),
      );
      break;
  }
  rmSync(folder, { recursive: true, force: true });
  return true;
}

async function kind(report: Report): Promise<Target> {
  if (find('kind') === undefined)
    throw new Error('a Docker engine runs here, but kind is not installed (https://kind.sigs.k8s.io)');
  const image = `localhost/sealedvault:${inputsHash(projectRoot, projectImageInputs)}`;
  await step(
    report,
    `building image ${image} with Docker`,
    () => run('docker', ['build', '--tag', image, projectRoot]),
    '3 min',
  );
  const kubeconfig = join(folder, 'kubeconfig');
  remember('kind', kubeconfig);
  await step(
    report,
    'creating a kind cluster',
    () =>
      run('kind', ['create', 'cluster', '--name', kindCluster, '--kubeconfig', kubeconfig, '--wait', '120s']),
    '1 min',
  );
  await step(
    report,
    'loading the image into the cluster',
    () => run('kind', ['load', 'docker-image', image, '--name', kindCluster]),
    '30 s',
  );
  return finish('kind', `kind cluster ${kindCluster}`, kubeconfig, image, report);
}

async function finish(
  made: Kind,
  description: string,
  kubeconfig: string,
  image: string,
  report: Report,
): Promise<Target> {
  remember(made, kubeconfig);
  const kubectlPath =
    find('kubectl') !== undefined && made !== 'node' ? 'kubectl' : await kubectlBinary(report);
  return {
    description,
    kubeconfig,
    kubectlPath,
    kubectl: new Kubectl(kubectlPath, kubeconfig),
    helm: await installedHelm(),
    image,
  };
}

async function uninstall(kubeconfig: string, report: Report): Promise<void> {
  const kubectl = new Kubectl(await kubectlBinary(report), kubeconfig);
  // The vault first, while the operator is there to act on the deletion.
  await kubectl.run(['delete', 'namespace', namespaces.vault, '--ignore-not-found', '--timeout=180s']);
  const helm = await installedHelm();
  if (helm !== undefined)
    await attempt(helm, [
      'uninstall',
      'sealedvault',
      '--namespace',
      namespaces.operator,
      '--kubeconfig',
      kubeconfig,
    ]);
  await kubectl.run([
    'delete',
    '--ignore-not-found',
    ...withoutDefinitions().flatMap((file) => ['-f', file]),
  ]);
  await kubectl.run(['delete', 'namespace', namespaces.operator, '--ignore-not-found', '--timeout=180s']);
  report(
    '  the custom resource definitions stay, in case other vaults use them: kubectl delete crd sealedvaults.sealedvault.io recoveryceremonies.sealedvault.io',
  );
}

/** How long all of it takes, by what is there already. */
function expectation(): string {
  const programs = missingPrograms();
  const minutes =
    5 + programs.length + (programs.includes('kube-apiserver') ? 5 : 0) + (imagesAreThere() ? 0 : 4);
  const first = programs.length === 0 ? '' : `: ${programs.length} programs of Kubernetes are built, once`;
  return `• this takes about ${minutes} min on two cores${first}`;
}

function imagesAreThere(): boolean {
  const images = join(cacheFolder(), 'images');
  const hash = inputsHash(projectRoot, projectImageInputs);
  return existsSync(images) && readdirSync(images).some((file) => file.includes(hash));
}

function remember(made: Kind, kubeconfig: string): void {
  const state: State = { kind: made, kubeconfig };
  writeFileSync(join(folder, 'demo.json'), JSON.stringify(state));
}

async function dockerRuns(): Promise<boolean> {
  if (find('docker') === undefined) return false;
  return (await attempt('docker', ['info'], { timeoutMs: 20_000 })).status === 0;
}
