import { HsmError, isHsmErrorCode } from './errors.ts';
import {
  isMechanismName,
  isOaepHash,
  isSealedMechanism,
  type MechanismName,
  type OaepHash,
  type SealedMechanism,
} from './mechanism.ts';
import { isObject, malformed, type Message, numberField, part, textField } from './message.ts';

/**
 * The narrow protocol of the HSM agent: seven operations, each a request and a reply. The same over a child's
 * channel and over the sidecar's socket. Whatever arrives is checked here; nothing is believed.
 */
export interface AgentCalls {
  /** Ready to work: library, token, log-in, key (generated if both sides allow it), self-test. */
  readonly open: { readonly request: { readonly generateKey: boolean }; readonly reply: KeyReport };
  readonly wrap: { readonly request: WrapRequest; readonly reply: Sealed };
  readonly unwrap: { readonly request: UnwrapRequest; readonly reply: { readonly plaintext: Uint8Array } };
  readonly random: {
    readonly request: { readonly length: number };
    readonly reply: { readonly bytes: Uint8Array };
  };
  readonly attributes: { readonly request: Empty; readonly reply: KeyReport };
  /** A self-test by the key itself. */
  readonly health: { readonly request: Empty; readonly reply: Empty };
  /** Opens a value in a process of its own, from the library's start on; what it holds stays there. */
  readonly rehearse: { readonly request: UnwrapRequest; readonly reply: Empty };
}

export type AgentOp = keyof AgentCalls;

/** What a sidecar does with managed keys (held-key.ts), besides the operations. */
export const HELD = 'held';

/** What a sidecar answers by ending, besides the operations: it is started anew with the credentials of today. */
export const RENEW = 'renew';
export type Empty = Readonly<Record<never, never>>;

export interface WrapRequest {
  readonly plaintext: Uint8Array;
  readonly aad: Uint8Array;
}

export interface UnwrapRequest {
  readonly sealed: Sealed;
  readonly aad: Uint8Array;
}

/** A ciphertext with everything that is needed to find its key again. */
export interface Sealed {
  readonly mechanism: SealedMechanism;
  readonly oaepHash?: OaepHash;
  readonly keyLabel: string;
  /** Lower-case hex; may be empty. */
  readonly keyId: string;
  /** Key check value, lower-case hex; empty when the HSM has none. */
  readonly checkValue: string;
  readonly iv: Uint8Array;
  readonly ciphertext: Uint8Array;
  /** Of CKM_AES_CBC_PAD only. */
  readonly hmac?: { readonly value: Uint8Array; readonly keyLabel: string; readonly keyId: string };
}

/** The root key as the HSM describes it; an attribute that it does not tell is absent. */
export interface KeyReport {
  readonly mechanism: MechanismName;
  readonly keyLabel: string;
  readonly keyId: string;
  readonly checkValue: string;
  readonly generated: boolean;
  readonly attributes: Readonly<Record<string, boolean>>;
}

export const MAX_PLAINTEXT: number = 64 * 1024;
export const MAX_RANDOM: number = 64 * 1024;
/** A GCM tag and more; an IV; a context. */
const MAX_OVERHEAD = 1024;

type Head = Record<string, unknown>;

/** What a message is made of. */
export interface Fields {
  readonly head: Head;
  readonly parts: Record<string, Uint8Array>;
}

interface Codec<Request, Reply> {
  readonly writeRequest: (body: Request) => Fields;
  readonly readRequest: (message: Message) => Request;
  readonly writeReply: (reply: Reply) => Fields;
  readonly readReply: (message: Message) => Reply;
}

const nothing: Codec<Empty, Empty> = {
  writeRequest: () => ({ head: {}, parts: {} }),
  readRequest: () => ({}),
  writeReply: () => ({ head: {}, parts: {} }),
  readReply: () => ({}),
};

const keyReply = {
  writeReply: (key: KeyReport): Fields => ({ head: { key }, parts: {} }),
  readReply: (message: Message): KeyReport => readKey(message.head),
};

const unwrapRequest = {
  writeRequest: ({ sealed, aad }: UnwrapRequest): Fields => {
    const { head, parts } = sealedFields(sealed);
    return { head, parts: { ...parts, aad } };
  },
  readRequest: (message: Message): UnwrapRequest => ({
    sealed: readSealed(message),
    aad: part(message, 'aad', MAX_OVERHEAD),
  }),
};

/** How each operation travels. The readers throw ERR_HSM_AGENT_UNAVAILABLE for a field that is not as it must be. */
export const codecs: { readonly [K in AgentOp]: Codec<AgentCalls[K]['request'], AgentCalls[K]['reply']> } = {
  open: {
    writeRequest: ({ generateKey }) => ({ head: { generateKey }, parts: {} }),
    readRequest: ({ head }) => ({ generateKey: head['generateKey'] === true }),
    ...keyReply,
  },
  attributes: { ...nothing, ...keyReply },
  health: nothing,
  wrap: {
    writeRequest: ({ plaintext, aad }) => ({ head: {}, parts: { plaintext, aad } }),
    readRequest: (message) => {
      const plaintext = part(message, 'plaintext', MAX_PLAINTEXT);
      if (plaintext.length === 0) throw malformed();
      return { plaintext, aad: part(message, 'aad', MAX_OVERHEAD) };
    },
    writeReply: sealedFields,
    readReply: readSealed,
  },
  rehearse: { ...nothing, ...unwrapRequest },
  unwrap: {
    ...unwrapRequest,
    writeReply: ({ plaintext }) => ({ head: {}, parts: { plaintext } }),
    readReply: (message) => ({ plaintext: part(message, 'plaintext', MAX_PLAINTEXT) }),
  },
  random: {
    writeRequest: ({ length }) => ({ head: { length }, parts: {} }),
    readRequest: ({ head }) => {
      const length = numberField(head, 'length');
      if (length < 1 || length > MAX_RANDOM) throw malformed();
      return { length };
    },
    writeReply: ({ bytes }) => ({ head: {}, parts: { bytes } }),
    readReply: (message) => ({ bytes: part(message, 'bytes', MAX_RANDOM) }),
  },
};

/** @returns the operation that a message asks for. @throws ERR_HSM_AGENT_UNAVAILABLE for an unknown one */
export function readOp(message: Message): AgentOp {
  const op = textField(message.head, 'op');
  if (!isAgentOp(op)) throw malformed();
  return op;
}

function isAgentOp(text: string): text is AgentOp {
  return Object.hasOwn(codecs, text);
}

export function errorFields(error: HsmError): Head {
  return {
    error: {
      code: error.code,
      repair: error.repair,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    },
  };
}

/** @returns the error that a reply carries, if it carries one */
export function readError(message: Message): HsmError | undefined {
  const error = message.head['error'];
  if (error === undefined) return undefined;
  if (!isObject(error)) throw malformed();
  const code = textField(error, 'code');
  if (!isHsmErrorCode(code)) throw malformed();
  const repair = textField(error, 'repair');
  return new HsmError(code, {
    repair: repair === 'ladder' || repair === 'process' ? repair : 'none',
    ...(error['hint'] === undefined ? {} : { hint: textField(error, 'hint') }),
  });
}

function sealedFields(sealed: Sealed): Fields {
  const { iv, ciphertext, hmac, ...head } = sealed;
  if (hmac === undefined) return { head, parts: { iv, ciphertext } };
  const { value, ...hmacKey } = hmac;
  return { head: { ...head, hmacKey }, parts: { iv, ciphertext, hmac: value } };
}

function readSealed(message: Message): Sealed {
  const { head } = message;
  const mechanism = textField(head, 'mechanism');
  const oaepHash = head['oaepHash'];
  const hmacKey = head['hmacKey'];
  if (!isSealedMechanism(mechanism) || (oaepHash !== undefined && !isOaepHash(oaepHash))) throw malformed();
  return {
    mechanism,
    ...(oaepHash === undefined ? {} : { oaepHash }),
    keyLabel: textField(head, 'keyLabel'),
    keyId: textField(head, 'keyId'),
    checkValue: textField(head, 'checkValue'),
    iv: part(message, 'iv', MAX_OVERHEAD),
    ciphertext: part(message, 'ciphertext', MAX_PLAINTEXT + MAX_OVERHEAD),
    ...(isObject(hmacKey)
      ? {
          hmac: {
            value: part(message, 'hmac', MAX_OVERHEAD),
            keyLabel: textField(hmacKey, 'keyLabel'),
            keyId: textField(hmacKey, 'keyId'),
          },
        }
      : {}),
  };
}

function readKey(head: Head): KeyReport {
  const key = head['key'];
  if (!isObject(key) || !isObject(key['attributes'])) throw malformed();
  const mechanism = textField(key, 'mechanism');
  if (!isMechanismName(mechanism)) throw malformed();
  const attributes = Object.entries(key['attributes']).filter(
    (entry): entry is [string, boolean] => typeof entry[1] === 'boolean',
  );
  return {
    mechanism,
    keyLabel: textField(key, 'keyLabel'),
    keyId: textField(key, 'keyId'),
    checkValue: textField(key, 'checkValue'),
    generated: key['generated'] === true,
    attributes: Object.fromEntries(attributes),
  };
}
