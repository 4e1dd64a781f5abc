import { PATHS } from '../engine-config.ts';
import type { FromSecret, HsmSpec } from '../spec.ts';

/** What of the HSM goes into a pod: library, volumes, and the environment with slot and PIN, by reference only. */
export interface HsmParts {
  readonly env: readonly object[];
  readonly mounts: readonly object[];
  readonly volumes: readonly object[];
  /** Containers that must end before the library is loaded. */
  readonly before: readonly object[];
}

/** Security context of every container. */
export const CONTAINER_SECURITY = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  capabilities: { drop: ['ALL'] },
} as const;

// Compares in constant memory, prints the two digests and nothing else.
const CHECK = `const {createHash}=require('node:crypto');const {createReadStream}=require('node:fs');
const [,path,want]=process.argv;const hash=createHash('sha256');
createReadStream(path).on('error',(e)=>{console.error('the library cannot be read: '+e.code);process.exit(1)}).pipe(hash)
.on('finish',()=>{const got=hash.digest('hex');if(got!==want){console.error('the library has the digest '+got+', not '+want);process.exit(1)}});`;

/**
 * @param image the image of the agent
 * @param mark before the names of volumes and containers, where a pod knows two HSMs
 */
export function hsmParts(hsm: HsmSpec, image: string, mark = ''): HsmParts {
  const { library } = hsm;
  const source = librarySource(hsm, mark);
  const extra = hsm.volumes.map((volume) => ({
    name: `${mark}hsm-${volume.name}`,
    ...(volume.persistentVolumeClaim === undefined
      ? {}
      : { persistentVolumeClaim: volume.persistentVolumeClaim }),
    ...(volume.secret === undefined ? {} : { secret: { ...volume.secret, defaultMode: 0o440 } }),
    ...(volume.configMap === undefined ? {} : { configMap: volume.configMap }),
  }));
  const mounts = [
    ...source.mounts,
    ...hsm.volumes.map(({ name, mountPath, readOnly }) => ({
      name: `${mark}hsm-${name}`,
      mountPath,
      ...(readOnly ? { readOnly } : {}),
    })),
  ];
  const check =
    library.sha256 === undefined
      ? []
      : [
          {
            name: `${mark}library-digest`,
            image,
            command: ['/usr/local/bin/node', '--eval', CHECK, library.path, library.sha256],
            securityContext: CONTAINER_SECURITY,
            volumeMounts: mounts,
          },
        ];
  return {
    env: [
      ...(hsm.slotFrom === undefined ? [] : [fromSecret('VAULT_HSM_SLOT', hsm.slotFrom)]),
      fromSecret('VAULT_HSM_PIN', hsm.pinFrom),
      ...library.env.map(({ name, value }) => ({ name, value })),
    ],
    mounts,
    volumes: [...source.volumes, ...extra],
    before: [...source.before, ...check],
  };
}

function fromSecret(name: string, { secretKeyRef }: FromSecret): object {
  return {
    name,
    valueFrom: { secretKeyRef: { name: secretKeyRef.name, key: secretKeyRef.key } },
  };
}

function librarySource({ library }: HsmSpec, mark: string): Pick<HsmParts, 'mounts' | 'volumes' | 'before'> {
  const name = `${mark}library`;
  const mount = { name, mountPath: PATHS.library, readOnly: true };
  const volume = (what: object): Pick<HsmParts, 'mounts' | 'volumes' | 'before'> => ({
    mounts: [mount],
    volumes: [{ name, ...what }],
    before: [],
  });
  const { image, persistentVolumeClaim, initContainer } = library.from ?? {};
  if (image !== undefined) return volume({ image });
  if (persistentVolumeClaim !== undefined)
    return volume({ persistentVolumeClaim: { ...persistentVolumeClaim, readOnly: true } });
  if (initContainer === undefined) return { mounts: [], volumes: [], before: [] };
  return {
    mounts: [mount],
    volumes: [{ name, emptyDir: {} }],
    before: [
      {
        name,
        image: initContainer.image,
        command: [...initContainer.command],
        securityContext: CONTAINER_SECURITY,
        volumeMounts: [{ name, mountPath: PATHS.library }],
      },
    ],
  };
}
