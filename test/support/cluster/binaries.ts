import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.ts';
import { buildGoProgram, type GoProgram } from './gomodules.ts';
import { withLock } from './lock.ts';
import { ensurePrograms, find } from './packages.ts';
import { cacheFolder } from './paths.ts';
import { type Report, step } from './progress.ts';

/** The newest line whose kubelet still runs on cgroup v1 without further flags. */
export const kubernetesVersion = 'v1.34.4';

const helmVersion = 'v4.3.1';

const programs = [
  'kube-apiserver',
  'kubectl',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
] as const;

/** A program of Kubernetes that the harness builds. */
export type KubernetesProgram = (typeof programs)[number];

const stagingModules =
  'api apiextensions-apiserver apimachinery apiserver cli-runtime client-go cloud-provider cluster-bootstrap code-generator component-base ' +
  'component-helpers controller-manager cri-api cri-client csi-translation-lib dynamic-resource-allocation endpointslice externaljwt kms ' +
  'kube-aggregator kube-controller-manager kube-proxy kube-scheduler kubectl kubelet metrics mount-utils pod-security-admission sample-apiserver';

/** What an API server needs. */
export interface ControlPlaneBinaries {
  readonly etcd: string;
  readonly apiserver: string;
  readonly kubectl: string;
}

/** What a node needs besides. */
export interface NodeBinaries extends ControlPlaneBinaries {
  readonly controllerManager: string;
  readonly scheduler: string;
  readonly kubelet: string;
  readonly kubeProxy: string;
}

/**
 * Finds what an API server needs: the folder named by KUBEBUILDER_ASSETS, else the cache, else a build from Go modules.
 * @param report Told which one is taken and how long it takes.
 * @returns Full paths.
 * @throws {Error} When KUBEBUILDER_ASSETS names a folder without them, or the build fails.
 */
export async function controlPlaneBinaries(report: Report): Promise<ControlPlaneBinaries> {
  const assets = process.env['KUBEBUILDER_ASSETS'];
  if (assets !== undefined && assets !== '') {
    const found = {
      etcd: join(assets, 'etcd'),
      apiserver: join(assets, 'kube-apiserver'),
      kubectl: join(assets, 'kubectl'),
    };
    const missing = Object.values(found).filter((file) => !existsSync(file));
    if (missing.length > 0)
      throw new Error(`KUBEBUILDER_ASSETS is set, but these are missing: ${missing.join(', ')}`);
    report(`• control plane: ${assets} (KUBEBUILDER_ASSETS)`);
    return found;
  }
  const [apiserver, kubectl] = await Promise.all([
    kubernetesProgram('kube-apiserver', report),
    kubernetesProgram('kubectl', report),
  ]);
  return { etcd: await etcd(report), apiserver, kubectl };
}

/**
 * Finds what a whole one-node cluster needs, one version throughout: the cache, else a build from Go modules.
 * @param report Told which one is taken and how long it takes.
 * @returns Full paths.
 * @throws {Error} When the build fails.
 */
export async function nodeBinaries(report: Report): Promise<NodeBinaries> {
  const paths = new Map<KubernetesProgram, string>();
  for (const program of programs) paths.set(program, await kubernetesProgram(program, report));
  const path = (program: KubernetesProgram): string => paths.get(program) ?? '';
  return {
    etcd: await etcd(report),
    apiserver: path('kube-apiserver'),
    kubectl: path('kubectl'),
    controllerManager: path('kube-controller-manager'),
    scheduler: path('kube-scheduler'),
    kubelet: path('kubelet'),
    kubeProxy: path('kube-proxy'),
  };
}

/**
 * Finds kubectl in the cache or builds it.
 * @param report Told when it has to be built.
 * @returns Full path.
 * @throws {CommandFailed} When the build fails.
 */
export function kubectlBinary(report: Report): Promise<string> {
  return kubernetesProgram('kubectl', report);
}

/**
 * Finds helm: on the PATH when it is version 3.14 or newer, else in the cache, else a build from Go modules.
 * @param report Told when it has to be built.
 * @returns Full path.
 * @throws {CommandFailed} When the build fails.
 */
export async function helmBinary(report: Report): Promise<string> {
  const installed = await installedHelm();
  if (installed !== undefined) return installed;
  const program = { path: 'helm.sh/helm/v4/cmd/helm', version: helmVersion };
  return cached('helm', join(cacheFolder(), 'helm', helmVersion, 'helm'), program, 'about 2 min', report);
}

/** @returns Full path of a helm on the PATH that is version 3.14 or newer. */
export async function installedHelm(): Promise<string | undefined> {
  const installed = find('helm');
  if (installed === undefined) return undefined;
  const [, major = '0', minor = '0'] =
    /v(\d+)\.(\d+)/.exec(await run(installed, ['version', '--short'])) ?? [];
  return Number(major) > 3 || (Number(major) === 3 && Number(minor) >= 14) ? installed : undefined;
}

/** @returns Which programs of a one-node cluster have to be built first. */
export function missingPrograms(): readonly KubernetesProgram[] {
  return programs.filter((name) => !existsSync(programFile(name)));
}

function programFile(name: KubernetesProgram): string {
  return join(cacheFolder(), 'kubernetes', kubernetesVersion, name);
}

async function etcd(report: Report): Promise<string> {
  await ensurePrograms(['etcd'], report);
  return find('etcd') ?? 'etcd';
}

function kubernetesProgram(name: KubernetesProgram, report: Report): Promise<string> {
  const staging = kubernetesVersion.replace('v1.', 'v0.');
  const [, major = '', minor = ''] = /^v(\d+)\.(\d+)/.exec(kubernetesVersion) ?? [];
  const version = 'k8s.io/component-base/version';
  const program: GoProgram = {
    path: `k8s.io/kubernetes/cmd/${name}`,
    version: kubernetesVersion,
    replace: Object.fromEntries(stagingModules.split(' ').map((module) => [`k8s.io/${module}`, staging])),
    // Without these the server calls itself v0.0.0 and clients refuse it.
    variables: {
      [`${version}.gitVersion`]: kubernetesVersion,
      [`${version}.gitMajor`]: major,
      [`${version}.gitMinor`]: minor,
    },
  };
  const expected = name === 'kube-apiserver' ? 'about 6 min from a cold Go cache' : 'about 1 min';
  return cached(name, programFile(name), program, expected, report);
}

async function cached(
  name: string,
  file: string,
  program: GoProgram,
  expected: string,
  report: Report,
): Promise<string> {
  if (existsSync(file)) return file;
  return withLock(`${file}.lock`, report, async () => {
    if (!existsSync(file)) {
      await step(
        report,
        `building ${name} ${program.version} from Go modules`,
        () => buildGoProgram(program, file, report),
        expected,
      );
    }
    return file;
  });
}
