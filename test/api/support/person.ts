import {
  createMessage,
  decrypt,
  generateKey,
  type PrivateKey,
  readKey,
  readMessage,
  readPrivateKey,
  sign,
} from 'openpgp';

/** Somebody with an OpenPGP key. */
export interface Person {
  readonly name: string;
  readonly armored: string;
  /** As Vault's API takes it. */
  readonly publicKey: string;
  readonly fingerprint: string;
  /** @returns the text in a message, given as base64 of the binary one */
  open(base64: string): Promise<string>;
  /** @returns an armored, detached signature */
  sign(text: string): Promise<string>;
}

export async function makePerson(name: string): Promise<Person> {
  const made = await generateKey({ userIDs: [{ name }], date: new Date(Date.now() - 60_000) });
  const key: PrivateKey = await readPrivateKey({ armoredKey: made.privateKey });
  const publicKey = await readKey({ armoredKey: made.publicKey });
  return {
    name,
    armored: made.publicKey,
    publicKey: Buffer.from(publicKey.write()).toString('base64'),
    fingerprint: publicKey.getFingerprint(),
    open: async (base64) => {
      const message = await readMessage({ binaryMessage: Buffer.from(base64, 'base64') });
      return String((await decrypt({ message, decryptionKeys: key })).data);
    },
    sign: async (text) =>
      String(
        await sign({
          message: await createMessage({ binary: Buffer.from(text) }),
          signingKeys: key,
          detached: true,
        }),
      ),
  };
}
