import type { VaultNames } from './names.ts';
import type { AuditSpec, HsmLibrary, HsmSpec, SealedVaultSpec } from './spec.ts';

/** Where things are in a vault's pod. */
export const PATHS = {
  config: '/etc/sealedvault',
  engine: '/etc/sealedvault/engine.json',
  agent: '/etc/sealedvault/agent.json',
  tls: '/etc/sealedvault/tls',
  volume: '/vault',
  data: '/vault/data',
  run: '/run/hsm',
  // An emptyDir is open to everybody in the pod; the agent makes this folder for its own user and group.
  socket: '/run/hsm/private/agent.sock',
  library: '/hsm/library',
  /** Of the HSM that a ceremony moves the vault to. */
  nextRun: '/run/hsm-next',
  nextSocket: '/run/hsm-next/private/agent.sock',
} as const;

/**
 * The engine's configuration: Vault's keys, no credential.
 * @param next whether a ceremony moves the vault to another HSM
 */
export function engineConfig(spec: SealedVaultSpec, names: VaultNames, next: boolean): object {
  return {
    listener: [
      {
        tcp: {
          address: '[::]:8200',
          tls_cert_file: `${PATHS.tls}/tls.crt`,
          tls_key_file: `${PATHS.tls}/tls.key`,
          tls_client_ca_file: `${PATHS.tls}/ca.crt`,
        },
      },
    ],
    storage: { lmdb: { path: PATHS.data } },
    ...sealBlocks(spec.hsm, next),
    ...keyLibrary(spec.hsm),
    audit: auditDevices(spec.audit),
    // Devices are declared in the object: who holds a token of the vault writes no file in its pod.
    unsafe_allow_api_audit_creation: false,
    allow_audit_log_prefixing: false,
    api_addr: `https://${names.active}.${names.key.namespace}.svc:8200`,
    require_pgp_shares: true,
    init_client_name: 'sealedvault-operator',
    ui: spec.ceremonyPage,
    log_level: spec.logLevel,
    disable_mlock: true,
  };
}

/** The configuration of an HSM agent. */
export function agentConfig(hsm: HsmSpec): object {
  return {
    seal: { pkcs11: hsmStanza(hsm) },
    ...(hsm.managedKeys === true ? { managed_keys: true } : {}),
  };
}

function keyLibrary({ managedKeys, placement, library }: HsmSpec): object {
  if (managedKeys !== true) return {};
  const where =
    placement === 'Sidecar'
      ? { agent_address: `unix://${PATHS.socket}` }
      : { library: library.path, ...libraryEnv(library) };
  return { kms_library: { pkcs11: { name: 'hsm', ...where } } };
}

// The library's process gets a fixed list of variables, and those that are named here.
function libraryEnv({ env }: HsmLibrary): { readonly library_env?: string } {
  return env.length === 0 ? {} : { library_env: env.map(({ name }) => name).join(',') };
}

// Conditions follow the HSM within a minute, where Vault's default is ten.
const INTERVAL = { health_check_interval: '60s' };

function sealBlocks(hsm: HsmSpec, next: boolean): object {
  const now = hsm.placement === 'Sidecar' ? { agent_address: `unix://${PATHS.socket}` } : hsmStanza(hsm);
  if (!next) return { seal: { pkcs11: { ...now, ...INTERVAL } } };
  return {
    migrate_by_ceremony: true,
    seal: [
      // Always beside its own agent: the engine's container has the library of the one in force, if any.
      { pkcs11: { name: 'next', agent_address: `unix://${PATHS.nextSocket}`, ...INTERVAL } },
      { pkcs11: { name: 'in-force', disabled: 'true', ...now } },
    ],
  };
}

/** Slot and PIN are not in it: they are in the environment. */
function hsmStanza(hsm: HsmSpec): Record<string, string | boolean> {
  const { library, tokenLabel, serial, keyLabel, keyId, mechanism, rsaOaepHash } = hsm;
  return {
    lib: library.path,
    ...(tokenLabel === undefined ? {} : { token_label: tokenLabel }),
    ...(serial === undefined ? {} : { serial }),
    ...(keyLabel === undefined ? {} : { key_label: keyLabel }),
    ...(keyId === undefined ? {} : { key_id: keyId }),
    ...(mechanism === undefined ? {} : { mechanism }),
    ...(rsaOaepHash === undefined ? {} : { rsa_oaep_hash: rsaOaepHash }),
    ...(hsm.generateKey ? { generate_key: true } : {}),
    ...libraryEnv(library),
  };
}

// Vault's form gives each device a name; two of a kind need different ones.
function auditDevices(devices: readonly AuditSpec[]): object[] {
  return devices.map(({ file }, index) => {
    const type = file === undefined ? 'stdout' : 'file';
    const before = devices
      .slice(0, index)
      .filter((other) => (other.file === undefined) === (file === undefined));
    const settings = file === undefined ? {} : { file_path: file.path };
    return { [type]: before.length === 0 ? settings : { [`${type}-${before.length + 1}`]: settings } };
  });
}
