/** Fields that many endpoints share. */
export const nameField = { type: 'string', description: 'Name of the key', required: true } as const;

export const contextField = {
  type: 'string',
  description: 'Base64 encoded context for key derivation. Required if key derivation is enabled.',
} as const;

export const keyVersionField = {
  type: 'int',
  description:
    'The version of the key to use. Must be 0 (for latest) or a value greater than or equal to the min_encryption_version configured on the key.',
  default: 0,
} as const;

export const associatedDataField = {
  type: 'string',
  description:
    'Base64 encoded data that an AEAD key authenticates along with the plaintext; the same data must be given to decrypt.',
} as const;

export const nonceField = {
  type: 'string',
  description:
    'Base64 encoded nonce. Only keys of the first convergent scheme took one, and those are not served.',
  deprecated: true,
} as const;

export const batchField = {
  type: 'any',
  description:
    'A list of items to be processed in a single batch; members of the request beside it are then ignored. The results preserve the order.',
} as const;

export const partialFailureField = {
  type: 'int',
  description:
    'The status of the response when some items of a batch fail and others do not, instead of 400.',
} as const;

/** Which managed key, for keys of type managed_key. */
export const managedKeyFields = {
  managed_key_name: {
    type: 'string',
    description: 'Name of the managed key, for keys of type managed_key.',
    default: '',
  },
  managed_key_id: {
    type: 'string',
    description: 'UUID of the managed key, for keys of type managed_key.',
    default: '',
  },
} as const;
