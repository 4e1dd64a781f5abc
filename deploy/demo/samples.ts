import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { KubernetesObject } from '../../test/support/cluster/api.ts';
import { projectRoot } from '../../test/support/cluster/paths.ts';

/**
 * Reads the objects of a sample file.
 * @param name File name below `deploy/samples`.
 * @param image Takes the place of the samples' image.
 * @returns The objects, in the order of the file.
 */
export function sample(name: string, image: string): KubernetesObject[] {
  const text = readFileSync(join(projectRoot, 'deploy', 'samples', name), 'utf8');
  return parseAllDocuments(text)
    .map((document) => document.toJS() as KubernetesObject | null)
    .filter((object) => object !== null)
    .map(
      (object) =>
        JSON.parse(JSON.stringify(object), (key, value: unknown) =>
          key === 'image' ? image : value,
        ) as KubernetesObject,
    );
}

/**
 * Reads the sample of a ceremony, whichever folder it is in.
 * @param name Its name.
 * @returns The object.
 * @throws {Error} When there is none of this name.
 */
export function ceremonySample(name: string): KubernetesObject {
  const files = readdirSync(join(projectRoot, 'deploy', 'samples'), { recursive: true, encoding: 'utf8' });
  const found = files
    .filter((file) => file.endsWith('recoveryceremony.yaml'))
    .flatMap((file) => sample(file, ''))
    .find(({ metadata }) => metadata?.name === name);
  if (found === undefined) throw new Error(`there is no sample ${name}`);
  return found;
}
