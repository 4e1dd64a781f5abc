/** A SealedVault's `spec` as TypeScript sees it, with every default in place; schema.ts proves that it is what the schema gives. */
export interface SealedVaultSpec {
  readonly replicas: number;
  readonly image?: string | undefined;
  readonly resources?: Resources | undefined;
  readonly hsm: HsmSpec;
  readonly storage: {
    readonly lmdb: { readonly size: string | number; readonly storageClassName?: string | undefined };
  };
  readonly audit: readonly AuditSpec[];
  readonly tls?: { readonly secretName: string } | undefined;
  readonly deletionPolicy: 'Retain' | 'Delete';
  readonly ceremonyPage: boolean;
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  readonly recovery?: { readonly custodians?: readonly string[] | undefined } | undefined;
  readonly nodeSelector?: Readonly<Record<string, string>> | undefined;
  readonly tolerations?: readonly object[] | undefined;
}

export interface Resources {
  readonly requests?: Readonly<Record<string, string | number>> | undefined;
  readonly limits?: Readonly<Record<string, string | number>> | undefined;
}

export interface AuditSpec {
  readonly stdout?: object | undefined;
  readonly file?: { readonly path: string } | undefined;
}

export interface HsmSpec {
  readonly name?: string | undefined;
  readonly library: HsmLibrary;
  readonly slotFrom?: FromSecret | undefined;
  readonly tokenLabel?: string | undefined;
  readonly serial?: string | undefined;
  readonly pinFrom: FromSecret;
  readonly keyLabel?: string | undefined;
  readonly keyId?: string | undefined;
  readonly mechanism?: 'CKM_AES_GCM' | 'CKM_RSA_PKCS_OAEP' | undefined;
  readonly rsaOaepHash?: 'sha1' | 'sha224' | 'sha256' | 'sha384' | 'sha512' | undefined;
  readonly generateKey: boolean;
  readonly placement: 'Sidecar' | 'Engine';
  readonly managedKeys?: boolean | undefined;
  readonly volumes: readonly HsmVolume[];
  readonly network: readonly { readonly cidr: string; readonly ports: readonly number[] }[];
}

export interface FromSecret {
  readonly secretKeyRef: { readonly name: string; readonly key: string };
}

export interface HsmLibrary {
  readonly path: string;
  readonly sha256?: string | undefined;
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly from?: LibrarySource | undefined;
}

export interface LibrarySource {
  readonly image?: { readonly reference: string; readonly pullPolicy: string } | undefined;
  readonly persistentVolumeClaim?: { readonly claimName: string } | undefined;
  readonly initContainer?: { readonly image: string; readonly command: readonly string[] } | undefined;
}

export interface HsmVolume {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly: boolean;
  readonly persistentVolumeClaim?: { readonly claimName: string } | undefined;
  readonly secret?: { readonly secretName: string } | undefined;
  readonly configMap?: { readonly name: string } | undefined;
}
