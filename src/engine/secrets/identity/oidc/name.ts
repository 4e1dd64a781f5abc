/** A name as the paths of keys, roles and the provider's objects take it. */
export const NAME: RegExp = /^\w(?:[\w.-]*\w)?$/;
