import { execFileSync } from 'node:child_process';
import { SOFTHSM, type TestToken } from './support.ts';

interface SecretKey {
  readonly value: Uint8Array;
  readonly type: 'aes' | 'generic';
  readonly label: string;
  /** Hex. */
  readonly id: string;
}

// pkcs11-tool cannot import a generic secret. In a process of its own: a library is loaded once per process.
const PROGRAM = `
import pkcs11js from 'pkcs11js';
const { lib, label, pin, key } = JSON.parse(process.env.IMPORT);
const p = new pkcs11js.PKCS11();
p.load(lib);
p.C_Initialize({ flags: 2 });
const slot = p.C_GetSlotList(true).find((each) => p.C_GetTokenInfo(each).label.trim() === label);
const session = p.C_OpenSession(slot, 6);
p.C_Login(session, 1, pin);
const aes = key.type === 'aes';
p.C_CreateObject(session, [
  { type: 0, value: 4 },
  { type: 0x100, value: aes ? 0x1f : 0x10 },
  { type: 0x11, value: Buffer.from(key.value, 'hex') },
  { type: 3, value: key.label },
  { type: 0x102, value: Buffer.from(key.id, 'hex') },
  { type: 1, value: true },
  { type: 2, value: true },
  { type: 0x103, value: true },
  { type: 0x104, value: aes },
  { type: 0x105, value: aes },
  { type: 0x108, value: !aes },
  { type: 0x10a, value: !aes },
]);
p.C_Finalize();
`;

/** Puts a key of known value on a token: what no HSM should ever be asked to hold but in a test. */
export function importKey({ env, label, pin }: TestToken, { value, ...key }: SecretKey): void {
  const IMPORT = JSON.stringify({
    lib: SOFTHSM,
    label,
    pin,
    key: { ...key, value: Buffer.from(value).toString('hex') },
  });
  execFileSync(process.execPath, ['--input-type=module', '-e', PROGRAM], {
    env: { ...process.env, ...env, IMPORT },
    cwd: import.meta.dirname,
    stdio: 'pipe',
  });
}
