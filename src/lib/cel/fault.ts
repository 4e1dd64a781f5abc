/** An expression that is none, or that has no value. Never leaves this folder. */
export class CelFault extends Error {}
