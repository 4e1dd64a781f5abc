const ROUNDS = 16;
const SUBKEYS = ROUNDS + 2;
const SBOX_WORDS = 4 * 256;
const WORDS = SUBKEYS + SBOX_WORDS;

/** Blowfish's subkeys and S-boxes, 18 and 1024 words, which the key schedule of bcrypt changes over and over. */
export class Blowfish {
  readonly #words: Uint32Array = initialWords().slice();
  /** The block at hand. */
  #left = 0;
  #right = 0;

  /** One step of the key schedule; a salt of four words is mixed in when given. */
  expand(key: Uint32Array, salt?: Uint32Array): void {
    const words = this.#words;
    for (let index = 0; index < SUBKEYS; index += 1) words[index] = (words[index] ?? 0) ^ (key[index] ?? 0);
    this.#left = 0;
    this.#right = 0;
    for (let index = 0; index < WORDS; index += 2) {
      if (salt !== undefined) {
        this.#left ^= salt[index & 2] ?? 0;
        this.#right ^= salt[(index & 2) + 1] ?? 0;
      }
      this.#encrypt();
      words[index] = this.#left;
      words[index + 1] = this.#right;
    }
  }

  /** Encrypts a text of an even number of words in place. */
  encrypt(text: Uint32Array): void {
    for (let index = 0; index < text.length; index += 2) {
      this.#left = text[index] ?? 0;
      this.#right = text[index + 1] ?? 0;
      this.#encrypt();
      text[index] = this.#left;
      text[index + 1] = this.#right;
    }
  }

  #encrypt(): void {
    const words = this.#words;
    let left = this.#left;
    let right = this.#right;
    for (let round = 0; round < ROUNDS; round += 1) {
      left ^= words[round] as number;
      const sum =
        ((words[SUBKEYS + (left >>> 24)] as number) +
          (words[SUBKEYS + 256 + ((left >>> 16) & 255)] as number)) ^
        (words[SUBKEYS + 512 + ((left >>> 8) & 255)] as number);
      const mixed = right ^ (sum + (words[SUBKEYS + 768 + (left & 255)] as number));
      right = left;
      left = mixed;
    }
    this.#right = left ^ (words[ROUNDS] as number);
    this.#left = right ^ (words[ROUNDS + 1] as number);
  }
}

let initial: Uint32Array | undefined;

// The fraction of π in binary (Schneier 1993), by Machin's formula; worked out once, in some 50 ms.
function initialWords(): Uint32Array {
  if (initial !== undefined) return initial;
  const guard = 64n;
  const bits = BigInt(WORDS * 32) + guard;
  const one = 1n << bits;
  const pi = 4n * (4n * arctan(5n, one) - arctan(239n, one));
  let fraction = (pi - 3n * one) >> guard;
  const words = new Uint32Array(WORDS);
  for (let index = WORDS - 1; index >= 0; index -= 1) {
    words[index] = Number(BigInt.asUintN(32, fraction));
    fraction >>= 32n;
  }
  initial = words;
  return words;
}

// arctan(1/x) in units of 1/one.
function arctan(x: bigint, one: bigint): bigint {
  let power = one / x;
  let sum = power;
  for (let divisor = 3n; power !== 0n; divisor += 2n) {
    power /= -(x * x);
    sum += power / divisor;
  }
  return sum;
}
