import { readFileSync } from 'node:fs';
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
