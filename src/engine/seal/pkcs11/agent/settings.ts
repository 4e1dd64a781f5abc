import { isMechanismName, isOaepHash, type LegacyKeys } from '../mechanism.ts';
import { isObject, malformed, type Message, part, textField } from '../message.ts';
import { MAX_PIN_BYTES } from '../pin.ts';
import type { ConnectOptions, HsmSettings } from './hsm.ts';

/** The one message that only a parent sends: settings, PIN and what to do before. */
export interface ConnectMessage {
  readonly settings: HsmSettings;
  readonly options: ConnectOptions;
}

/** @returns head and parts of a connect message; a slot travels as text, as it may have 64 bits */
export function connectFields(
  { settings, options }: ConnectMessage,
  pin: Uint8Array,
): { head: Record<string, unknown>; parts: Record<string, Uint8Array> } {
  const { slot, ...rest } = settings;
  const plain = { ...rest, ...(slot === undefined ? {} : { slot: String(slot) }) };
  return { head: { op: 'connect', settings: plain, options }, parts: { pin } };
}

/** @throws ERR_HSM_AGENT_UNAVAILABLE */
export function readConnect(message: Message): ConnectMessage & { readonly pin: Uint8Array } {
  const { settings, options } = message.head;
  if (!isObject(settings) || !isObject(options)) throw malformed();
  const optional = (name: string): string | undefined =>
    settings[name] === undefined ? undefined : textField(settings, name);
  const slot = optional('slot');
  const tokenLabel = optional('tokenLabel');
  const serial = optional('serial');
  const keyLabel = optional('keyLabel');
  const keyId = optional('keyId');
  const mechanism = optional('mechanism');
  const oaepHash = textField(settings, 'oaepHash');
  if (mechanism !== undefined && !isMechanismName(mechanism)) throw malformed();
  if (!isOaepHash(oaepHash)) throw malformed();
  return {
    settings: {
      lib: textField(settings, 'lib'),
      ...(slot === undefined ? {} : { slot: BigInt(slot) }),
      ...(tokenLabel === undefined ? {} : { tokenLabel }),
      ...(serial === undefined ? {} : { serial }),
      ...(keyLabel === undefined ? {} : { keyLabel }),
      ...(keyId === undefined ? {} : { keyId }),
      ...(mechanism === undefined ? {} : { mechanism }),
      oaepHash,
      encryptLocally: settings['encryptLocally'] === true,
      forceRwSession: settings['forceRwSession'] === true,
      ...(isObject(settings['legacy']) ? { legacy: readLegacy(settings['legacy']) } : {}),
    },
    options: { generateKey: options['generateKey'] === true, reinitialize: options['reinitialize'] === true },
    pin: part(message, 'pin', MAX_PIN_BYTES),
  };
}

function readLegacy(given: Readonly<Record<string, unknown>>): LegacyKeys {
  const optional = (name: keyof LegacyKeys): LegacyKeys =>
    given[name] === undefined ? {} : { [name]: textField(given, name) };
  return {
    ...optional('hmacKeyLabel'),
    ...optional('hmacKeyId'),
    ...optional('defaultKeyLabel'),
    ...optional('defaultHmacKeyLabel'),
  };
}
